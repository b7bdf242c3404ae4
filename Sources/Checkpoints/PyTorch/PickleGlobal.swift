/// The Python functions, classes and constants that a state dict may name; everything else is refused.
///
/// None of them is ever run: each stands for a few lines of ``PickleMachine``.
enum PickleGlobal {
  case orderedDictionary
  case rebuildTensor
  case rebuildTensor2
  case rebuildTensor3
  case rebuildParameter
  case parameter
  case size
  case storage(TorchType)
  case untypedStorage
  case type(TorchType)
  /// Makes a value that is of no use here: a device, a set, bytes.
  case ignored(IgnoredGlobal)

  /// The name in Python.
  var name: String {
    switch self {
    case .orderedDictionary: "collections.OrderedDict"
    case .rebuildTensor: "torch._utils._rebuild_tensor"
    case .rebuildTensor2: "torch._utils._rebuild_tensor_v2"
    case .rebuildTensor3: "torch._utils._rebuild_tensor_v3"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .parameter: "torch.nn.parameter.Parameter"
    case .size: "torch.Size"
    case .storage(let type): "torch." + (TorchType.storages.first { $0.value == type }?.key ?? type.rawValue)
    case .untypedStorage: "torch.storage.UntypedStorage"
    case .type(let type): "torch." + type.rawValue
    case .ignored(let global): global.rawValue
    }
  }

  /// What a name stands for, or nil where it is not among those that are read.
  init?(name: String) {
    guard let global = Self.byName[name] else { return nil }
    self = global
  }

  private static let byName: [String: PickleGlobal] = {
    var table: [String: PickleGlobal] = [
      "torch.UntypedStorage": .untypedStorage, "torch.storage._UntypedStorage": .untypedStorage,
      // Python 2's name of a module.
      "__builtin__.set": .ignored(.set), "__builtin__.frozenset": .ignored(.frozenset),
    ]
    let plain: [PickleGlobal] = [
      .orderedDictionary, .rebuildTensor, .rebuildTensor2, .rebuildTensor3, .rebuildParameter, .parameter, .size,
      .untypedStorage,
    ]
    for global in plain + IgnoredGlobal.allCases.map({ .ignored($0) }) { table[global.name] = global }
    for (name, type) in TorchType.storages { table["torch." + name] = .storage(type) }
    for type in TorchType.allCases { table["torch." + type.rawValue] = .type(type) }
    return table
  }()
}

/// What makes plain data that often stands beside tensors; the raw value is the name in Python.
enum IgnoredGlobal: String, CaseIterable {
  case device = "torch.device"
  case set = "builtins.set"
  case frozenset = "builtins.frozenset"
  /// Protocol 2 writes bytes as text and this.
  case encode = "_codecs.encode"
}
