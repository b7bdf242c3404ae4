public import Foundation
public import JSON

/// What a run was asked to do, with what, and how far it came: `run.json`.
public struct RunManifest: Codable, Sendable, Equatable {
  /// The newest layout of the run folder that this program knows.
  public static let currentSchemaVersion = 1

  /// Which weights a run used.
  public struct Model: Sendable, Equatable {
    /// The name or path it was asked for by.
    public var name: String
    /// The SHA-256 of the weights, in lower-case hexadecimal.
    public var sha256: String

    /// A model by name and checksum.
    public init(name: String, sha256: String) {
      self.name = name
      self.sha256 = sha256
    }
  }

  /// Where a run stands.
  public enum Status: String, Codable, Sendable {
    /// Under way, or killed without a chance to say so.
    case running
    /// All steps done.
    case finished
    /// Stopped by the user; it can be resumed.
    case interrupted
    /// Stopped by an error, which ``RunManifest/message`` tells.
    case failed
  }

  /// The layout of the run folder.
  public var schemaVersion: Int
  /// The version of the program that wrote the run.
  public var programVersion: String
  /// When the run was created, to the second.
  public var created: Date
  /// Where it stands.
  public var status: Status
  /// Steps done.
  public var completedSteps: Int
  /// Why it failed, where it did.
  public var message: String?
  /// The seed of all its random numbers.
  public var seed: UInt64
  /// The model that training started from.
  public var model: Model
  /// The frozen model that KL is measured to; nil where it is ``model``.
  public var reference: Model?
  /// The model that rewards come from.
  public var rewardModel: Model?
  /// The file that prompts come from, where there is one, and its SHA-256.
  public var promptFile: Model?
  /// Operating system, processor and BLAS, in words.
  public var platform: String
  /// Threads used.
  public var threadCount: Int
  /// Every setting of the recipe, defaults and flags resolved.
  public var recipe: JSONValue
  /// The rules that training follows where they are no setting and differ from version to version: a run keeps those that it
  /// began with, so that it can be resumed and verified.
  public var trainingRules = Self.currentTrainingRules
  /// The plans that the run followed before its number of steps was changed, in the order of the steps.
  public var earlierPlans: [EarlierPlan] = []
  /// The numbers of the last model; nil of a run that is not finished, and of version 0.1.0.
  public var finalModel: FinalModel?

  /// The manifest of a run that starts now.
  public init(
    programVersion: String, created: Date = Date(), recipe: JSONValue, seed: UInt64, model: Model,
    reference: Model? = nil, rewardModel: Model? = nil, promptFile: Model? = nil, platform: String, threadCount: Int,
    status: Status = .running,
    completedSteps: Int = 0, message: String? = nil
  ) {
    schemaVersion = Self.currentSchemaVersion
    self.programVersion = programVersion
    self.created = Date(timeIntervalSince1970: created.timeIntervalSince1970.rounded(.down))
    self.recipe = recipe
    self.seed = seed
    self.model = model
    self.reference = reference
    self.rewardModel = rewardModel
    self.promptFile = promptFile
    self.platform = platform
    self.threadCount = threadCount
    self.status = status
    self.completedSteps = completedSteps
    self.message = message
  }

  /// The manifest as `run.json` holds it.
  public var json: JSONValue {
    .object([
      .init("schema_version", .integer(schemaVersion)),
      .init("program_version", .string(programVersion)),
      .init("created", .string(created.formatted(.iso8601))),
      .init("status", .string(status.rawValue)),
      .init("completed_steps", .integer(completedSteps)),
      .init("message", message.map { .string($0) } ?? .null),
      // Readers of signed 64-bit numbers cannot hold such a seed: it goes in quotes.
      .init("seed", Int(exactly: seed).map { .integer($0) } ?? .string(String(seed))),
      .init("model", model.json),
      .init("reference_model", reference?.json ?? .null),
      .init("reward_model", rewardModel?.json ?? .null),
      .init("prompt_file", promptFile?.json ?? .null),
      .init("platform", .string(platform)),
      .init("thread_count", .integer(threadCount)),
      .init("training_rules", .integer(trainingRules)),
      .init("earlier_plans", .array(earlierPlans.map(\.json))),
      .init("final_model", finalModel?.json ?? .null),
      .init("recipe", recipe),
    ])
  }

  /// Reads what ``json`` wrote; `name` is what an error calls it.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` for a key that is missing or of the wrong kind,
  ///   ``RunError/newerSchema(path:version:supported:)`` for a newer layout.
  public init(json: JSONValue, name: String = "run.json") throws {
    func damaged(_ key: String) -> RunError { .damaged(path: name, line: 1, reason: "\"\(key)\" is missing or wrong") }
    func string(_ key: String) throws -> String {
      guard let text = json[key]?.stringValue else { throw damaged(key) }
      return text
    }
    func integer(_ key: String) throws -> Int {
      guard let number = json[key]?.integerValue else { throw damaged(key) }
      return number
    }
    func model(_ key: String) throws -> Model? {
      guard let value = json[key], value != .null else { return nil }
      guard let name = value["name"]?.stringValue, let sum = value["sha256"]?.stringValue else { throw damaged(key) }
      return Model(name: name, sha256: sum)
    }
    let version = try integer("schema_version")
    guard version <= Self.currentSchemaVersion else {
      throw RunError.newerSchema(path: name, version: version, supported: Self.currentSchemaVersion)
    }
    guard let created = try? Date(string("created"), strategy: .iso8601) else { throw damaged("created") }
    guard let status = Status(rawValue: try string("status")) else { throw damaged("status") }
    let seed = json["seed"].flatMap { $0.unsignedValue ?? $0.stringValue.flatMap { UInt64($0) } }
    guard let seed else { throw damaged("seed") }
    guard let policy = try model("model") else { throw damaged("model") }
    guard var recipe = json["recipe"] else { throw damaged("recipe") }
    if case .object(var members) = recipe, let index = members.firstIndex(where: { $0.key == "seed" }) {
      // Version 0.1.0 rounded a seed above `Int.max` here, though not beside it.
      members[index] = .init("seed", JSONValue(seed))
      recipe = .object(members)
    }
    self.init(
      programVersion: try string("program_version"), created: created, recipe: recipe, seed: seed, model: policy,
      reference: try model("reference_model"), rewardModel: try model("reward_model"),
      promptFile: try model("prompt_file"),
      platform: try string("platform"), threadCount: try integer("thread_count"), status: status,
      completedSteps: try integer("completed_steps"), message: json["message"]?.stringValue)
    schemaVersion = version
    trainingRules = json["training_rules"] == nil ? 1 : try integer("training_rules")
    guard trainingRules <= Self.currentTrainingRules else {
      throw RunError.newerRules(path: name, version: trainingRules, supported: Self.currentTrainingRules)
    }
    guard trainingRules >= 1 else { throw damaged("training_rules") }
    if let plans = json["earlier_plans"] {
      guard case .array(let values) = plans else { throw damaged("earlier_plans") }
      earlierPlans = values.compactMap(EarlierPlan.init)
      guard earlierPlans.count == values.count else { throw damaged("earlier_plans") }
    }
    if let value = json["final_model"], value != .null {
      guard let final = FinalModel(json: value) else { throw damaged("final_model") }
      finalModel = final
    }
  }

  /// Decodes the same object as ``json``.
  public init(from decoder: any Decoder) throws { try self.init(json: JSONValue(from: decoder)) }

  /// Encodes the same object as ``json``.
  public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }
}

extension RunManifest.Model {
  fileprivate var json: JSONValue { ["name": .string(name), "sha256": .string(sha256)] }
}
