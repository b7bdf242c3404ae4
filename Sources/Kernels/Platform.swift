import CPlatform
import Foundation

/// Operating system, processor architecture and what multiplies matrices, in words.
public var platformDescription: String {
  #if arch(x86_64)
    let processor = tinyalign_compiled_for_avx2() == 1 ? "x86-64 with AVX2" : "x86-64"
  #elseif arch(arm64)
    let processor = "arm64"
  #else
    let processor = "unknown processor"
  #endif
  #if canImport(Accelerate)
    let products = "Accelerate"
  #else
    let products = InstructionSet.best.description
  #endif
  return "\(ProcessInfo.processInfo.operatingSystemVersionString), \(processor), matrix products by \(products)"
}
