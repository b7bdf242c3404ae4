public import Foundation

/// Why a run folder could not be written or read; every description says what, where and what to do.
public enum RunError: Error, Equatable, LocalizedError, CustomStringConvertible {
  /// A new run was asked for in a folder that already holds something.
  case folderNotEmpty(path: String)
  /// Another process is writing to the folder.
  case inUse(path: String)
  /// A file or folder could not be created or written.
  case cannotWrite(path: String, reason: String)
  /// A file or folder could not be read.
  case cannotRead(path: String, reason: String)
  /// The folder is not a run folder: it has no `run.json`.
  case notARun(path: String)
  /// A file holds something that the format does not allow; `line` counts from 1.
  case damaged(path: String, line: Int, reason: String)
  /// `run.json` was written by a newer program.
  case newerSchema(path: String, version: Int, supported: Int)
  /// `run.json` tells of a run that follows rules of training which this program does not know.
  case newerRules(path: String, version: Int, supported: Int)
  /// A number that JSON cannot hold: infinite, or not a number.
  case notFinite(field: String, step: Int)
  /// Something was appended after ``RunWriter/close()``.
  case closed(path: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .folderNotEmpty(let path):
      "the run folder \(path) is not empty: choose another folder, remove this one, or resume the run in it"
    case .inUse(let path):
      "another process is writing to the run folder \(path): wait until it has ended, or stop it"
    case .cannotWrite(let path, let reason):
      "cannot write \(path): \(reason); check the permissions and the free space, or choose another folder"
    case .cannotRead(let path, let reason):
      "cannot read \(path): \(reason)"
    case .notARun(let path):
      "\(path) is not a run folder: it has no run.json; name the folder that a run was written to"
    case .damaged(let path, let line, let reason):
      "\(path), line \(line): \(reason); remove the line or restore the file"
    case .newerSchema(let path, let version, let supported):
      "\(path) has schema version \(version), this program reads up to \(supported): update the program"
    case .newerRules(let path, let version, let supported):
      "\(path) is of a run that follows training rules \(version), this program knows rules up to \(supported): update the program"
    case .notFinite(let field, let step):
      step > 0
        ? "\(field) is not a finite number at step \(step): lower the learning rate, or start from an earlier checkpoint"
        : "\(field) is not a finite number, which JSON cannot hold: correct the value"
    case .closed(let path):
      "the run in \(path) is closed: resume it before writing to it"
    }
  }

  /// The same as ``description``.
  public var errorDescription: String? { description }
}
