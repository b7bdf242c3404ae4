public import Foundation

/// Why a text is not JSON, or a value cannot be written as JSON.
public struct JSONError: Error, Equatable, LocalizedError, CustomStringConvertible {
  /// In a few words, without the place.
  public let reason: String
  /// The byte of the file, counted from 0; nil where a value could not be written.
  public let offset: Int?

  /// What is wrong at `offset`.
  public init(reason: String, offset: Int?) {
    self.reason = reason
    self.offset = offset
  }

  /// The reason with its place; bytes count from 1, as editors show them.
  public var description: String { offset.map { "\(reason) at byte \($0 + 1)" } ?? reason }

  /// The same as ``description``.
  public var errorDescription: String? { description }
}
