public import Foundation

/// A missing or unreadable golden file: the test fails, it is never skipped.
public struct MissingGolden: Error, CustomStringConvertible {
  /// What is missing.
  public let description: String
}

/// The bytes of `Goldens/NAME` in a test bundle.
///
/// - Throws: ``MissingGolden`` when the file is not there.
public func golden(_ name: String, in bundle: Bundle) throws -> Data {
  let url = bundle.bundleURL.appending(path: "Goldens").appending(path: name)
  guard let data = try? Data(contentsOf: url) else { throw MissingGolden(description: "no golden file \(url.path)") }
  return data
}

/// Runs `body` with a folder of its own, removed afterwards.
public func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}
