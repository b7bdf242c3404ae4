/// The named tensors of a PyTorch file, validated.
struct PickledStateDict {
  private(set) var names: [String] = []
  private(set) var tensors: [String: StridedTensor] = [:]

  /// Tensors that share storages or repeat elements may have together this many elements for each byte of the file, or
  /// of 64 KiB where it is smaller; so what is allocated for them is at most 256 times the file.
  private static let maximumElementsPerByte = 64
  private static let maximumRank = 64
  /// Where a training checkpoint keeps the model's state dict.
  private static let wrappers: [StaticString] = ["state_dict", "model", "module", "model_state_dict"]

  init(_ contents: PyTorchContents) throws {
    let machine = contents.machine
    var validated: [Int32: StridedTensor] = [:]
    var room = Self.maximumElementsPerByte * max(contents.fileSize, 1 << 16)
    for (key, value) in try Self.stateDict(contents) {
      guard case .tensor(let index) = value, case .text(let place) = key else { continue }
      let position = Int(machine.objects.tensors[Int(index)].position)
      guard let name = machine.text(place) else {
        throw machine.malformed("the name of a tensor is not UTF-8", at: Int(place.start))
      }
      let tensor = try validated[index] ?? Self.validate(machine.objects.tensors[Int(index)], name, contents)
      validated[index] = tensor
      room -= min(tensor.count, room + 1)
      guard room >= 0 else {
        throw machine.malformed(
          "the tensors up to \(quoted(name)) have more than \(Self.maximumElementsPerByte) elements for each byte "
            + "of the file", at: position)
      }
      guard tensors.updateValue(tensor, forKey: name) == nil else {
        throw machine.malformed("the name \(quoted(name)) appears twice", at: Int(place.start))
      }
      names.append(name)
    }
  }

  /// The dictionary that holds the tensors: the whole, or one level below it.
  private static func stateDict(_ contents: PyTorchContents) throws -> [(key: PickleValue, value: PickleValue)] {
    let machine = contents.machine
    func holdsTensors(_ items: [(key: PickleValue, value: PickleValue)]) -> Bool {
      items.contains { if case .tensor = $0.value { true } else { false } }
    }
    func unsupported(_ reason: String) -> CheckpointError {
      .unsupported(
        file: machine.file, reason: reason,
        hint: "a state dict is needed, as torch.save(model.state_dict(), …) writes it")
    }
    guard case .dictionary(let index) = contents.root else {
      throw unsupported("it holds \(contents.root.kind)")
    }
    let whole = machine.objects.dictionaries[Int(index)]
    for wrapper in wrappers {
      for (key, value) in whole where machine.isText(key, wrapper) {
        if case .dictionary(let index) = value, case let items = machine.objects.dictionaries[Int(index)],
          holdsTensors(items)
        {
          return items
        }
      }
    }
    if holdsTensors(whole) { return whole }
    let keys = whole.prefix(5).map { item in
      guard case .text(let place) = item.key else { return item.key.kind }
      return quoted(String(decoding: machine.slice(place), as: UTF8.self))
    }
    throw unsupported(
      "it holds a dictionary without tensors"
        + (keys.isEmpty ? "" : "; its keys: " + keys.joined(separator: ", ") + (whole.count > 5 ? ", …" : "")))
  }

  /// Checks that a tensor lies in its storage, and its storage in the file.
  private static func validate(
    _ tensor: PickledTensor, _ tensorName: String, _ contents: PyTorchContents
  ) throws -> StridedTensor {
    let machine = contents.machine
    // Worked out only for an error.
    var name: String { quoted(tensorName) }
    func malformed(_ reason: String) -> CheckpointError { machine.malformed(reason, at: Int(tensor.position)) }

    let storage = machine.objects.storages[Int(tensor.storage)]
    guard let key = machine.text(storage.key), let place = contents.bytes(ofStorage: key) else {
      throw malformed(
        "tensor \(name) refers to the storage "
          + quoted(String(decoding: machine.slice(storage.key), as: UTF8.self)) + ", which the file does not have")
    }
    guard let type = tensor.type ?? storage.type else {
      throw malformed("tensor \(name) has no type of elements")
    }
    let elementSize = storage.type?.byteSize ?? 1
    let (skipped, skippedOverflow) = storage.viewOffset.multipliedReportingOverflow(by: elementSize)
    let (size, sizeOverflow) = storage.count.multipliedReportingOverflow(by: elementSize)
    guard !skippedOverflow, !sizeOverflow, skipped <= place.count, size <= place.count - skipped else {
      throw malformed(
        "tensor \(name) needs a storage of \(storage.count) elements of \(elementSize) bytes, and "
          + "\(quoted(key)) has \(place.count) bytes")
    }
    guard let shape = integers(tensor.shape, machine), let strides = integers(tensor.strides, machine),
      shape.count == strides.count, shape.count <= maximumRank
    else {
      throw malformed("the shape or the strides of tensor \(name) are not whole numbers of at least 0, or not as many")
    }
    guard let count = elementCount(shape) else { throw malformed("the shape of tensor \(name) is too large") }
    guard tensor.offset >= 0 else { throw malformed("tensor \(name) begins before its storage") }
    if count > 0 {
      guard let last = lastIndex(shape, strides, tensor.offset), last < size / type.byteSize else {
        throw malformed(
          "tensor \(name) of shape \(shape), strides \(strides) and offset \(tensor.offset) leaves its storage of "
            + "\(size / type.byteSize) elements")
      }
    }
    let start = count > 0 ? place.lowerBound + skipped + tensor.offset * type.byteSize : place.lowerBound
    return StridedTensor(type: type, shape: shape, strides: strides, count: count, start: start, storage: place)
  }

  private static func integers(_ tuple: Int32, _ machine: PickleMachine) -> [Int]? {
    let items = machine.objects.items(ofTuple: tuple)
    guard items.count <= maximumRank else { return nil }
    var numbers: [Int] = []
    for item in items {
      guard case .integer(let number) = item, number >= 0 else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  /// The index of a tensor's last element in its storage; nil on overflow.
  private static func lastIndex(_ shape: [Int], _ strides: [Int], _ offset: Int) -> Int? {
    var last = offset
    for (length, stride) in zip(shape, strides) {
      let (distance, tooFar) = (length - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflow) = last.addingReportingOverflow(distance)
      if tooFar || overflow { return nil }
      last = sum
    }
    return last
  }
}
