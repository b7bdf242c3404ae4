import Checkpoints
import Foundation
import TestSupport
import Testing

/// What `Scripts/goldens/pytorch.py` says that its state dict holds.
private struct Expected: Decodable {
  let names: [String]
  let shapes: [String: [Int]]
  let bits: [String: [Int32]]
}

/// A golden file of PyTorch's.
func pytorchGolden(_ name: String) throws -> PyTorchFile {
  let url = Bundle.module.bundleURL.appending(path: "Goldens/pytorch/\(name)")
  return try PyTorchFile(try MappedBytes(file: url), name: name)
}

@Suite struct PyTorchFileTests {
  @Test(arguments: ["zip", "legacy"], [2, 3, 4, 5])
  func `reads what torch.save wrote, bit for bit`(format: String, version: Int) throws {
    let expected = try JSONDecoder().decode(Expected.self, from: try golden("pytorch/expected.json", in: .module))
    let file = try pytorchGolden("\(format)-\(version).pt")
    #expect(file.name == "\(format)-\(version).pt")
    #expect(file.tensorNames == expected.names && file.tensorNames.count == 21)
    for name in expected.names {
      #expect(file.shape(of: name) == expected.shapes[name], "\(name)")
      let found = try floats(name, in: file).map { Int32(bitPattern: $0.bitPattern) }
      #expect(found == expected.bits[name], "\(name)")
    }
    #expect(file.shape(of: "nothing") == nil)
  }

  @Test func `the golden state dict tells a row from a column`() throws {
    let file = try pytorchGolden("zip-2.pt")
    let weight = try floats("wte.weight", in: file)
    let transposed = try floats("transposed", in: file)
    #expect(file.shape(of: "transposed") == [5, 6] && weight != transposed)
    #expect(try floats("lm_head.weight", in: file) == weight)
    #expect(try floats("rows", in: file) == Array(weight[10..<25]))
    #expect(try floats("scalar of a view", in: file) == [weight[19]])
    #expect(try floats("expanded", in: file) == [1.5, 1.5, 1.5, -2.5, -2.5, -2.5])
  }

  @Test(arguments: ["state_dict", "model", "module", "model_state_dict", "legacy"])
  func `finds a state dict one level down, and ignores what stands beside it`(wrapper: String) throws {
    let file = try pytorchGolden("nested-\(wrapper).pt")
    #expect(file.tensorNames == ["a", "b"])
    #expect(try floats("a", in: file) == [1, 2])
    #expect(try floats("b", in: file) == [3])
  }

  @Test func `reads the state dict of a module with its versions`() throws {
    let file = try pytorchGolden("module.pt")
    #expect(file.tensorNames == ["weight", "bias"])
    #expect(try floats("weight", in: file) == [0, 1, 2, 3, 4, 5])
    #expect(try floats("bias", in: file) == [0.5, -0.5])
  }

