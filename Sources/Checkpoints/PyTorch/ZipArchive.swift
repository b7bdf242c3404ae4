/// The entries of a zip file as torch.save writes it: stored, never compressed, with zip64 records.
///
/// The structures are those of PKWARE's APPNOTE 6.3. The directory is validated in full: every entry lies in the file,
/// before the directory, and no two overlap.
struct ZipArchive {
  /// The bytes of each entry, counted from the start of the file.
  private(set) var entries: [String: Range<Int>] = [:]

  private let bytes: UnsafeRawBufferPointer
  private let file: String

  private static let endSize = 22
  private static let end64Size = 56
  private static let locatorSize = 20
  private static let centralSize = 46
  private static let localSize = 30

  /// Where the directory is, and where what follows it begins.
  private struct Directory {
    var offset: UInt64
    var size: UInt64
    var count: UInt64
    var limit: Int
  }

  private struct Header {
    var name: String
    var localOffset: Int
    var size: Int
  }

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    self.bytes = bytes
    self.file = file
    let directory = try findDirectory()
    let limit = UInt64(directory.limit)
    guard directory.offset <= limit, directory.size <= limit - directory.offset else {
      throw malformed(
        "the zip directory of \(directory.size) bytes at byte \(directory.offset) does not lie before its end record",
        at: directory.limit)
    }
    guard directory.count <= directory.size / UInt64(Self.centralSize) else {
      throw malformed("the zip directory is too small for \(directory.count) entries", at: directory.limit)
    }
    try readDirectory(at: Int(directory.offset), size: Int(directory.size), count: Int(directory.count))
  }

  private func malformed(_ reason: String, at offset: Int) -> CheckpointError {
    .malformed(file: file, offset: offset, reason: reason)
  }

  /// A little-endian number; the caller has checked that it lies in the file.
  private func number<T: FixedWidthInteger>(_ type: T.Type, _ offset: Int) -> T {
    precondition(offset >= 0 && offset <= bytes.count - MemoryLayout<T>.size)
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  private func findDirectory() throws -> Directory {
    let end = try findEnd()
    var directory = Directory(
      offset: UInt64(number(UInt32.self, end + 16)), size: UInt64(number(UInt32.self, end + 12)),
      count: UInt64(number(UInt16.self, end + 10)), limit: end)
    guard number(UInt32.self, end + 4) == 0 else {
      throw malformed("the zip file is a part of several", at: end)
    }
    let locator = end - Self.locatorSize
    if locator >= 0, number(UInt32.self, locator) == 0x0706_4b50 {
      let offset = number(UInt64.self, locator + 8)
      guard locator >= Self.end64Size, offset <= UInt64(locator - Self.end64Size),
        number(UInt32.self, Int(offset)) == 0x0606_4b50
      else {
        throw malformed("there is no zip64 end record at byte \(offset)", at: locator)
      }
      let record = Int(offset)
      directory = Directory(
        offset: number(UInt64.self, record + 48), size: number(UInt64.self, record + 40),
        count: number(UInt64.self, record + 32), limit: record)
    }
    return directory
  }

  /// The end record, which only a comment may follow.
  private func findEnd() throws -> Int {
    let last = bytes.count - Self.endSize
    if last >= 0 {
      for offset in stride(from: last, through: max(0, last - 0xffff), by: -1)
      where number(UInt32.self, offset) == 0x0605_4b50 {
        if Int(number(UInt16.self, offset + 20)) == last - offset { return offset }
      }
    }
    throw malformed("the zip directory is missing; the file is cut short: copy or download it again", at: bytes.count)
  }

  private mutating func readDirectory(at start: Int, size: Int, count: Int) throws {
    var position = start
    let end = start + size
    var places: [(start: Int, end: Int, name: String)] = []
    places.reserveCapacity(count)
    entries.reserveCapacity(count)
    for _ in 0..<count {
      guard position <= end - Self.centralSize, number(UInt32.self, position) == 0x0201_4b50 else {
        throw malformed("the zip directory breaks off", at: position)
      }
      let length =
        Self.centralSize + Int(number(UInt16.self, position + 28)) + Int(number(UInt16.self, position + 30))
        + Int(number(UInt16.self, position + 32))
      guard length <= end - position else { throw malformed("the zip directory breaks off", at: position) }
      let header = try readHeader(at: position)
      let range = try locate(header, directoryStart: start, headerPosition: position)
      guard entries.updateValue(range, forKey: header.name) == nil else {
        throw malformed("the zip file has the entry \(quoted(header.name)) twice", at: position)
      }
      places.append((header.localOffset, range.upperBound, header.name))
      position += length
    }
    places.sort { ($0.start, $0.end) < ($1.start, $1.end) }
    for (one, next) in zip(places, places.dropFirst()) where next.start < one.end {
      throw malformed("the zip entries \(quoted(one.name)) and \(quoted(next.name)) overlap", at: next.start)
    }
  }

  /// One header of the directory, whose whole length lies in the directory.
  private func readHeader(at position: Int) throws -> Header {
    let nameStart = position + Self.centralSize
    let nameEnd = nameStart + Int(number(UInt16.self, position + 28))
    guard let name = String(validating: UnsafeRawBufferPointer(rebasing: bytes[nameStart..<nameEnd]), as: UTF8.self)
    else {
      throw malformed("the name of a zip entry is not UTF-8", at: nameStart)
    }
    guard number(UInt16.self, position + 8) & 1 == 0 else {
      throw malformed("the zip entry \(quoted(name)) is encrypted", at: position)
    }
    guard number(UInt16.self, position + 10) == 0 else {
      throw malformed(
        "the zip entry \(quoted(name)) is compressed; torch.save stores entries as they are", at: position)
    }
    var sizes = [20, 24, 42].map { UInt64(number(UInt32.self, position + $0)) }
    let extraEnd = nameEnd + Int(number(UInt16.self, position + 30))
    // The 64-bit numbers stand in this order, each only where the 32-bit one is full.
    var place = zip64Field(from: nameEnd, to: extraEnd)
    for index in [1, 0, 2] where sizes[index] == 0xffff_ffff {
      guard place.count >= 8 else {
        throw malformed("the zip entry \(quoted(name)) lacks its 64-bit size or offset", at: position)
      }
      sizes[index] = number(UInt64.self, place.lowerBound)
      place = place.lowerBound + 8..<place.upperBound
    }
    guard sizes[0] == sizes[1], let size = Int(exactly: sizes[1]), let offset = Int(exactly: sizes[2]) else {
      throw malformed("the zip entry \(quoted(name)) has an impossible size or offset", at: position)
    }
    return Header(name: name, localOffset: offset, size: size)
  }

  /// The bytes of the zip64 field among the extra fields; empty where there is none.
  private func zip64Field(from start: Int, to end: Int) -> Range<Int> {
    var position = start
    while position <= end - 4 {
      let fieldEnd = position + 4 + Int(number(UInt16.self, position + 2))
      if fieldEnd > end { break }
      if number(UInt16.self, position) == 1 { return position + 4..<fieldEnd }
      position = fieldEnd
    }
    return start..<start
  }

  /// Where an entry's bytes are: its local header may be padded.
  private func locate(_ header: Header, directoryStart: Int, headerPosition: Int) throws -> Range<Int> {
    let local = header.localOffset
    guard local <= directoryStart - Self.localSize, number(UInt32.self, local) == 0x0403_4b50 else {
      throw malformed(
        "the zip entry \(quoted(header.name)) is announced at byte \(local), where no entry begins", at: headerPosition)
    }
    let nameStart = local + Self.localSize
    let nameEnd = nameStart + Int(number(UInt16.self, local + 26))
    let start = nameEnd + Int(number(UInt16.self, local + 28))
    guard start <= directoryStart, header.size <= directoryStart - start else {
      throw malformed(
        "the zip entry \(quoted(header.name)) of \(header.size) bytes does not end before the directory", at: local)
    }
    guard bytes[nameStart..<nameEnd].elementsEqual(header.name.utf8) else {
      throw malformed("the zip entry \(quoted(header.name)) has another name at its own place", at: local)
    }
    return start..<start + header.size
  }
}
