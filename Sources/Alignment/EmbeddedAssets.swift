public import Checkpoints
import EmbeddedAssets

/// The files in the program whose path starts with `folder`/, by the rest of their path.
func embeddedFiles(in folder: String) -> [String: MappedBytes] {
  var files: [String: MappedBytes] = [:]
  for index in 0..<tinyalign_asset_count() {
    guard let asset = tinyalign_asset_at(index)?.pointee else { continue }
    let path = String(cString: asset.path)
    guard path.hasPrefix(folder + "/") else { continue }
    files[String(path.dropFirst(folder.count + 1))] = MappedBytes(
      staticBytes: UnsafeRawBufferPointer(start: asset.bytes, count: asset.count))
  }
  return files
}

/// The story model in the program; see its model card.
public enum EmbeddedModel {
  /// What `--model` calls it.
  public static let name = "tinystories"

  /// Its files.
  public static var source: ModelSource { .embedded(name: name, files: embeddedFiles(in: name)) }
}
