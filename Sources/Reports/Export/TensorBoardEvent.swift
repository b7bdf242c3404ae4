/// One event of an event file: a step with what TensorBoard is to show of it.
///
/// Messages and field numbers are those of event.proto, summary.proto and tensor.proto in TensorBoard's
/// `tensorboard/compat/proto`. Each value is a tensor with a plugin's name, the form that `tf.summary` of TensorFlow 2 writes.
package struct TensorBoardEvent {
  /// Something to show.
  package struct Value {
    /// Its name; what stands before a slash groups names.
    package var tag: String
    /// What TensorBoard tells about it; only needed once a file.
    package var description: String?
    /// Its content.
    package var content: Content

    /// A value to show.
    package init(tag: String, description: String? = nil, content: Content) {
      self.tag = tag
      self.description = description
      self.content = content
    }
  }

  /// What a value may be.
  package enum Content {
    /// A number; TensorBoard holds it in single precision.
    case scalar(Double)
    /// Markdown.
    case text(String)
    /// How values are spread.
    case histogram(HistogramBuckets)
  }

  /// Seconds since 1970.
  package var wallTime: Double
  /// The step; 0 is before training.
  package var step: Int
  /// What to show of it.
  package var values: [Value]

  /// An event.
  package init(wallTime: Double, step: Int, values: [Value]) {
    self.wallTime = wallTime
    self.step = step
    self.values = values
  }

  /// What `writer` is called in a file of this program.
  package static let writerName = "tinyalign"

  /// The first record of a file: the format's version, and who wrote it.
  package static func fileHeader(wallTime: Double) -> [UInt8] {
    var event = ProtobufMessage()
    event.double(1, wallTime)
    event.string(3, "brain.Event:2")
    event.bytes(10, sourceMetadata)
    return record(event.bytes)
  }

  /// Whether a record's payload is the beginning of a file that this program wrote.
  package static func isFileHeader(_ payload: some BidirectionalCollection<UInt8>) -> Bool {
    var tail = ProtobufMessage()
    tail.bytes(10, sourceMetadata)
    return payload.suffix(tail.bytes.count).elementsEqual(tail.bytes)
  }

  /// The event as a record of the file.
  package var record: [UInt8] {
    var event = ProtobufMessage()
    event.double(1, wallTime)
    event.integer(2, Int64(step))
    event.message(5) { summary in
      for value in values { summary.message(1) { value.write(to: &$0) } }
    }
    return Self.record(event.bytes)
  }

  /// SourceMetadata: field 1 is the writer's name.
  private static var sourceMetadata: [UInt8] {
    var source = ProtobufMessage()
    source.string(1, writerName)
    return source.bytes
  }

  /// TFRecord's frame: the payload's length (64 bits), the length's checksum, the payload, its checksum.
  private static func record(_ payload: [UInt8]) -> [UInt8] {
    func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
    let length = littleEndian(UInt64(payload.count))
    return length + littleEndian(CRC32C.masked(length)) + payload + littleEndian(CRC32C.masked(payload))
  }
}

extension TensorBoardEvent.Value {
  /// Tensor types of types.proto and data classes of summary.proto.
  private enum Code {
    static let float: Int64 = 1
    static let double: Int64 = 2
    static let string: Int64 = 7
    static let scalarClass: Int64 = 1
    static let tensorClass: Int64 = 2
  }

  /// Appends Summary.Value: tag (1), tensor (8), metadata (9).
  fileprivate func write(to value: inout ProtobufMessage) {
    value.string(1, tag)
    switch content {
    case .scalar(let number):
      value.message(8) { tensor in
        tensor.integer(1, Code.float)
        tensor.message(2) { _ in }
        tensor.floats(5, [Float(number)])
      }
      metadata("scalars", Code.scalarClass, to: &value)
    case .text(let text):
      value.message(8) { tensor in
        tensor.integer(1, Code.string)
        tensor.message(2) { _ in }
        tensor.string(8, text)
      }
      metadata("text", Code.tensorClass, to: &value)
    case .histogram(let buckets):
      value.message(8) { tensor in
        tensor.integer(1, Code.double)
        // The shape: as many rows as buckets, of left edge, right edge and count.
        tensor.message(2) { shape in
          for size in [buckets.buckets.count, 3] { shape.message(2) { $0.integer(1, Int64(size)) } }
        }
        // Its content: the numbers' bytes, little-endian.
        tensor.doubles(4, buckets.buckets.flatMap { [$0.left, $0.right, $0.count] })
      }
      metadata("histograms", Code.tensorClass, to: &value)
    }
  }

  /// Appends SummaryMetadata: the plugin's name (1, in it 1), a description (3), the class of the data (4).
  private func metadata(_ plugin: String, _ dataClass: Int64, to value: inout ProtobufMessage) {
    value.message(9) { metadata in
      metadata.message(1) { $0.string(1, plugin) }
      if let description { metadata.string(3, description) }
      metadata.integer(4, dataClass)
    }
  }
}
