/// Named tensors of a checkpoint, whatever its format.
///
/// Opening one checks all that it announces, so that no later access can leave the file.
public protocol TensorSource: Sendable {
  /// The file's path, for messages.
  var name: String { get }
  /// The names of all tensors, in a fixed order.
  var tensorNames: [String] { get }

  /// A tensor's shape, row-major as PyTorch has it, or nil where there is none of that name.
  func shape(of tensor: String) -> [Int]?

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly their count.
  ///
  /// - Throws: ``CheckpointError`` when there is none of that name, the count differs, its type is not read as floats,
  ///   or an element is NaN or infinite.
  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws

  /// The same, also of types that no weight has: Booleans and whole numbers, as buffers such as masks hold them.
  func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws
}

extension TensorSource {
  /// As ``copyFloats(of:into:)``: a format that keeps weights alone.
  public func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copyFloats(of: tensor, into: destination)
  }

  /// The number of elements of all tensors together.
  public var elementCount: Int {
    tensorNames.reduce(0) { sum, name in
      let (total, overflow) = sum.addingReportingOverflow(shape(of: name).flatMap(Checkpoints.elementCount) ?? 0)
      return overflow ? .max : total
    }
  }
}
