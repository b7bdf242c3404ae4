/// target += source, element by element.
///
/// - Parameters:
///   - source: [count].
///   - target: [count].
public func add(_ source: Floats, to target: MutableFloats, count: Int) {
  parallel(count, minimumChunk: 1 << 15) { part in
    addScaled(source + part.lowerBound, scale: 1, to: target + part.lowerBound, count: part.count)
  }
}
