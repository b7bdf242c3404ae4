import Benchmark
import Foundation
import TinyAlign

/// What a kernel does in one call, by which its speed is counted.
enum Work {
  /// FLOPs of its matrix products; what else it does is free.
  case operations(Int)
  /// Bytes of its arrays, each counted once if read, once if written.
  case bytes(Int)

  /// The same for arrays of floats.
  static func floats(_ count: Int) -> Work { .bytes(count * MemoryLayout<Float>.stride) }

  var amount: Int {
    switch self {
    case .operations(let count), .bytes(let count): count
    }
  }

  /// Results are whole numbers to the benchmark tool, so a thousandth of a GFLOP/s or GB/s is its unit.
  var metric: BenchmarkMetric {
    switch self {
    case .operations: .custom("MFLOP/s", polarity: .prefersLarger, useScalingFactor: false)
    case .bytes: .custom("MB/s", polarity: .prefersLarger, useScalingFactor: false)
    }
  }
}

/// A kernel with its arrays.
struct Prepared {
  /// Restores what the calls have changed, where that would make later calls slower; not timed.
  var reset: () -> Void = {}
  /// One call.
  var call: () -> Void
}

/// Registers a benchmark of one kernel.
///
/// - Parameters:
///   - work: of one call.
///   - prepare: makes the arrays; called only where this benchmark runs.
func measure(_ name: String, _ work: Work, prepare: @escaping () -> Prepared) {
  // Short calls are timed by the thousand, long ones for longer.
  let configuration = Benchmark.Configuration(
    metrics: [.wallClock, .throughput, work.metric],
    units: [work.metric: .count],
    scalingFactor: work.amount < 1_000_000 ? .kilo : .one,
    maxDuration: .seconds(work.amount > 20_000_000_000 ? 5 * seconds : seconds))
  Benchmark(name, configuration: configuration) { (benchmark: Benchmark, prepared: Prepared) in
    prepared.reset()
    benchmark.startMeasurement()
    let start = ContinuousClock.now
    for _ in benchmark.scaledIterations { prepared.call() }
    let duration = ContinuousClock.now - start
    benchmark.stopMeasurement()
    let amount = Double(work.amount) * Double(benchmark.configuration.scalingFactor.rawValue)
    benchmark.measurement(work.metric, Int((amount / (duration / .microseconds(1))).rounded()))
  } setup: {
    prepare()
  }
}

/// How long a benchmark runs: one second, unless the environment says otherwise.
private let seconds = ProcessInfo.processInfo.environment["KERNEL_SECONDS"].flatMap(Double.init) ?? 1

/// Floats between -scale and scale, the same at every call.
func randomFloats(_ count: Int, scale: Float = 1) -> FloatBuffer {
  let buffer = FloatBuffer(count: count, isZeroed: false)
  // Knuth's linear congruential generator; KeyedRandom would take longer than some kernels' runs.
  var state: UInt64 = 1
  for index in 0..<count {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    buffer.pointer[index] = Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31 * scale
  }
  return buffer
}
