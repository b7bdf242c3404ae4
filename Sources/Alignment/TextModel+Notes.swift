import Checkpoints
import Transformers

extension TextModel {
  /// What a user is to know about the model's files, a sentence each: where they contradict each other, or lack something.
  public var notes: [String] {
    guard case .converted(let converted) = source else { return model.notes }
    return converted.notes + model.notes
  }
}
