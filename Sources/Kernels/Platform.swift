import CPlatform
import Foundation

/// From now on, ends the program with one clear line and status 1 where a file that is mapped became shorter while it was read.
///
/// For a program's first line: it takes the place of the handler of SIGBUS.
public func reportLostMappings() { tinyalign_watch_mappings() }

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
