/// The regular expressions by which byte-level tokenizers cut text into pieces, recognised by their exact spelling.
package enum SplitPattern: Sendable, CaseIterable {
  /// GPT-2's.
  case gpt2
  /// Llama 3's, which is OpenAI's cl100k.
  case llama3
  /// Qwen 2's: Llama 3's with each digit by itself.
  case qwen2

  /// The pattern as tokenizer.json spells it.
  var expression: String {
    switch self {
    case .gpt2: #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    case .llama3: Self.modern(digits: #"\p{N}{1,3}"#)
    case .qwen2: Self.modern(digits: #"\p{N}"#)
    }
  }

  private static func modern(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The pattern of a spelling, `nil` for one that is not known.
  init?(expression: String) {
    let bytes = Array(expression.utf8)
    guard let pattern = Self.allCases.first(where: { $0.expression.utf8.elementsEqual(bytes) }) else { return nil }
    self = pattern
  }

  /// The pre-tokenizer that cuts by this pattern, in tokenizer.json's words.
  var preTokenizerJSON: String {
    """
    {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": \(jsonQuoted(expression))}, \
    "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, \
    "trim_offsets": true, "use_regex": false}]}
    """
  }
}
