import Foundation
import TestSupport
import Testing

/// What `bench --json` prints, as far as it can be held against itself.
private struct BenchLine: Decodable {
  struct Product: Decodable {
    var pass: String
    var rate: Double

    enum CodingKeys: String, CodingKey {
      case pass
      case rate = "flops_per_second"
    }
  }

  var samples: Int
  var seconds: Double
  var split: [String: Double]
  var nodes: Int
  var flops: Double
  var rate: Double
  var productRate: Double
  var floor: Double
  var timesFloor: Double
  var streamShare: Double
  var peakMemory: Int
  var products: [Product]

  enum CodingKeys: String, CodingKey {
    case samples
    case seconds
    case split = "seconds_split"
    case nodes
    case flops
    case rate = "flops_per_second"
    case productRate = "product_flops_per_second"
    case floor = "floor_seconds"
    case timesFloor = "times_floor"
    case streamShare = "stream_share_of_bandwidth"
    case peakMemory = "peak_memory_bytes"
    case products
  }
}

extension CommandTests {
  @Suite struct BenchTests {
    @Test func `bench measures a step and the machine, and its figures fit together`() throws {
      try withTemporaryFolder { folder in
        let result = try tinyalign(
          "bench", "--model", "tinystories", "--samples", "16", "--steps", "1", "--json", in: folder)
        let line = try JSONDecoder().decode(BenchLine.self, from: Data(output(of: result).utf8))
        func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * abs(b) }
        #expect(line.samples == 16)
        // A prompt of 6, and at most three levels of nodes below it.
        #expect((6 + 3...6 + 3 * 16).contains(line.nodes))
        #expect(line.split.count == 5 && line.split.values.allSatisfy { $0 >= 0 })
        #expect(line.split.values.reduce(0, +) <= line.seconds * 1.001)
        // Forward once and backward twice through 2.3 million parameters a node, the reference once: about 4 * 2 * 2.2e6.
        #expect((1.2e7 * Double(line.nodes)...1e9 * Double(line.nodes)).contains(line.flops))
        #expect(isNear(line.rate, line.flops / line.seconds))
        #expect(isNear(line.floor, line.flops / line.productRate))
        #expect(isNear(line.timesFloor, line.seconds / line.floor))
        let rates = line.products.map(\.rate)
        let slowest = try #require(rates.min())
        let fastest = try #require(rates.max())
        #expect(slowest > 0 && (slowest...fastest).contains(line.productRate))
        #expect(Set(line.products.map(\.pass)) == ["forward", "input_gradient", "weight_gradient"])
        #expect(line.streamShare > 0)
        #expect(line.peakMemory > 10 << 20)
        #expect(try names(in: folder).isEmpty)
      }
    }
  }
}
