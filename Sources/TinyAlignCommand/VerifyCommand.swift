import Alignment
import ArgumentParser
import Foundation
import JSON
import Runs

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Do a step of a run once more and say whether it comes out the same.",
    discussion: """
      The first step is done again from the model that the run began with, any other from the checkpoint before it. On the \
      same kind of processor every sampled token, reward and metric is the same to the last bit; elsewhere within rounding. \
      The exit status is 1 where a step does not agree.
      """)

  @Argument(help: .init("A run folder.", valueName: "run"))
  var folder: String
  @Option(
    help: .init("The step to do again. (default: the first, and the one after the last checkpoint)", valueName: "n"))
  var step: Int?
  @OptionGroup var common: CommonOptions

  func run() throws {
    let folder = URL(filePath: self.folder, directoryHint: .isDirectory)
    var steps = try step.map { [$0] } ?? RunVerification.verifiableSteps(of: RunReader(folder: folder))
    guard let first = steps.first, let last = steps.last else {
      throw ValidationError("the run in \(self.folder) has no finished step to do again")
    }
    steps = first == last ? [first] : [first, last]
    var agrees = true
    for step in steps {
      let verification = try RunVerification(of: folder, step: step)
      let (verdict, text, difference): (String, String, Double?) =
        switch verification.verdict {
        case .exact: ("exact", "the same to the last bit", 0)
        // A run of an older version tells less.
        case .close(0): ("close", "the same in all that was recorded", 0)
        case .close(let worst): ("close", "the same tokens, numbers within \(worst)", worst)
        case .different(let reason): ("different", reason, nil)
        }
      if case .different = verification.verdict { agrees = false }
      if common.json {
        try printJSON([
          .init("step", .integer(step)), .init("verdict", .string(verdict)), .init("detail", .string(text)),
          .init("worst_difference", difference.map { .number($0) } ?? .null),
        ])
      } else {
        try Output.line("step \(step): \(verdict == "different" ? "DIFFERENT: " : "")\(text)")
      }
    }
    guard agrees else { throw ExitCode(1) }
  }
}
