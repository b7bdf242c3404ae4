import Dispatch

/// How the rows of a tensor lie in memory compared with the file.
enum RowArrangement: Equatable {
  /// As in the file.
  case asStored
  /// The rows of each head were interleaved for rotary positions: rows 2j and 2j + 1 in the file are j and j + half.
  case interleaved(heads: Int)
  /// The file has the transposed matrix.
  case transposed
}

/// Where row `row` of a file with interleaved heads, of `size` rows each, belongs.
@inline(__always)
func rowBelonging(toInterleaved row: Int, headSize size: Int) -> Int {
  let inHead = row % size
  return row - inHead + inHead % 2 * (size / 2) + inHead / 2
}

/// Elements that one thread converts before it takes the next part; large enough to release the file's pages after it.
private let elementsPerPart = 1 << 18

extension GGUFFile {
  /// Converts a tensor straight from the file into `destination`, on all processors where it is large.
  func copyFloats(
    _ tensor: GGUFTensor, into destination: UnsafeMutableBufferPointer<Float>, arrangement: RowArrangement,
    refusingNonFinite: Bool = true
  ) throws {
    guard tensor.type.isReadable else {
      throw CheckpointError.unsupported(
        file: name, reason: "tensor \(quoted(tensor.name)) has type \(tensor.typeName)",
        hint: "use a file of the types \(GGUFTensorType.readableNames)")
    }
    guard destination.count == tensor.count else {
      throw CheckpointError.shapeMismatch(
        tensor: tensor.name, expected: [destination.count], found: tensor.shape, file: name)
    }
    guard let target = destination.baseAddress, tensor.count > 0 else { return }
    let bad = bytes.withUnsafeBytes { all -> Int? in
      guard let start = all.baseAddress?.advanced(by: tensor.byteRange.lowerBound) else { return nil }
      let reading = Reading(
        type: tensor.type, source: start, firstByte: tensor.byteRange.lowerBound, target: target, bytes: bytes,
        checks: refusingNonFinite)
      let rowLength = tensor.shape.last ?? 1
      switch arrangement {
      case .asStored: return reading.copyBlocks(tensor.count / tensor.type.blockElements)
      case .transposed: return reading.copyTransposed(rows: tensor.count / rowLength, rowLength: rowLength)
      case .interleaved(let heads):
        // A vector's elements are permuted as rows of one element would be; it is converted beside its place first.
        guard tensor.shape.count > 1 else { return reading.copyVector(count: tensor.count, heads: heads) }
        return reading.copyRows(tensor.count / rowLength, rowLength: rowLength, heads: heads)
      }
    }
    if let bad { throw CheckpointError.notFinite(tensor: tensor.name, index: bad, file: name) }
  }
}

/// One tensor on its way from the file to memory; each function returns the index of a number that is not
/// finite: the lowest, but for matrices that are transposed.
private struct Reading {
  let type: GGUFTensorType
  let source: UnsafeRawPointer
  /// The offset of `source` in the file.
  let firstByte: Int
  let target: UnsafeMutablePointer<Float>
  let bytes: MappedBytes
  let checks: Bool

  func copyBlocks(_ blocks: Int) -> Int? {
    forEachPart(of: blocks, elementsEach: type.blockElements) { range in
      let place = target + range.lowerBound * type.blockElements
      dequantize(type, source + range.lowerBound * type.blockBytes, blocks: range.count, into: place)
      return nonFinite(place, count: range.count * type.blockElements)
    }
  }

  func copyRows(_ rows: Int, rowLength: Int, heads: Int) -> Int? {
    let blocks = rowLength / type.blockElements
    let headSize = rows / heads
    return forEachPart(of: rows, elementsEach: rowLength) { range in
      var bad: Int?
      for row in range {
        let place = target + rowBelonging(toInterleaved: row, headSize: headSize) * rowLength
        dequantize(type, source + row * blocks * type.blockBytes, blocks: blocks, into: place)
        bad = lowest(bad, nonFinite(place, count: rowLength))
      }
      return bad
    }
  }

  func copyVector(count: Int, heads: Int) -> Int? {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { stored in
      guard let start = stored.baseAddress else { return nil }
      dequantize(type, source, blocks: count / type.blockElements, into: start)
      let headSize = count / heads
      for index in 0..<count { target[rowBelonging(toInterleaved: index, headSize: headSize)] = start[index] }
      return nonFinite(target, count: count)
    }
  }

  /// Converts some rows at a time beside their place, then writes the column that each becomes.
  func copyTransposed(rows: Int, rowLength: Int) -> Int? {
    let blocks = rowLength / type.blockElements
    return forEachPart(of: rows, elementsEach: rowLength) { range in
      // 16 floats are one cache line of the destination.
      withUnsafeTemporaryAllocation(of: Float.self, capacity: min(16, range.count) * rowLength) { stored in
        guard let start = stored.baseAddress else { return nil }
        var bad: Int?
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 16) {
          let count = min(16, range.upperBound - first)
          dequantize(
            type, source + first * blocks * type.blockBytes, blocks: count * blocks, into: start)
          if let index = nonFinite(start, count: count * rowLength, base: start) {
            bad = lowest(bad, index % rowLength * rows + first + index / rowLength)
          }
          for column in 0..<rowLength {
            let place = target + column * rows + first
            for row in 0..<count { place[row] = start[row &* rowLength &+ column] }
          }
        }
        return bad
      }
    }
  }

  /// The index, counted from `base` (the whole tensor's start), of the first number that is not finite.
  private func nonFinite(_ start: UnsafeMutablePointer<Float>, count: Int, base: UnsafePointer<Float>? = nil) -> Int? {
    guard checks, let index = firstNonFiniteIndex(in: UnsafeBufferPointer(start: start, count: count)) else {
      return nil
    }
    return UnsafePointer(start) - (base ?? UnsafePointer(target)) + index
  }

  private func lowest(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return a ?? b }
    return min(a, b)
  }

  /// Calls `body` for parts of `count` blocks or rows, on all processors, and gives the file's pages back after each.
  private func forEachPart(of count: Int, elementsEach: Int, _ body: (Range<Int>) -> Int?) -> Int? {
    let perPart = max(1, elementsPerPart / elementsEach)
    let parts = (count + perPart - 1) / perPart
    let bytesEach = elementsEach / type.blockElements * type.blockBytes
    func run(_ part: Int) -> Int? {
      let range = part * perPart..<min(count, (part + 1) * perPart)
      let bad = body(range)
      bytes.release(firstByte + range.lowerBound * bytesEach..<firstByte + range.upperBound * bytesEach)
      return bad
    }
    guard parts > 1 else { return run(0) }
    return withUnsafeTemporaryAllocation(of: Int.self, capacity: parts) { found in
      withoutActuallyEscaping(run) { run in
        // Parts write to disjoint memory: their own rows, and their own place in `found`.
        nonisolated(unsafe) let (work, found) = (run, found)
        DispatchQueue.concurrentPerform(iterations: parts) { found[$0] = work($0) ?? .max }
      }
      return found.min().flatMap { $0 == .max ? nil : $0 }
    }
  }
}
