import Checkpoints

/// Checks the values of a `config.json`.
struct ConfigurationCheck {
  /// The file's path, for messages.
  let file: String

  func holds(_ condition: Bool, _ reason: @autoclosure () -> String) throws {
    guard condition else { throw CheckpointError.malformed(file: file, offset: nil, reason: reason()) }
  }

  func size(_ value: Int, _ key: String, _ limit: Int) throws {
    try holds(value >= 1 && value <= limit, "\(key) is \(value), not between 1 and \(limit)")
  }

  func epsilon(_ value: Float, _ key: String) throws { try holds(value > 0 && value < 1, "\(key) is \(value)") }

  func initializerRange(_ value: Float) throws {
    try holds(value >= 0 && value.isFinite, "initializer_range is \(value)")
  }
}

/// A token id of `config.json` or `generation_config.json`, or a list of them: some models have more than one token that ends a text.
package struct TokenIDs: Codable {
  package var ids: [Int]

  init(_ ids: [Int]) { self.ids = ids }

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      ids = []
    } else if let id = try? value.decode(Int.self) {
      ids = [id]
    } else {
      ids = try value.decode([Int].self)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if ids.isEmpty {
      try value.encodeNil()
    } else if ids.count == 1 {
      try value.encode(ids[0])
    } else {
      try value.encode(ids)
    }
  }
}

/// Names of activations in transformers.
enum ActivationNames {
  /// GELU by its approximation with tanh, written in several ways.
  static let gelu = ["gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate", "gelu_python_tanh"]
  /// x times its sigmoid.
  static let silu = ["silu", "swish"]

  /// Refuses an activation that is none of `names`.
  ///
  /// - Throws: `UnsupportedValue`.
  static func require(_ activation: String, in names: [String], key: some CodingKey) throws {
    guard !names.contains(activation) else { return }
    throw UnsupportedValue(
      "\(key.stringValue): activation '\(activation)' is not supported",
      hint: "use a model of this architecture with '\(names[0])'")
  }
}
