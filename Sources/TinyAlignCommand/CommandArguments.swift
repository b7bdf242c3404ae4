import Alignment
import ArgumentParser
import Foundation

/// The program's arguments, written so that the parser can only read them as they were meant.
///
/// The parser takes whatever begins with a dash for an option, and a group of letters that holds an h for `-h`. So a value that
/// begins with a dash is joined to its option here, and what is no option of the command is refused before it can be taken for one.
enum CommandArguments {
  /// The arguments of this process.
  ///
  /// - Throws: ``WrongUsage`` for an argument that is not UTF-8, an unknown command or option, or an option without its value.
  static func read() throws -> [String] {
    try prepared(
      (1..<max(1, Int(CommandLine.argc))).map { index in
        guard let bytes = CommandLine.unsafeArgv[index] else { return "" }
        guard let text = String(validatingCString: bytes) else {
          throw WrongUsage(
            "argument \(index), '\(String(cString: bytes))', is not UTF-8; convert the text, or rename the file")
        }
        return text
      })
  }

  /// The arguments, each option with a value that begins with a dash written as `--option=value`.
  static func prepared(_ arguments: [String]) throws -> [String] {
    guard let first = arguments.first, !first.hasPrefix("---") else { return arguments }
    let commands = TinyAlignCommand.configuration.subcommands
    let names = commands.map { $0._commandName } + ["help"]
    guard !first.hasPrefix("-") else {
      guard isBuiltIn(first) || first.hasPrefix("--generate-completion-script") else {
        throw WrongUsage(unknown: "option", first, closest: closestName(to: first, among: ["--help", "--version"]))
      }
      return arguments
    }
    for name in first == "help" ? arguments.prefix(2) : [first] where !names.contains(name) && !isBuiltIn(name) {
      throw WrongUsage(unknown: "command", name, closest: closestName(to: name, among: names))
    }
    guard let command = commands.first(where: { $0._commandName == first }) else { return arguments }
    return try [first] + CommandOptions(command).joinValues(Array(arguments.dropFirst()))
  }

  /// Whether the parser itself answers to an option.
  static func isBuiltIn(_ argument: String) -> Bool {
    ["-h", "--help", "--help-hidden", "--version", "--experimental-dump-help"].contains(argument)
  }
}

/// The options of a command, as the parser describes them.
private struct CommandOptions {
  private struct Description: Decodable {
    struct Command: Decodable {
      var arguments: [Argument]?
    }
    struct Argument: Decodable {
      var kind: String
      var names: [Name]?
    }
    struct Name: Decodable {
      var kind: String
      var name: String
      var text: String { (kind == "long" ? "--" : "-") + name }
    }
    var command: Command
  }

  private let command: String
  /// The name that goes before `=value`, for each name of an option that takes one.
  private var valued: [String: String] = [:]
  private var flags: Set<String> = []
  private var takesTexts = false

  init(_ command: any ParsableCommand.Type) throws {
    self.command = command._commandName
    let description = try JSONDecoder().decode(Description.self, from: Data(command._dumpHelp().utf8))
    for argument in description.command.arguments ?? [] {
      let names = (argument.names ?? []).map(\.text)
      switch argument.kind {
      case "option":
        let long = names.first { $0.hasPrefix("--") } ?? names[0]
        for name in names { valued[name] = long }
      case "flag": flags.formUnion(names)
      default: takesTexts = true
      }
    }
  }

  private func isKnown(_ name: String) -> Bool {
    valued[name] != nil || flags.contains(name) || CommandArguments.isBuiltIn(name)
  }

  /// Joins each value that begins with a dash to its option.
  func joinValues(_ arguments: [String]) throws -> [String] {
    var joined: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument != "--" else { return joined + [argument] + rest }
      let name = argument.prefix { $0 != "=" }
      guard argument.hasPrefix("-"), argument != "-", name.count == argument.count || !isKnown(String(name)) else {
        joined.append(argument)
        continue
      }
      guard isKnown(argument) else { throw unknown(argument) }
      guard let long = valued[argument] else {
        joined.append(argument)
        continue
      }
      guard let value = rest.popFirst() else {
        throw WrongUsage("missing value for '\(argument)'; see tinyalign \(command) --help")
      }
      guard !isKnown(value), value != "--" else {
        throw WrongUsage(
          "missing value for '\(argument)'; if '\(value)' is the value, write \(long)=\(shellWord(value))")
      }
      joined += value.hasPrefix("-") ? ["\(long)=\(value)"] : [argument, value]
    }
    return joined
  }

  private func unknown(_ argument: String) -> WrongUsage {
    let name = String(argument.prefix { $0 != "=" })
    let names = (Array(valued.keys) + flags).filter { $0.hasPrefix("--") }.sorted()
    let closest = names.first { name.count > 3 && $0.hasPrefix(name) } ?? closestName(to: name, among: names)
    let isMistyped = name.hasPrefix("--") && closest != nil
    guard takesTexts, !isMistyped else {
      return WrongUsage(unknown: "option", name, closest: closest, command: command)
    }
    return WrongUsage(
      "unknown option '\(argument)'; a text that begins with a dash goes after two dashes: "
        + "tinyalign \(command) -- \(shellWord(argument))")
  }
}

/// Arguments that mean nothing to the program; it describes itself in one line.
struct WrongUsage: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// An unknown command, or an unknown option of a command.
  init(unknown kind: String, _ name: String, closest: String?, command: String? = nil) {
    let help = "tinyalign \(command.map { $0 + " " } ?? "")--help"
    self.init("unknown \(kind) '\(name)'; " + (closest.map { "did you mean '\($0)'?" } ?? "see \(help)"))
  }
}
