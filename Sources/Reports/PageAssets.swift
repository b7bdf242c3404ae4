import EmbeddedAssets

/// A file of the live page that is part of the program, such as `theme.css`; empty where there is none of that name.
package func pageAsset(_ name: String) -> String {
  for index in 0..<tinyalign_asset_count() {
    guard let asset = tinyalign_asset_at(index)?.pointee, String(cString: asset.path) == "page/\(name)" else {
      continue
    }
    return String(decoding: UnsafeBufferPointer(start: asset.bytes, count: asset.count), as: UTF8.self)
  }
  return ""
}
