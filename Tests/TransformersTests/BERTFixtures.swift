import Checkpoints
import Foundation
import TestSupport
import Transformers

/// The small random BERT that `Scripts/goldens/bert.py` wrote, and what transformers computes with it.
struct BERTGolden: Decodable {
  var texts: [[Int]]
  var hidden: [[Float]]
  var means: [[Float]]

  static func load() throws -> BERTGolden {
    try JSONDecoder().decode(BERTGolden.self, from: golden("bert-small/expected.json", in: .module))
  }

  static let source = ModelSource.folder(folder)
  static let folder = Bundle.module.bundleURL.appending(path: "Goldens").appending(path: "bert-small")
}

/// Calls `body` with a copy of the small BERT after changes to its files.
///
/// - Parameters:
///   - keys: replace those of `config.json`; `NSNull` removes one.
///   - prefix: comes before the tensors' names.
///   - dropped: the beginnings of names of tensors to leave out.
///   - shapes: the new shapes of tensors.
///   - renaming: changes the name of a tensor, without the prefix.
///   - extra: names of tensors to add, of two numbers each: 0 and 1 for position ids.
func withChangedBERT(
  _ keys: [String: Any] = [:], prefix: String = "", dropped: [String] = [], shapes: [String: [Int]] = [:],
  extra: [String] = [], renaming: (String) -> String = { $0 }, _ body: (ModelSource) throws -> Void
) throws {
  try withTemporaryFolder { folder in
    let config = try JSONSerialization.jsonObject(with: golden("bert-small/config.json", in: .module))
    var changed = config as? [String: Any] ?? [:]
    for (key, value) in keys { changed[key] = value is NSNull ? nil : value }
    try JSONSerialization.data(withJSONObject: changed).write(to: folder.appending(path: "config.json"))

    let file = try Safetensors(BERTGolden.source.requiredFile("model.safetensors"), name: "model.safetensors")
    var memory: [UnsafeMutableBufferPointer<Float>] = []
    defer { for buffer in memory { buffer.deallocate() } }
    func values(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      buffer.initialize(repeating: 0.5)
      memory.append(buffer)
      return buffer
    }
    var tensors: [TensorToWrite] = []
    for entry in file.entries where !dropped.contains(where: entry.name.hasPrefix) {
      let buffer = values(entry.count)
      try file.copyFloats(entry, into: buffer)
      let shape = shapes[entry.name] ?? entry.shape
      tensors.append(
        TensorToWrite(name: prefix + renaming(entry.name), shape: shape, values: UnsafeBufferPointer(buffer)))
    }
    for name in extra {
      let buffer = values(2)
      // As old files have them.
      if name.hasSuffix("position_ids") { for index in 0..<2 { buffer[index] = Float(index) } }
      tensors.append(TensorToWrite(name: name, shape: [2], values: UnsafeBufferPointer(buffer)))
    }
    try writeSafetensors(tensors, elementType: .float32, to: folder.appending(path: "model.safetensors"))
    try body(.folder(folder))
  }
}

/// The description of the error that loading a changed BERT ends with; empty where it loads.
func loadingFailure(_ source: ModelSource) -> String {
  do {
    _ = try BERTEncoder(source: source)
    return ""
  } catch {
    return "\(error)"
  }
}
