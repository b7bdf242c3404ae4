import Foundation
import TestSupport
import Testing

/// What `--experimental-dump-help` tells of a command.
struct CommandDescription: Decodable {
  struct Argument: Decodable {
    struct Name: Decodable {
      var kind: String
      var name: String
    }
    var kind: String
    var names: [Name]?
    var allValues: [String]?
    var abstract: String?
    var defaultValue: String?
    var isOptional: Bool
    /// The name that help shows.
    var name: String? { names?.last.map { ($0.kind == "long" ? "--" : "-") + $0.name } }
  }
  private struct Tool: Decodable {
    var command: CommandDescription
  }
  var commandName: String
  var arguments: [Argument]?
  var subcommands: [CommandDescription]?

  /// The commands of the built program.
  static func all(in folder: URL) throws -> [CommandDescription] {
    let text = output(of: try tinyalign("--experimental-dump-help", in: folder))
    let commands = try JSONDecoder().decode(Tool.self, from: Data(text.utf8)).command.subcommands ?? []
    return commands.filter { $0.commandName != "help" }
  }
}

extension CommandTests {
  @Suite struct ArgumentTests {
    @Test func `every option of every command takes a value that begins with a dash`() throws {
      try withTemporaryFolder { folder in
        let commands = try CommandDescription.all(in: folder)
        #expect(commands.count >= 13)
        for command in commands {
          // These say themselves that -1 is none of their values.
          let checked = (command.arguments ?? []).filter { argument in
            argument.kind == "option" && argument.allValues == nil
              && !["--seed", "--memory"].contains(argument.name)
          }
          let options = checked.compactMap(\.name).flatMap { [$0, "-1"] }
          let result = try tinyalign([command.commandName] + options + ["--threads", "0"], in: folder)
          #expect(result.status == 2, "\(command.commandName): \(result.errors)")
          for word in ["issing value", "nknown", "nexpected"] {
            #expect(!result.errors.contains(word), "\(command.commandName): \(result.errors)")
          }
        }
        #expect(try names(in: folder).isEmpty)
      }
    }

    @Test func `values that begin with a dash are taken as they are`() throws {
      try withTemporaryFolder { folder in
        let story = output(
          of: try tinyalign("sample", "--prompt", "- hello", "--max-new-tokens", "1", "--json", in: folder))
        #expect(try jsonLines(StoryLine.self, keys: StoryLine.keys, of: story).map(\.prompt) == ["- hello"])
        let rewards = output(of: try tinyalign("reward", "--toward", "-5", "--json", "--", "-5", "--json", in: folder))
        let lines = try jsonLines(RewardLine.self, keys: RewardLine.keys, of: rewards)
        #expect(lines.map(\.text) == ["-5", "--json"])
        #expect(abs(lines[0].reward - 1) < 1e-5)
      }
    }

    private static let refused: [(arguments: [String], message: String)] = [
      (["align", "--kl-coefficient", "-1", "--out", "run"], "--kl-coefficient is -1"),
      (["sample", "-n", "-2"], "-n is -2"),
      (["tokenize", "--decode", "-1"], "'-1'"),
      (["align", "--bogus", "-1*path"], "unknown option '--bogus'"),
      (["align", "-1*path"], "unknown option '-1*path'"),
      (["-1h"], "unknown option '-1h'"),
      (["score", "-hello"], "tinyalign score -- -hello"),
      (["embed", "- it's"], #"tinyalign embed -- '- it'\''s'"#),
      (["sample", "--prompt", "--json"], "write --prompt=--json"),
      (["align", "--out"], "missing value for '--out'"),
      (["align", "--smaples", "4"], "did you mean '--samples'?"),
      (["sample", "--max-new", "4"], "did you mean '--max-new-tokens'?"),
      (["score", "--modle=tinystories", "a"], "did you mean '--model'?"),
      (["aling"], "did you mean 'align'?"),
      (["help", "smaple"], "did you mean 'sample'?"),
      (["--versoin"], "did you mean '--version'?"),
    ]

    @Test(arguments: refused)
    func `what is no option is refused, with what may have been meant`(
      arguments: [String], message: String
    ) throws {
      try withTemporaryFolder { folder in
        expectRefusal(try tinyalign(arguments, in: folder), status: 2, saying: message)
        #expect(try names(in: folder).isEmpty)
      }
    }

    #if os(Linux)
      @Test func `an argument that is not UTF-8 is refused`() throws {
        try withTemporaryFolder { folder in
          let program = try CommandRunner(product: "tinyalign").executable.path
          let result = try CommandRunner(executable: URL(filePath: "/bin/sh"))
            .run(["-c", #""$0" tokenize "$(printf 'caf\351')""#, program], in: folder)
          expectRefusal(result, status: 2, saying: "argument 2, 'caf\u{FFFD}', is not UTF-8")
        }
      }
    #endif
  }
}
