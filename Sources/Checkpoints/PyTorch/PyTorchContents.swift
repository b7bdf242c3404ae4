/// The pickle of a PyTorch file, and where each storage's bytes are.
struct PyTorchContents {
  /// The machine after it has run.
  let machine: PickleMachine
  /// What the pickle makes.
  let root: PickleValue
  /// The size of the file in bytes.
  let fileSize: Int
  private let places: Places

  private enum Places {
    case zip(ZipArchive, prefix: String)
    case legacy([String: Range<Int>])
  }

  /// A zip file with the entries `PREFIX/data.pkl` and `PREFIX/data/KEY`.
  init(zip bytes: UnsafeRawBufferPointer, file: String) throws {
    let archive = try ZipArchive(bytes, file: file)
    let suffix = "data.pkl"
    let pickles = archive.entries.keys.filter { $0.hasSuffix("/" + suffix) }
    guard let name = pickles.first, pickles.count == 1, let range = archive.entries[name] else {
      throw CheckpointError.malformed(
        file: file, offset: nil,
        reason: "the zip file has \(pickles.count) entries data.pkl where 1 is needed; is it a PyTorch file?")
    }
    let prefix = String(name.dropLast(suffix.count))
    if let order = archive.entries[prefix + "byteorder"], !bytes[order].elementsEqual("little".utf8) {
      throw bigEndian(file)
    }
    var machine = PickleMachine(UnsafeRawBufferPointer(rebasing: bytes[range]), file: file, base: range.lowerBound)
    root = try machine.run()
    self.machine = machine
    fileSize = bytes.count
    places = .zip(archive, prefix: prefix)
  }

  /// The format before torch 1.6: five pickles (a magic number, a version, facts on the computer, the object, the storages'
  /// keys), then a count and the elements of each storage.
  init(legacy bytes: UnsafeRawBufferPointer, file: String) throws {
    var position = 0
    func next() throws -> (machine: PickleMachine, value: PickleValue) {
      var machine = PickleMachine(UnsafeRawBufferPointer(rebasing: bytes[position...]), file: file, base: position)
      let value = try machine.run()
      position += machine.position
      return (machine, value)
    }
    func malformed(_ reason: String, at offset: Int) -> CheckpointError {
      .malformed(file: file, offset: offset, reason: reason)
    }
    let magic = try next()
    guard case .longInteger(let place) = magic.value,
      magic.machine.slice(place).elementsEqual([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])
    else {
      throw malformed("the pickle is not torch.save's magic number; is it a PyTorch file?", at: 0)
    }
    let versionStart = position
    guard case .integer(1001) = try next().value else {
      throw malformed("the version of the format is not 1001", at: versionStart)
    }
    let factsStart = position
    let facts = try next()
    guard case .dictionary(let index) = facts.value else {
      throw malformed("the facts on the computer are not a dictionary", at: factsStart)
    }
    for (key, value) in facts.machine.objects.dictionaries[Int(index)]
    where facts.machine.isText(key, "little_endian") {
      guard case .bool(true) = value else { throw bigEndian(file) }
    }
    let (machine, root) = try next()
    let keysStart = position
    let keys = try next()
    guard case .list(let list) = keys.value else {
      throw malformed("the storages' keys are not a list", at: keysStart)
    }
    // The type of a storage, which says how long it is, is known from the references to it.
    var types: [String: TorchType?] = [:]
    for storage in machine.objects.storages {
      guard let key = machine.text(storage.key) else { throw malformed("a storage's key is not UTF-8", at: keysStart) }
      types[key] = .some(storage.type)
    }
    var places: [String: Range<Int>] = [:]
    for value in keys.machine.objects.lists[Int(list)] {
      guard case .text(let place) = value, let key = keys.machine.text(place), let type = types[key] else {
        throw malformed("the storages' keys have one that no tensor refers to", at: keysStart)
      }
      guard bytes.count - position >= 8 else {
        throw CheckpointError.truncated(file: file, offset: bytes.count, needed: position + 8)
      }
      let count = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int64.self))
      let (size, overflow) = Int(count).multipliedReportingOverflow(by: type?.byteSize ?? 1)
      guard count >= 0, !overflow else { throw malformed("the storage has \(count) elements", at: position) }
      let start = position + 8
      guard size <= bytes.count - start else {
        let (needed, overflow) = start.addingReportingOverflow(size)
        throw CheckpointError.truncated(file: file, offset: bytes.count, needed: overflow ? .max : needed)
      }
      guard places.updateValue(start..<start + size, forKey: key) == nil else {
        throw malformed("the storage \(quoted(key)) stands twice among the keys", at: keysStart)
      }
      position = start + size
    }
    self.machine = machine
    self.root = root
    fileSize = bytes.count
    self.places = .legacy(places)
  }

  /// The bytes of a storage, or nil where the file has none of that name.
  func bytes(ofStorage key: String) -> Range<Int>? {
    switch places {
    case .zip(let archive, let prefix): archive.entries[prefix + "data/" + key]
    case .legacy(let places): places[key]
    }
  }
}

private func bigEndian(_ file: String) -> CheckpointError {
  .unsupported(
    file: file, reason: "it was written by a big-endian computer",
    hint: "load and save it with PyTorch on a little-endian one, as x86 and ARM are")
}
