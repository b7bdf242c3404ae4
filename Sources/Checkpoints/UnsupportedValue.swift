/// A sound value of a JSON file that this program does not handle: what decoding throws so that the file is not called damaged.
public struct UnsupportedValue: Error {
  /// What is not supported, with the key.
  public var reason: String
  /// What to do instead.
  public var hint: String

  /// A value and what to do instead.
  public init(_ reason: String, hint: String) {
    self.reason = reason
    self.hint = hint
  }
}
