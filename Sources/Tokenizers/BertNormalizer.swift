/// BERT's clean-up of a text: control characters, white space, Chinese characters, accents, case.
package struct BertNormalizer: Sendable {
  let cleansText: Bool
  let handlesChinese: Bool
  let stripsAccents: Bool
  let lowercases: Bool
  private let classes = UnicodeClasses.shared
  /// What becomes of an ASCII character; `removed` is none.
  private let ascii: [UInt8]
  private static let removed: UInt8 = 0xFF

  /// - Parameter stripsAccents: `nil` follows `lowercases`.
  package init(
    cleansText: Bool = true, handlesChinese: Bool = true, stripsAccents: Bool? = nil, lowercases: Bool = true
  ) {
    self.cleansText = cleansText
    self.handlesChinese = handlesChinese
    self.stripsAccents = stripsAccents ?? lowercases
    self.lowercases = lowercases
    let classes = UnicodeClasses.shared
    ascii = (0..<128).map { byte in
      let kind = classes[UInt32(byte)]
      if cleansText && kind.contains(.control) { return Self.removed }
      if cleansText && kind.contains(.whitespace) { return 0x20 }
      return lowercases && (0x41...0x5A).contains(byte) ? UInt8(byte + 0x20) : UInt8(byte)
    }
  }

  /// Leaves a text as it is.
  static let identity = BertNormalizer(
    cleansText: false, handlesChinese: false, stripsAccents: false, lowercases: false)

  /// The normalised text.
  package func normalize(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count + 16)
    // Marks wait here until the run ends, to leave it in canonical order.
    var marks: [(scalar: UInt32, order: UInt8)] = []
    var i = 0
    while i < text.count {
      let (scalar, length) = decodeScalar(text, i)
      i += length
      if scalar < 0x80 {
        if ascii[Int(scalar)] != Self.removed {
          if !marks.isEmpty { flush(&marks, to: &output) }
          output.append(ascii[Int(scalar)])
        }
        continue
      }
      let kind = classes[scalar]
      if cleansText && kind.contains(.control) { continue }
      if cleansText && kind.contains(.whitespace) {
        flush(&marks, to: &output)
        output.append(0x20)
      } else if handlesChinese && kind.contains(.chinese) {
        flush(&marks, to: &output)
        output.append(0x20)
        add(scalar, kind, &marks, to: &output)
        flush(&marks, to: &output)
        output.append(0x20)
      } else {
        add(scalar, kind, &marks, to: &output)
      }
    }
    flush(&marks, to: &output)
    return output
  }

  private func add(
    _ scalar: UInt32, _ kind: ScalarClass, _ marks: inout [(scalar: UInt32, order: UInt8)], to output: inout [UInt8]
  ) {
    guard stripsAccents else {
      appendLowercase(scalar, to: &output)
      return
    }
    if kind.contains(.stripped) {
      if kind.contains(.strippedStarter) { flush(&marks, to: &output) }
    } else if kind.contains(.decomposed) {
      for part in classes.decomposition(scalar) { addPart(part, &marks, to: &output) }
    } else {
      addPart(scalar, &marks, to: &output)
    }
  }

  private func addPart(
    _ scalar: UInt32, _ marks: inout [(scalar: UInt32, order: UInt8)], to output: inout [UInt8]
  ) {
    if classes[scalar].contains(.mark) {
      let order = classes.combiningClass(scalar)
      let place = marks.firstIndex { $0.order > order } ?? marks.count
      marks.insert((scalar, order), at: place)
    } else {
      flush(&marks, to: &output)
      appendLowercase(scalar, to: &output)
    }
  }

  private func flush(_ marks: inout [(scalar: UInt32, order: UInt8)], to output: inout [UInt8]) {
    for mark in marks { appendLowercase(mark.scalar, to: &output) }
    marks.removeAll(keepingCapacity: true)
  }

  @inline(__always)
  private func appendLowercase(_ scalar: UInt32, to output: inout [UInt8]) {
    if lowercases && classes[scalar].contains(.upper) {
      for lower in classes.lowercase(scalar) { appendUTF8(lower, to: &output) }
    } else {
      appendUTF8(scalar, to: &output)
    }
  }
}
