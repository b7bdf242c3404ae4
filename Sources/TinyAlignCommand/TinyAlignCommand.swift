import Alignment
import ArgumentParser
import Foundation
import Kernels
import Reports

@main
struct TinyAlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tinyalign",
    abstract: "Steer a small language model by reinforcement learning, on an ordinary computer.",
    discussion: """
      Start with `tinyalign align`: it teaches the story model in this program to tell stories about cats, and writes \
      what it did to a folder with a report.
      """,
    version: programVersion,
    groupedSubcommands: [
      CommandGroup(name: "Training", subcommands: [Align.self, Watch.self, Report.self, Verify.self, Pretrain.self]),
      CommandGroup(name: "Language Models", subcommands: [Sample.self, Score.self, Tokenize.self, Convert.self]),
      CommandGroup(name: "Models", subcommands: [Pull.self, Models.self]),
      CommandGroup(name: "Reward", subcommands: [Embed.self, RewardCommand.self]),
      CommandGroup(name: "Speed", subcommands: [Bench.self]),
    ])

  /// Runs the command; its exit status is 0 done, 1 failed, 2 wrong usage, 130 interrupted.
  static func main() {
    reportLostMappings()
    // A limit on the size of files is an error of the write, not the end of the program.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot(CommandArguments.read())
      try command.run()
    } catch let error as WrongUsage {
      fail("\(error)", status: 2)
    } catch let error as AlignmentError {
      fail("\(error)", status: error.isUsageError ? 2 : 1)
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      let code = exitCode(for: error)
      if code == .success || code == .validationFailure {
        // Help and version go to standard output, usage errors to standard error.
        let text = fullMessage(for: error)
        guard code == .success else {
          Terminal.note(text)
          Foundation.exit(2)
        }
        do { try Output.line(text) } catch { fail("\(error)", status: 1) }
        Foundation.exit(0)
      }
      fail("\(error)", status: 1)
    }
  }

  private static func fail(_ message: String, status: Int32) -> Never {
    Terminal.endProgress()
    Terminal.note("tinyalign: \(TerminalText.visible(message, inOneLine: true))")
    Foundation.exit(status)
  }
}
