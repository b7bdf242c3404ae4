// What would run code in Python: names, calls, new objects, their state, and references to storages.

extension PickleMachine {
  mutating func runObject(_ opcode: UInt8) throws -> Bool {
    switch opcode {
    case 0x63:  // GLOBAL
      let module = try line()
      try pushGlobal(module, try line())
    case 0x69:  // INST, which torch.save does not write; read for the sake of the name in the message
      let module = try line()
      throw refused(named(module, try line()))
    case 0x93:  // STACK_GLOBAL
      let (name, module) = (try pop(), try pop())
      guard case .text(let name) = name, case .text(let module) = module else {
        throw malformed("the pickle names something by \(module.kind) and \(name.kind)")
      }
      try pushGlobal(module, name)
    case 0x52:  // REDUCE
      let (arguments, function) = (try pop(), try pop())
      guard case .global(let global) = function, case .tuple(let tuple) = arguments else {
        throw malformed("the pickle calls \(function.kind) with \(arguments.kind)")
      }
      try push(try call(global, tuple))
    case 0x81, 0x92:  // NEWOBJ, NEWOBJ_EX
      if opcode == 0x92 { _ = try pop() }
      let (arguments, type) = (try pop(), try pop())
      guard case .global(.orderedDictionary) = type, case .tuple(let tuple) = arguments,
        objects.items(ofTuple: tuple).isEmpty
      else {
        throw refused(type.kind)
      }
      try spend(1)
      try push(objects.addDictionary())
    case 0x62:  // BUILD
      let (_, object) = (try pop(), try pop())
      // An OrderedDict carries the versions of its modules, which nothing here needs.
      guard case .dictionary = object else { throw refused("__setstate__ of \(object.kind)") }
      try push(object)
    case 0x51:  // BINPERSID
      let identifier = try pop()
      try push(try storage(identifier))
    case 0x82, 0x83, 0x84:  // EXT1, EXT2, EXT4
      throw refused("an extension of copyreg")
    default: return false
    }
    return true
  }

  private func named(_ module: PickledBytes, _ name: PickledBytes) -> String {
    String(decoding: slice(module), as: UTF8.self) + "." + String(decoding: slice(name), as: UTF8.self)
  }

  private func refused(_ name: String) -> CheckpointError {
    .unsupported(
      file: file,
      reason: "at byte \(base + start) the pickle asks to run \(quoted(name).dropFirst().dropLast()); "
        + "only tensors are read",
      hint: "save the weights alone, with torch.save(model.state_dict(), …) or as safetensors")
  }

  private mutating func pushGlobal(_ module: PickledBytes, _ name: PickledBytes) throws {
    let name = named(module, name)
    guard let global = PickleGlobal(name: name) else { throw refused(name) }
    try push(.global(global))
  }

  private mutating func call(_ global: PickleGlobal, _ tuple: Int32) throws -> PickleValue {
    let arguments = Array(objects.items(ofTuple: tuple).prefix(9))
    switch global {
    case .orderedDictionary: return try orderedDictionary(arguments)
    case .rebuildTensor where arguments.count == 4: return try tensor(arguments, type: nil)
    case .rebuildTensor2 where arguments.count == 6 || arguments.count == 7:
      try checkMetadata(arguments.dropFirst(6).first)
      return try tensor(arguments, type: nil)
    case .rebuildTensor3 where arguments.count == 7 || arguments.count == 8:
      guard case .global(.type(let type)) = arguments[6] else {
        throw malformed("the pickle makes a tensor of \(arguments[6].kind) as its type")
      }
      try checkMetadata(arguments.dropFirst(7).first)
      return try tensor(arguments, type: type)
    case .rebuildParameter where arguments.count == 3:
      guard case .tensor = arguments[0] else { throw malformed("the pickle makes a parameter of \(arguments[0].kind)") }
      return arguments[0]
    case .size where arguments.count == 1:
      guard case .tuple = arguments[0] else { throw malformed("the pickle makes a size of \(arguments[0].kind)") }
      return arguments[0]
    case .ignored: return .other
    case .rebuildTensor, .rebuildTensor2, .rebuildTensor3, .rebuildParameter, .size:
      throw malformed("the pickle calls \(global.name) with \(arguments.count) arguments")
    case .parameter, .storage, .untypedStorage, .type: throw refused(global.name)
    }
  }

