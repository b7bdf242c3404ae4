import Foundation
import Transformers

extension TextModel {
  /// A trained adapter as one of a whole model, and what that is called: where this model has an adapter itself, the two become one,
  /// since no program loads an adapter of an adapter.
  ///
  /// - Throws: an error where the earlier adapter's files are no longer there.
  func joinedWithEarlier(_ adapter: LowRankAdapter) throws -> (adapter: LowRankAdapter, baseModel: String) {
    guard let files = self.adapter else { return (adapter, Self.lasting(name)) }
    let earlier = try AdapterCheckpoint.load(files, onto: model).adapter
    return (earlier.map(adapter.joined(after:)) ?? adapter, Self.lasting(try Self.baseName(ofAdapter: files)))
  }

  /// A model's name as it leads to the model from any folder.
  private static func lasting(_ name: String) -> String {
    let isPath = name != EmbeddedModel.name && FileManager.default.fileExists(atPath: name)
    return isPath ? URL(filePath: name).standardizedFileURL.path : name
  }
}
