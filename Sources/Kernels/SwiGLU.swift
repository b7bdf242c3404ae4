/// The gated unit of Llama's feed-forward layers: output = silu(gate) * up, silu(x) = x / (1 + e^-x) (Shazeer 2020).
///
/// - Parameters:
///   - gateUp: [rows, 2 * size]: in each row the gate, then the up projection.
///   - output: [rows, size], overwritten.
public func swiGLU(_ gateUp: Floats, into output: MutableFloats, rows: Int, size: Int) {
  parallel(rows, minimumChunk: 8_192 / size + 1) { part in
    for row in part {
      let gate = gateUp + row * 2 * size
      let up = gate + size
      let y = output + row * size
      forEachVector(size) { i in
        let v = load(gate + i)
        store(v * logistic(v) * load(up + i), y + i)
      } tail: { i, left in
        let v = loadPartial(gate + i, count: left)
        storePartial(v * logistic(v) * loadPartial(up + i, count: left), y + i, count: left)
      }
    }
  }
}

/// The gradient of ``swiGLU(_:into:rows:size:)``.
///
/// - Parameters:
///   - gateUp: [rows, 2 * size], as the forward pass had it.
///   - outputGradient: [rows, size].
///   - gateUpGradient: [rows, 2 * size], overwritten; may not alias the others.
public func swiGLUBackward(
  _ gateUp: Floats, outputGradient: Floats, gateUpGradient: MutableFloats, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 8_192 / size + 1) { part in
    for row in part {
      let gate = gateUp + row * 2 * size
      let up = gate + size
      let dy = outputGradient + row * size
      let dGate = gateUpGradient + row * 2 * size
      let dUp = dGate + size
      forEachVector(size) { i in
        let (g, u) = gradients(load(gate + i), load(up + i), load(dy + i))
        store(g, dGate + i)
        store(u, dUp + i)
      } tail: { i, left in
        let (g, u) = gradients(
          loadPartial(gate + i, count: left), loadPartial(up + i, count: left), loadPartial(dy + i, count: left))
        storePartial(g, dGate + i, count: left)
        storePartial(u, dUp + i, count: left)
      }
    }
  }
}

@inline(__always) private func logistic(_ x: Vector) -> Vector { 1 / (exponential(-x) + 1) }

@inline(__always) private func gradients(_ gate: Vector, _ up: Vector, _ outputGradient: Vector) -> (Vector, Vector) {
  let e = exponential(-gate)
  let s = 1 / (e + 1)
  // 1 - s is e s, without the cancellation.
  let slope = s + gate * s * (e * s)
  return (outputGradient * up * slope, outputGradient * gate * s)
}