  /// An empty one; or, from Python 2, one made from a list of pairs.
  private mutating func orderedDictionary(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count <= 1 else {
      throw malformed("the pickle calls collections.OrderedDict with \(arguments.count) arguments")
    }
    var items: [(key: PickleValue, value: PickleValue)] = []
    if let first = arguments.first {
      guard case .list(let list) = first else {
        throw malformed("the pickle makes a dictionary of \(first.kind)")
      }
      for pair in objects.lists[Int(list)] {
        guard case .list(let index) = pair, case let pair = objects.lists[Int(index)], pair.count == 2 else {
          throw malformed("the pickle makes a dictionary of what is not a pair")
        }
        items.append((pair[0], pair[1]))
      }
    }
    try spend(2 * items.count + 1)
    let dictionary = objects.addDictionary()
    if !items.isEmpty { objects.dictionaries[objects.dictionaries.count - 1] = items }
    return dictionary
  }

  /// Marks such as "to be negated when read" would change the values.
  private func checkMetadata(_ value: PickleValue?) throws {
    switch value {
    case nil, .some(.none): return
    case .some(.dictionary(let index)) where objects.dictionaries[Int(index)].isEmpty: return
    default:
      throw CheckpointError.unsupported(
        file: file, reason: "the tensor at byte \(base + start) is a lazy view (conjugated or negated)",
        hint: "save it with .resolve_conj().resolve_neg()")
    }
  }

  private mutating func tensor(_ arguments: [PickleValue], type: TorchType?) throws -> PickleValue {
    guard case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
      case .tuple(let shape) = arguments[2], case .tuple(let strides) = arguments[3]
    else {
      throw malformed(
        "the pickle makes a tensor of "
          + arguments.prefix(4).map(\.kind).joined(separator: ", "))
    }
    try spend(2)
    objects.tensors.append(
      PickledTensor(
        storage: storage, shape: shape, strides: strides, type: type, position: UInt32(start), offset: offset))
    return .tensor(Int32(objects.tensors.count - 1))
  }

  /// What `("storage", class, key, device, count)` refers to; the old format adds a view or None.
  private mutating func storage(_ identifier: PickleValue) throws -> PickleValue {
    guard case .tuple(let tuple) = identifier, case let parts = Array(objects.items(ofTuple: tuple).prefix(7)),
      parts.count == 5 || parts.count == 6, isText(parts[0], "storage"), case .global(let global) = parts[1],
      case .text(let key) = parts[2], case .integer(let count) = parts[4]
    else {
      throw malformed("the pickle refers to something that is not a storage")
    }
    var storage: PickledStorage
    switch global {
    case .storage(let type): storage = PickledStorage(type: type, key: key, count: count)
    case .untypedStorage: storage = PickledStorage(type: nil, key: key, count: count)
    default: throw malformed("the pickle refers to a storage of class \(global.name)")
    }
    guard count >= 0 else { throw malformed("the pickle refers to a storage of \(count) elements") }
    if parts.count == 6, case .tuple(let view) = parts[5] {
      let view = Array(objects.items(ofTuple: view).prefix(4))
      guard view.count == 3, case .integer(let offset) = view[1], case .integer(let size) = view[2],
        offset >= 0, size >= 0, offset <= count, size <= count - offset
      else {
        throw malformed("the pickle has a view that its storage does not hold")
      }
      storage.viewOffset = offset
      storage.count = size
    }
    try spend(3)
    objects.storages.append(storage)
    return .storage(Int32(objects.storages.count - 1))
  }
}
