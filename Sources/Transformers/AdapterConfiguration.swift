import Checkpoints

/// `adapter_config.json` as PEFT reads it: what is written with an adapter.
struct WrittenAdapterConfiguration: Encodable {
  var kind = "LORA"
  var task = "CAUSAL_LM"
  var baseModel: String
  var rank: Int
  var alpha: Float
  var targets: [String]
  var isTransposed: Bool
  var bias = "none"
  var dropout = 0
  var isForInference = true

  enum CodingKeys: String, CodingKey {
    case kind = "peft_type"
    case task = "task_type"
    case baseModel = "base_model_name_or_path"
    case rank = "r"
    case alpha = "lora_alpha"
    case targets = "target_modules"
    case isTransposed = "fan_in_fan_out"
    case bias
    case dropout = "lora_dropout"
    case isForInference = "inference_mode"
  }
}

/// The part of `adapter_config.json` that every kind of adapter has.
struct AdapterKind: Decodable {
  var kind: String?
  var baseModel: String?

  enum CodingKeys: String, CodingKey {
    case kind = "peft_type"
    case baseModel = "base_model_name_or_path"
  }
}

/// The settings of a low-rank adapter that change what it computes. Which matrices it has, its file says.
struct AdapterSettings: Decodable {
  var rank: Int
  var alpha: Float
  /// What makes it more than W + alpha / rank * B A, if anything does: a phrase for a message.
  var obstacle: String?

  /// Settings by which PEFT computes something else, or more, where they are other than null, false or empty.
  private static let obstacles: KeyValuePairs = [
    "use_dora": "it uses DoRA",
    "modules_to_save": "it holds whole modules beside the adapter",
    "rank_pattern": "its matrices have different ranks",
    "alpha_pattern": "its matrices have different alphas",
    "lora_bias": "it trains biases",
    "trainable_token_indices": "it trains rows of the embedding",
    "target_parameters": "it adapts parameters that are no modules",
    "layer_replication": "it repeats layers of the model",
    "alora_invocation_tokens": "it is active behind certain tokens only (aLoRA)",
    "use_qalora": "it uses QA-LoRA",
    "use_bdlora": "it uses block-diagonal matrices",
    "arrow_config": "it is a mixture of adapters (Arrow)",
    "kasa_config": "it uses KaSA",
    "monteclora_config": "it uses MonteCLoRA",
  ]

  /// Ways to begin that leave the model's own weights as they are.
  private static let neutralStarts: Set = ["gaussian", "eva", "orthogonal", "mica", "true", "false"]

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    rank = try values.decode(Int.self, forKey: Key("r"))
    alpha = try values.decode(Float.self, forKey: Key("lora_alpha"))
    if try values.decodeIfPresent(Bool.self, forKey: Key("use_rslora")) == true { alpha *= Float(rank).squareRoot() }
    if let bias = try values.decodeIfPresent(String.self, forKey: Key("bias")), bias != "none" {
      obstacle = "it trains biases"
    }
    for (key, phrase) in Self.obstacles where try values.decodeIfPresent(Setting.self, forKey: Key(key))?.isOn == true {
      obstacle = phrase
    }
    let start = Key("init_lora_weights")
    if let name = try? values.decodeIfPresent(String.self, forKey: start),
      !Self.neutralStarts.contains(name.lowercased())
    {
      obstacle =
        "it began with init_lora_weights \(name), which changed the model's own weights: it belongs to those, not to "
        + "the model that it names"
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ key: String) { stringValue = key }
    init(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  /// A setting of any type.
  private struct Setting: Decodable {
    /// Whether it is other than false, zero or empty.
    let isOn: Bool

    init(from decoder: any Decoder) throws {
      if let list = try? decoder.unkeyedContainer() {
        isOn = list.count != 0
      } else if let object = try? decoder.container(keyedBy: Key.self) {
        isOn = !object.allKeys.isEmpty
      } else if let flag = try? decoder.singleValueContainer().decode(Bool.self) {
        isOn = flag
      } else {
        isOn = true
      }
    }
  }
}
