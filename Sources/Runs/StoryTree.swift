package import JSON

/// What a model may say after a prompt: the most probable beginnings as a tree: a line of `story_trees.jsonl`.
///
/// The nodes are those that the trained model or its reference find most probable, each with the probabilities that both
/// give it; what is missing from a node's children is the rest that is not told apart.
public struct StoryTree: Codable, Sendable, Equatable {
  /// A token after the prompt or after another node.
  public struct Node: Codable, Sendable, Equatable {
    /// The node that it follows, which stands before it in the list; -1 for the prompt.
    public var parent: Int
    /// The token.
    public var tokenID: Int
    /// What the token adds to the text.
    public var text: String
    /// Its probability after its parent under the trained model, 0 to 1.
    public var probability: Float
    /// Its probability after its parent under the reference, 0 to 1.
    public var referenceProbability: Float
    /// Whether it ends the story.
    public var isEnd: Bool

    /// A token in the tree.
    public init(
      parent: Int, tokenID: Int, text: String, probability: Float, referenceProbability: Float, isEnd: Bool
    ) {
      self.parent = parent
      self.tokenID = tokenID
      self.text = text
      self.probability = probability
      self.referenceProbability = referenceProbability
      self.isEnd = isEnd
    }

    private enum CodingKeys: String, CodingKey {
      case parent
      case tokenID = "token_id"
      case text
      case probability
      case referenceProbability = "reference_probability"
      case isEnd = "is_end"
    }
  }

  /// How many updates the model had had; 0 is before training.
  public var step: Int
  /// The text that the stories continue.
  public var prompt: String
  /// The nodes, parents before children, siblings by falling probability.
  public var nodes: [Node]

  /// A tree.
  public init(step: Int, prompt: String, nodes: [Node]) {
    self.step = step
    self.prompt = prompt
    self.nodes = nodes
  }
}

extension StoryTree {
  /// Appends the tree as one object.
  package func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("step", first: true)
    writer.integer(step)
    writer.key("prompt")
    writer.string(prompt)
    writer.key("nodes")
    writer.list(nodes) { node, writer in
      writer.raw("{")
      writer.key("parent", first: true)
      writer.integer(node.parent)
      writer.key("token_id")
      writer.integer(node.tokenID)
      writer.key("text")
      writer.string(node.text)
      writer.key("probability")
      writer.number(node.probability, field: "probability")
      writer.key("reference_probability")
      writer.number(node.referenceProbability, field: "reference_probability")
      writer.raw(node.isEnd ? ",\"is_end\":true}" : ",\"is_end\":false}")
    }
    writer.raw("}")
  }

  /// Reads one object; every key must be there, and every parent before its children.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    guard let step = value["step"]?.integerValue, let prompt = value["prompt"]?.stringValue,
      case .array(let list)? = value["nodes"]
    else { throw scanner.problem("a key of the story tree is missing") }
    var nodes: [Node] = []
    for entry in list {
      guard let parent = entry["parent"]?.integerValue, let tokenID = entry["token_id"]?.integerValue,
        let text = entry["text"]?.stringValue, let probability = entry["probability"]?.doubleValue,
        let referenceProbability = entry["reference_probability"]?.doubleValue,
        case .bool(let isEnd)? = entry["is_end"]
      else { throw scanner.problem("a key of node \(nodes.count) is missing") }
      guard parent >= -1, parent < nodes.count else {
        throw scanner.problem("node \(nodes.count) follows node \(parent), which is not before it")
      }
      nodes.append(
        Node(
          parent: parent, tokenID: tokenID, text: text, probability: Float(probability),
          referenceProbability: Float(referenceProbability), isEnd: isEnd))
    }
    self.init(step: step, prompt: prompt, nodes: nodes)
  }
}
