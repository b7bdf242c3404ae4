/// Random numbers that depend on what they are for, not on the order in which they are drawn.
///
/// Each is a hash of (seed, step, sample, position), so that a result does not depend on batches or threads.
/// The mixing is SplitMix64's (Steele, Lea and Flood 2014), applied once for each part of the key.
public struct KeyedRandom: Sendable {
  private let state: UInt64

  /// The numbers of one seed.
  public init(seed: UInt64) { state = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

  private init(state: UInt64) { self.state = state }

  /// The numbers below `key`: of one step, one sample, one position.
  public func keyed(_ key: Int) -> KeyedRandom {
    KeyedRandom(state: Self.mix(state &+ (UInt64(bitPattern: Int64(key)) &+ 1) &* 0x9E37_79B9_7F4A_7C15))
  }

  /// 64 random bits.
  public var bits: UInt64 { state }

  /// Uniform in [0, 1), in steps of 2^-53.
  public var uniform: Double { Double(state >> 11) * 0x1p-53 }

  /// A standard normal number (Box and Muller 1958).
  public var normal: Double {
    let radius = (-2 * logarithm(1 - keyed(0).uniform)).squareRoot()
    return radius * cosine(2 * .pi * keyed(1).uniform)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A stream of random numbers for the standard library's shuffles.
public struct RandomStream: RandomNumberGenerator {
  private let source: KeyedRandom
  private var index = 0

  /// The stream of `source`.
  public init(_ source: KeyedRandom) { self.source = source }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    index += 1
    return source.keyed(index).bits
  }
}
