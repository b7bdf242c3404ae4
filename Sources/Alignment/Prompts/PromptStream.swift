import Checkpoints
import Foundation
import JSON
import Runs

extension Recipe {
  /// Reads the prompts where they come from a pipe, which gives them once only.
  ///
  /// - Throws: ``AlignmentError/text(reason:)``.
  mutating func readPromptStream() throws {
    guard let promptFile else { return }
    let file = URL(filePath: promptFile)
    guard isStream(file) else { return }
    do {
      promptData = try readFile(file, limit: PromptSet.largestFile)
    } catch {
      throw AlignmentError.text(reason: "\(displayName(file)) cannot be read: \(error)")
    }
  }

  /// Refuses a system message that no prompt would get.
  ///
  /// - Throws: ``AlignmentError``.
  func checkSystemMessage() throws {
    guard system != nil, !chat else { return }
    try promptSet().checkSystemMessage()
  }
}

extension PromptSet {
  /// Refuses plain texts among the prompts, for a system message without a template that would write it.
  ///
  /// - Throws: ``AlignmentError/setting(name:reason:)``.
  package func checkSystemMessage() throws {
    let plain = prompts.first { prompt in
      if case .text = prompt.content { true } else { false }
    }
    guard let plain else { return }
    let place = plain.origin.map { " (\($0))" } ?? ""
    throw AlignmentError.setting(
      name: "--system", reason: "needs --chat: a plain prompt\(place) is continued as it is, without any message")
  }
}

extension AlignmentRun {
  /// Keeps prompts that came from a pipe in the run's folder, so that the run can be resumed and verified.
  func keepPromptStream(_ writer: RunWriter) throws {
    guard let bytes = recipe.promptData, let name = recipe.promptFile,
      let format = PromptFormat(name: name, bytes: bytes, column: recipe.promptColumn, isStream: true)
    else { return }
    let file = writer.folder.appending(path: "\(RunFolder.promptData).\(format.rawValue)")
    try writeAtomically(bytes, to: file)
    try writer.update { manifest in
      manifest.promptFile?.name = file.path
      guard case .object(let members) = manifest.recipe else { return }
      let key = Recipe.CodingKeys.promptFile.rawValue
      manifest.recipe = .object(members.map { $0.key == key ? .init(key, .string(file.path)) : $0 })
    }
  }
}
