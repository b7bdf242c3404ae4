public import Alignment
public import ArgumentParser
import Foundation
import JSON
import Kernels
public import PolicyGradients
import Runs
public import Transformers

extension Algorithm: ExpressibleByArgument {}
extension KLDirection: ExpressibleByArgument {}
extension KLReduction: ExpressibleByArgument {}
extension Recipe.OptimizerName: ExpressibleByArgument {}
extension Recipe.AdapterSaving: ExpressibleByArgument {}
extension Recipe.NonFiniteHandling: ExpressibleByArgument {}
extension LongPromptHandling: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}

extension MemorySize: ExpressibleByArgument {
  /// Reads an amount of memory, like 2.5GB.
  public init?(argument: String) { self.init(argument) }
}

/// Options that every command has.
struct CommonOptions: ParsableArguments {
  @Flag(help: "Print one JSON object a line on standard output, and nothing else there.")
  var json = false

  @Option(help: .init("Threads to use. (default: one for each core)", valueName: "n"))
  var threads: Int?

  func validate() throws {
    guard let threads else { return }
    guard (1...1_024).contains(threads) else {
      throw ValidationError("--threads is \(threads); it must lie between 1 and 1024")
    }
    Threads.count = threads
  }
}

/// How stories begin.
struct PromptOptions: ParsableArguments {
  @Option(
    help: .init(
      "How stories begin; may be given several times. (default: the recipe's; for sample, Once upon a time)",
      valueName: "text"))
  var prompt: [String] = []
  @Option(
    help: .init(
      "File of prompts: .txt (one a line, or documents separated by lines that read <|endoftext|>), .jsonl, .json, .csv or .tsv; - is standard input. (default: none)",
      valueName: "file"))
  var prompts: String?
  @Option(
    help: .init("Key or column of the prompts in --prompts. (default: prompt, or messages)", valueName: "name"))
  var promptColumn: String?
  @Flag(
    inversion: .prefixedNo,
    help: "Put prompts to the model as a user's message, by its chat template. (default: --no-chat)")
  var chat: Bool?
  @Option(
    help: .init(
      "System message before each user's message; needs --chat or conversations. (default: the template's)",
      valueName: "text"))
  var system: String?

  func validate() throws {
    guard prompts != "" else { throw ValidationError("--prompts is empty; give a file") }
    guard prompt.isEmpty || prompts == nil else { throw ValidationError("give --prompt or --prompts, not both") }
  }
}

/// Texts from the command line, or documents from a file.
struct TextOptions: ParsableArguments {
  @Argument(help: "Texts. (default: those of --file, or of a pipe)")
  var text: [String] = []

  @Option(
    help: .init(
      "Text file with documents separated by lines that read <|endoftext|>; - is standard input. (default: none)",
      valueName: "file"))
  var file: String?

  func validate() throws {
    guard text.isEmpty || file == nil else { throw ValidationError("give texts or --file, not both") }
    guard !text.isEmpty || file != nil || hasPipedInput else {
      throw ValidationError("give texts, or --file with documents (- is standard input)")
    }
  }

  /// The texts.
  func read() throws -> [String] {
    text.isEmpty ? try Self.documents(of: file ?? "-") : text
  }

  /// The documents of a file, at least one; `-` is standard input.
  static func documents(of file: String) throws -> [String] {
    let documents = try readDocuments(inputFile(file))
    guard !documents.isEmpty else {
      throw AlignmentError.text(reason: "\(file == "-" ? "standard input" : file) holds no documents")
    }
    return documents
  }
}

/// Prints one JSON object, its members in the order given.
func printJSON(_ members: [JSONValue.Member]) throws {
  try Output.json(try JSONValue.object(members).encoded() + [UInt8(ascii: "\n")])
}

extension JSONValue {
  /// A single-precision number with no more digits than it has.
  static func float(_ value: Float) -> JSONValue { .number(Double(value.description) ?? Double(value)) }

  /// A list of token ids.
  static func tokens(_ ids: [Int]) -> JSONValue { .array(ids.map { .integer($0) }) }
}

/// A word as a shell must be given it.
func shellWord(_ text: String) -> String {
  let isPlain =
    !text.isEmpty
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "+"):
        true
      default: false
      }
    }
  return isPlain
    ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
