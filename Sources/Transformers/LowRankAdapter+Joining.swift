import Kernels

extension LowRankAdapter {
  /// One adapter that does what an earlier one and then this one do to the same model: its rank is the sum of theirs, and the
  /// scales are part of B.
  public func joined(after earlier: LowRankAdapter) -> LowRankAdapter {
    let rank = earlier.settings.rank + settings.rank
    var shapes: [String: (inputSize: Int, outputCount: Int)] = [:]
    var names: [String] = []
    for adapter in [earlier, self] {
      for (name, update) in adapter.updates.sorted(by: { $0.value.down < $1.value.down }) where shapes[name] == nil {
        names.append(name)
        shapes[name] = (adapter.inputSize(of: update), update.outputCount)
      }
    }
    var targets = earlier.settings.targets ?? []
    targets += (settings.targets ?? []).filter { !targets.contains($0) }
    let parts = names.compactMap { name in
      shapes[name].map {
        (part: DecoderPlaces.Linear.Part(name: name, firstOutput: 0, outputCount: $0.outputCount), $0.inputSize)
      }
    }
    let joined = LowRankAdapter(
      settings: LowRankSettings(rank: rank, alpha: Float(rank), targets: targets),
      parts: parts.map { (part: $0.part, inputSize: $0.1) }, seed: 0)
    joined.parameters.elements.update(repeating: 0)
    for (adapter, firstRow) in [(earlier, 0), (self, earlier.settings.rank)] {
      let own = adapter.settings.rank
      for (name, update) in adapter.updates {
        guard let place = joined.updates[name] else { continue }
        let inputSize = adapter.inputSize(of: update)
        (joined.parameters.pointer + place.down + firstRow * inputSize)
          .update(from: adapter.parameters.pointer + update.down, count: own * inputSize)
        for row in 0..<update.outputCount {
          for column in 0..<own {
            joined.parameters.pointer[place.up + row * rank + firstRow + column] =
              adapter.scale * adapter.parameters.pointer[update.up + row * own + column]
          }
        }
      }
    }
    return joined
  }

  /// Columns of A, which lies directly before B.
  private func inputSize(of update: LowRankUpdate) -> Int { (update.up - update.down) / settings.rank }
}
