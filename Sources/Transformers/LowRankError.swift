public import Foundation
import Kernels

/// Why a model cannot be adapted as asked.
public enum LowRankError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// The rank is not between 1 and the largest that makes sense.
  case rank(Int, maximum: Int)
  /// Alpha is not a positive number.
  case alpha(Float)
  /// A target is the name of no matrix; those that there are.
  case target(String, available: [String])

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .rank(let rank, let maximum): "a rank of \(rank) makes no adapter of this model; give 1 to \(maximum)"
    case .alpha(let alpha): "an alpha of \(alpha) makes no adapter; give a finite number above 0"
    case .target(let name, let available):
      "the model has no matrix called '\(name)'; it has \(available.joined(separator: ", "))"
    }
  }

  /// As ``description``.
  public var errorDescription: String? { description }
}

extension DecoderNetwork {
  /// Last parts of the names of all matrices that can be adapted, in the order of a layer.
  var adaptableNames: [String] {
    guard let layer = places.layers.first else { return [] }
    return [layer.queryKeyValue, layer.output, layer.inner, layer.projection]
      .flatMap(\.parts).map { lastPart(of: $0.name) }
  }

  /// A new adapter, which changes nothing yet.
  ///
  /// - Throws: ``LowRankError``.
  func makeAdapter(_ settings: LowRankSettings, seed: UInt64, maximumRank: Int) throws -> LowRankAdapter {
    guard settings.rank >= 1, settings.rank <= maximumRank else {
      throw LowRankError.rank(settings.rank, maximum: maximumRank)
    }
    guard settings.alpha > 0, settings.alpha.isFinite else { throw LowRankError.alpha(settings.alpha) }
    var settings = settings
    let targets = settings.targets ?? uniqued(adaptableNames)
    for target in targets where !adaptableNames.contains(target) {
      throw LowRankError.target(target, available: uniqued(adaptableNames))
    }
    settings.targets = targets
    let parts = places.linears.flatMap { linear in
      linear.parts.filter { targets.contains(lastPart(of: $0.name)) }.map { (part: $0, inputSize: linear.inputSize) }
    }
    return LowRankAdapter(settings: settings, parts: parts, seed: seed)
  }

  /// The network with its adapter added to the parameters, or itself where there is none.
  func merged() -> DecoderNetwork {
    guard let adapter else { return self }
    let merged = DecoderNetwork(shape: shape, layout: layout, places: places.adding(nil))
    merged.parameters.copy(from: parameters)
    for linear in places.linears {
      for update in linear.updates { adapter.merge(update, into: linear, merged.parameters.pointer) }
    }
    return merged
  }
}

func lastPart(of name: String) -> String {
  name.split(separator: ".").last.map(String.init) ?? name
}

private func uniqued(_ names: [String]) -> [String] {
  var seen: Set<String> = []
  return names.filter { seen.insert($0).inserted }
}
