import Foundation

/// ln x in single precision.
@inline(__always) func logarithm(_ x: Float) -> Float { logf(x) }

/// ln x in double precision.
@inline(__always) func logarithm(_ x: Double) -> Double { log(x) }

/// cos x in double precision.
@inline(__always) func cosine(_ x: Double) -> Double { cos(x) }

/// e^x in double precision.
@inline(__always) func exponential(_ x: Double) -> Double { exp(x) }
