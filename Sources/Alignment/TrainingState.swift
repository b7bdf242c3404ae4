import Checkpoints
import Foundation
import Kernels
import Transformers

/// What a run needs to go on exactly where it was, beside its recipe: the trained parameters and the optimiser's moments after a
/// step. Random numbers are keyed by the step, and what is cached changes no bit, so nothing else is needed.
struct TrainingState {
  /// The trained parameters: a model's own, or its adapter's.
  let parameters: FloatBuffer
  let optimizer: Optimizer

  private static let format = "tinyalign-training-state-1"

  private var buffers: [(name: String, buffer: FloatBuffer)] {
    [
      ("parameters", parameters), ("first_moments", optimizer.firstMoments),
      ("second_moments", optimizer.secondMoments),
    ].compactMap { name, buffer in buffer.map { (name, $0) } }
  }

  /// Writes the state after `step`, whole or not at all.
  ///
  /// - Throws: ``CheckpointError``; the state that was there before is then still there.
  func write(step: Int, to file: URL) throws {
    let tensors = buffers.map { name, buffer in
      TensorToWrite(name: name, shape: [buffer.count], values: UnsafeBufferPointer(buffer.elements))
    }
    try writeSafetensors(
      tensors, elementType: .float32,
      metadata: ["format": Self.format, "step": String(step), "updates": String(optimizer.stepCount)], to: file)
  }

  /// The step that a file was written after.
  ///
  /// - Throws: ``CheckpointError`` for a damaged file, ``AlignmentError`` for another one.
  static func step(of file: URL) throws -> Int { try step(of: open(file)) }

  private static func open(_ file: URL) throws -> Safetensors {
    try Safetensors(MappedBytes(file: file), name: file.path)
  }

  private static func step(of source: Safetensors) throws -> Int {
    guard source.metadata["format"] == Self.format, let step = source.metadata["step"].flatMap({ Int($0) }), step > 0
    else {
      throw AlignmentError.text(
        reason: "\(source.name) is no training state of this program; remove it to go on from the beginning of the run")
    }
    return step
  }

  /// Takes over the state in a file.
  ///
  /// - Returns: the step it was written after.
  /// - Throws: ``CheckpointError`` for a file that is damaged or of another run.
  func read(from file: URL) throws -> Int {
    let source = try Self.open(file)
    let step = try Self.step(of: source)
    for (name, buffer) in buffers {
      guard let entry = source[name], entry.shape == [buffer.count] else {
        throw AlignmentError.text(
          reason: "\(file.path) is of another model or optimiser; remove it to go on from the beginning of the run")
      }
      try source.copyFloats(entry, into: buffer.elements)
    }
    optimizer.resume(afterStep: source.metadata["updates"].flatMap { Int($0) } ?? step)
    return step
  }
}
