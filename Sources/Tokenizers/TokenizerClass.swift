/// Kinds of tokenizer classes of transformers that take settings of tokenizer_config.json where tokenizer.json says otherwise.
///
/// Any other class, `PreTrainedTokenizerFast` among them, takes tokenizer.json as it is, but for `add_bos_token` and `add_eos_token`.
enum TokenizerClass: Sendable {
  /// WordPiece with BERT's clean-up: `do_lower_case`, `strip_accents`, `tokenize_chinese_chars`, `cls_token` and `sep_token`.
  case bert
  /// Byte-level BPE: `add_prefix_space`.
  case gpt2
  /// Byte-level BPE after the composition of letters and accents: `add_prefix_space`.
  case qwen2
  /// SentencePiece: `add_prefix_space`.
  case llama

  /// The kind of a class by its name, of which `Fast` at the end says nothing.
  init?(name: String) {
    switch name.hasSuffix("Fast") ? String(name.dropLast(4)) : name {
    case "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer",
      "SqueezeBertTokenizer", "LayoutLMTokenizer":
      self = .bert
    case "GPT2Tokenizer", "CodeGenTokenizer", "GPTNeoXTokenizer", "RobertaTokenizer": self = .gpt2
    case "Qwen2Tokenizer": self = .qwen2
    case "LlamaTokenizer": self = .llama
    default: return nil
    }
  }

  /// The class that transformers takes for a model where no file names one.
  init?(modelType: String) {
    switch modelType {
    case "bert": self = .bert
    case "gpt2", "gpt_neo": self = .gpt2
    case "qwen2": self = .qwen2
    default: return nil
    }
  }

  /// The special tokens of a folder that does not name its own, by their keys.
  var specialTokens: [(key: String, content: String)] {
    switch self {
    case .bert:
      [
        ("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
      ]
    case .gpt2: ["bos_token", "eos_token", "unk_token"].map { ($0, "<|endoftext|>") }
    case .qwen2: ["eos_token", "unk_token", "pad_token"].map { ($0, "<|endoftext|>") }
    case .llama: [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]
    }
  }
}
