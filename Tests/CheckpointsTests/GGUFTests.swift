import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct GGUFTests {
  @Test func `reads every type bit for bit as gguf-py does`() throws {
    let file = try goldenGGUF("gguf-types")
    let expected = integers(UInt32.self, try golden("gguf-types.bin", in: .module))
    #expect(file.tensors.count == 14)
    var start = 0
    for tensor in file.tensors {
      #expect(tensor.name == tensor.typeName)
      var values = [Float](repeating: 0, count: tensor.count)
      try values.withUnsafeMutableBufferPointer { try file.copyUnchecked(of: tensor.name, into: $0) }
      var nonFinite = 0
      for (index, (found, bits)) in zip(values, expected[start...]).enumerated() {
        let wanted = Float(bitPattern: bits)
        // What a NaN carries is the processor's business.
        #expect(found.bitPattern == bits || found.isNaN && wanted.isNaN, "\(tensor.name) \(index): \(found), \(wanted)")
        if !wanted.isFinite { nonFinite += 1 }
      }
      // Every type but the two whose scales are whole rows of other patterns has both kinds of numbers.
      #expect(nonFinite < tensor.count / 2 && tensor.count == tensor.shape.reduce(1, *) && tensor.shape[0] == 5)
      start += tensor.count
    }
    #expect(start == expected.count)
  }

  @Test func `refuses the numbers that are not finite where a model is read`() throws {
    let file = try goldenGGUF("gguf-types")
    for tensor in file.tensors {
      let error = checkpointError { try floats(tensor.name, in: file) }
      guard case .notFinite(let name, let index, "gguf-types.gguf") = error else {
        Issue.record("\(tensor.name): \(String(describing: error))")
        continue
      }
      var values = [Float](repeating: 0, count: tensor.count)
      try values.withUnsafeMutableBufferPointer { try file.copyUnchecked(of: tensor.name, into: $0) }
      #expect(name == tensor.name && values.firstIndex { !$0.isFinite } == index)
    }
  }

  @Test func `a large tensor is read in parts, and its first bad number is named`() throws {
    var parts = GGUFParts()
    parts.addTensor("a", [1024, 1024], type: 1)
    parts.data = [UInt8](repeating: 0, count: 2 << 20)
    for index in 0..<1 << 20 {
      let bits = UInt16(truncatingIfNeeded: index % 31_744)
      parts.data[2 * index] = UInt8(bits & 255)
      parts.data[2 * index + 1] = UInt8(bits >> 8)
    }
    let file = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
    let values = try floats("a", in: file)
    #expect(values.enumerated().allSatisfy { Float(valueOfFloat16(UInt16($0.offset % 31_744))) == $0.element })
    for place in [1_000_000, 700_001] { parts.data[2 * place + 1] = 0x7c }
    let damaged = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
    #expect(checkpointError { try floats("a", in: damaged) } == .notFinite(tensor: "a", index: 700_001, file: "a.gguf"))
  }

  @Test func `reads all kinds of metadata`() throws {
    var parts = GGUFParts.sound
    parts.add("u8", type: 0, [200])
    parts.add("i8", type: 1, [0xff])
    parts.add("u16", type: 2, [1, 2])
    parts.add("i16", type: 3, [0, 0x80])
    parts.add("i32", type: 5, little(Int32.min))
    parts.add("u64", type: 10, little(UInt64(Int.max)))
    parts.add("too large", type: 10, little(UInt64(Int.max) + 1))
    parts.add("i64", type: 11, little(Int64.min))
    parts.add("f32", Float(0.1))
    parts.add("f64", type: 12, little(Double.pi.bitPattern))
    parts.add("nan", Float.nan)
    parts.add("yes", type: 7, [1])
    parts.add("no", type: 7, [0])
    parts.add("text", "line\né")
    parts.add("not UTF-8", type: 8, little(UInt64(1)) + [0xff])
    parts.add("texts", elements: 8, count: 2, text("") + text("b"))
    parts.add("numbers", elements: 5, count: 2, little(Int32(-1)) + little(Int32(7)))
    parts.add("floats", elements: 6, count: 1, little(Float(-0.5).bitPattern))
    parts.add("nothing", elements: 4, count: 0, [])
    parts.add("flags", elements: 7, count: 2, [0, 1])
    parts.add("nested", elements: 9, count: 1, little(UInt32(8)) + little(UInt64(1)) + text("x"))
    let file = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
    #expect(file.version == 3 && file.keys.count == 22 && file.keys.last == "nested")
    #expect(try file.integer("u8") == 200 && file.integer("i8") == -1 && file.integer("u16") == 513)
    #expect(try file.integer("i16") == -32768 && file.integer("i32") == Int(Int32.min))
    #expect(try file.integer("u64") == .max && file.integer("i64") == .min && file.integer("missing") == nil)
    #expect(try file.number("f32") == Double(Float(0.1)) && file.number("f64") == .pi && file.number("i8") == -1)
    #expect(try file.flag("yes") == true && file.flag("no") == false)
    #expect(try file.string("text") == "line\né" && file.strings("texts") == ["", "b"])
    #expect(try file.integers("numbers") == [-1, 7] && file.floats("floats") == [-0.5])
    #expect(try file.integers("nothing") == [] && file.strings("nothing") == [] && file.floats("nothing") == [])
    let messages: [(String?, String)] = [
      (message { try file.integer("too large") }, "\"too large\" is too large: 9223372036854775808"),
      (message { try file.integer("text") }, "\"text\" is of type string, and must be a whole number"),
      (message { try file.integer("numbers") }, "\"numbers\" is an array of int32, and must be a whole number"),
      (message { try file.integers("u8") }, "\"u8\" is of type uint8, and must be an array of whole numbers"),
      (message { try file.integers("flags") }, "\"flags\" is an array of bool, and must be a whole number"),
      (message { try file.number("nan") }, "\"nan\" is nan"),
      (message { try file.number("floats") }, "\"floats\" is an array of float32, and must be a number"),
      (message { try file.flag("u8") }, "must be a Boolean"),
      (message { try file.string("u8") }, "must be a string"),
      (message { try file.string("not UTF-8") }, "a string is not UTF-8"),
      (message { try file.strings("nested") }, "\"nested\" is an array of array, and must be an array of strings"),
      (message { try file.floats("numbers") }, "must be an array of 32-bit floats"),
    ]
    for (found, wanted) in messages {
      #expect(found?.hasPrefix("a.gguf is damaged at byte ") == true && found?.contains(wanted) == true, "\(wanted)")
    }
  }

  @Test func `reads version 2, other alignments, scalars and empty tensors`() throws {
    var parts = GGUFParts()
    parts.version = 2
    parts.add("general.alignment", UInt32(128))
    parts.alignment = 128
    parts.addTensor("scalar", [])
    parts.addTensor("empty", [0, 3], offset: 128)
    parts.addTensor("b", [2], offset: 256)
    parts.data = [UInt8](repeating: 0, count: 264)
    parts.data.replaceSubrange(0..<4, with: little(Float(2).bitPattern))
    parts.data.replaceSubrange(256..<264, with: little(Float(3).bitPattern) + little(Float(4).bitPattern))
    let file = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
    #expect(file.version == 2 && file["scalar"]?.shape == [] && file["empty"]?.shape == [3, 0] && file["c"] == nil)
    #expect(
      try floats("scalar", in: file) == [2] && floats("empty", in: file) == [] && floats("b", in: file) == [3, 4])
  }

  @Test func `names a type that is not read, and a count that differs`() throws {
    var parts = GGUFParts()
    parts.addTensor("a", [256], type: 16)
    parts.addTensor("b", [3], type: 26, offset: 96)
    parts.data = [UInt8](repeating: 0, count: 108)
    let file = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
    let start = "a.gguf: tensor \"a\" has type IQ2_XXS; use a file of the types F32, F16, Q4_0"
    #expect(message { try floats("a", in: file) }?.hasPrefix(start) == true)
    #expect(message { try floats("b", in: file) }?.contains("has type I32") == true)
    let sound = try GGUFFile(heldForever(GGUFParts.sound.bytes), name: "a.gguf")
    var few = [Float](repeating: 0, count: 7)
    let error = checkpointError { try few.withUnsafeMutableBufferPointer { try sound.copyFloats(of: "a", into: $0) } }
    #expect(error == .shapeMismatch(tensor: "a", expected: [7], found: [2, 4], file: "a.gguf"))
    #expect(
      checkpointError { try few.withUnsafeMutableBufferPointer { try sound.copyFloats(of: "c", into: $0) } }
        == .missingTensor(name: "c", file: "a.gguf"))
  }
}

/// Positive binary16 patterns below infinity, by the definition of the format.
private func valueOfFloat16(_ bits: UInt16) -> Double {
  let (exponent, fraction) = (Int(bits >> 10), Double(bits & 1023))
  return exponent == 0
    ? fraction * 0x1p-24 : (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
}