  @Test(arguments: ["others.pt", "others-legacy.pt"])
  func `lists tensors of other types, and refuses to read them as floats`(name: String) throws {
    let file = try pytorchGolden(name)
    let types = ["int64", "int32", "int16", "int8", "uint8", "bool", "uint16", "complex64", "float8_e4m3fn"]
    #expect(file.tensorNames == types + ["weight"])
    for type in types {
      #expect(file.shape(of: type) == [2, 3])
      #expect(
        message { try floats(type, in: file) }
          == "\(name): tensor \"\(type)\" has type torch.\(type); save it as float32, float16, bfloat16 or float64")
    }
    #expect(try floats("weight", in: file) == [1, 1])
  }

  @Test(arguments: [
    ("tensor.pt", "it holds a tensor; a state dict is needed"),
    ("list.pt", "it holds a list; a state dict is needed"),
    ("no-tensors.pt", "it holds a dictionary without tensors; its keys: \"step\", \"args\", an integer; a state dict"),
    ("whole-model.pt", "the pickle asks to run story_model.Net; only tensors are read; save the weights alone"),
    ("whole-model-legacy.pt", "the pickle asks to run story_model.Net; only tensors are read"),
  ])
  func `refuses what is no state dict, and says what it is`(name: String, text: String) throws {
    let found = try #require(message { try pytorchGolden(name) })
    #expect(found.hasPrefix("\(name): ") && found.contains(text), "\(found)")
  }

  @Test(arguments: ["system", "eval", "exec", "getattr"], ["2", "4", "legacy"])
  func `refuses a pickle by the name of what it would run, and runs nothing`(what: String, format: String) throws {
    let trace = "/tmp/tinyalign-was-here"
    try? FileManager.default.removeItem(atPath: trace)
    let found = try #require(message { try pytorchGolden("hostile-\(what)-\(format).pt") })
    // Python's os.system is posix.system; and protocol 2 has Python 2's name for builtins.
    let module = what == "system" ? "posix" : format == "4" ? "builtins" : "__builtin__"
    #expect(found.contains("the pickle asks to run \(module).\(what); only tensors are read"), "\(found)")
    #expect(found.contains(" at byte "))
    #expect(!FileManager.default.fileExists(atPath: trace))
  }

  @Test func `says where in the file the refused instruction is`() throws {
    let bytes = try golden("pytorch/hostile-system-2.pt", in: .module)
    let place = try #require(bytes.firstRange(of: Data("cposix\nsystem\n".utf8))).lowerBound
    #expect(message { try pytorchGolden("hostile-system-2.pt") }?.contains("at byte \(place) the pickle asks") == true)
  }

  @Test func `refuses a destination of another size, an unknown name, and numbers that are not finite`() throws {
    let file = try pytorchGolden("zip-2.pt")
    for count in [0, 29, 31] {
      var values = [Float](repeating: 0, count: count)
      let error = checkpointError {
        try values.withUnsafeMutableBufferPointer { try file.copyFloats(of: "transposed", into: $0) }
      }
      #expect(error == .shapeMismatch(tensor: "transposed", expected: [count], found: [5, 6], file: "zip-2.pt"))
    }
    var one: [Float] = [0]
    #expect(
      checkpointError { try one.withUnsafeMutableBufferPointer { try file.copyFloats(of: "x", into: $0) } }
        == .missingTensor(name: "x", file: "zip-2.pt"))
    var bytes = try golden("pytorch/zip-2.pt", in: .module)
    let storage = withUnsafeBytes(of: try floats("wte.weight", in: file)[7].bitPattern.littleEndian) { Data($0) }
    let place = try #require(bytes.firstRange(of: storage))
    bytes.replaceSubrange(place, with: [0, 0, 0x80, 0x7f])
    let damaged = try PyTorchFile(MappedBytes(bytes), name: "m")
    // Row 1, column 2 of the weight.
    for (name, index) in [("wte.weight", 7), ("transposed", 13), ("columns", 4)] {
      #expect(
        checkpointError { try floats(name, in: damaged) } == .notFinite(tensor: name, index: index, file: "m"))
    }
    #expect(try floats("rows", in: damaged).allSatisfy(\.isFinite))
  }

  @Test func `a double beyond the range of floats is not finite`() throws {
    var bytes = try golden("pytorch/zip-2.pt", in: .module)
    let file = try pytorchGolden("zip-2.pt")
    // The four doubles are found by what they round to.
    let wanted = try floats("double", in: file)
    let place = try #require(
      (0..<bytes.count - 32).first { start in
        (0..<4).allSatisfy { index in
          let number = bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: start + 8 * index, as: Double.self)
          }
          return Float(number) == wanted[index]
        }
      })
    withUnsafeBytes(of: 1e300) { bytes.replaceSubrange(place + 8..<place + 16, with: $0) }
    let damaged = try PyTorchFile(MappedBytes(bytes), name: "m")
    #expect(checkpointError { try floats("double", in: damaged) } == .notFinite(tensor: "double", index: 1, file: "m"))
  }
}
