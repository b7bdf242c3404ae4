public import Foundation

/// Why there is no reward.
public enum RewardError: Error, Equatable, Sendable {
  /// The text that stories are to be compared with is empty.
  case emptyTarget
  /// The reward model is not in the folder where it is looked for; `setting` is the environment variable that names
  /// the folder, where one does.
  case missingModel(folder: String, setting: String?)
}

extension RewardError: CustomStringConvertible, LocalizedError {
  /// One line for a person to read.
  public var description: String {
    switch self {
    case .emptyTarget:
      "the text to steer toward is empty: give a word or a sentence, such as --toward cat"
    case .missingModel(let folder, let setting?):
      "there is no reward model in \(folder), the folder that \(setting) leads to: "
        + "run `make reward-model` or correct \(setting)"
    case .missingModel(let folder, nil):
      "there is no reward model in \(folder): run `make reward-model` or `tinyalign pull minilm`, "
        + "or set TINYALIGN_REWARD_MODEL to the folder of all-MiniLM-L6-v2"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}
