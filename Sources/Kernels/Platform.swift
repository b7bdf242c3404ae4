import CPlatform
import Foundation

#if !canImport(Accelerate)
  import COpenBLAS
#endif

/// Operating system, processor architecture and BLAS, in words.
public var platformDescription: String {
  #if arch(x86_64)
    let processor = tinyalign_compiled_for_avx2() == 1 ? "x86-64 with AVX2" : "x86-64"
  #elseif arch(arm64)
    let processor = "arm64"
  #else
    let processor = "unknown processor"
  #endif
  #if canImport(Accelerate)
    let blas = "Accelerate"
  #else
    let blas = String(cString: openblas_get_config()).trimmingCharacters(in: .whitespaces)
  #endif
  return "\(ProcessInfo.processInfo.operatingSystemVersionString), \(processor), \(blas)"
}
