/// What stands on the stack of a ``PickleMachine``: small, and never the owner of another value.
///
/// Containers live in ``PickledObjects`` and are referred to by number, so nothing is nested in memory however deep a
/// file nests it, and nothing is copied however often a file repeats it.
enum PickleValue {
  /// Python's None.
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer of more than 64 bits: its little-endian bytes, counted from the start of the pickle.
  case longInteger(PickledBytes)
  case text(PickledBytes)
  case global(PickleGlobal)
  case tuple(Int32)
  case list(Int32)
  case dictionary(Int32)
  case storage(Int32)
  case tensor(Int32)
  /// A value that is of no use here: a float, bytes, a set, a device.
  case other

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .integer, .longInteger: "an integer"
    case .text: "a string"
    case .global(let global): global.name
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .storage: "a storage"
    case .tensor: "a tensor"
    case .other: "another value"
    }
  }
}

/// A part of a pickle's bytes.
struct PickledBytes {
  var start: UInt32
  var count: UInt32
}

/// A storage that a pickle refers to: a run of elements kept beside the pickle.
struct PickledStorage {
  /// The type of its elements, or nil for bytes whose tensors say the type.
  var type: TorchType?
  /// Its name in the file.
  var key: PickledBytes
  /// The number of elements.
  var count: Int
  /// Where it begins in the storage of that name, in elements; only files of the old format have such views.
  var viewOffset = 0
}

/// A tensor as a pickle describes it, not validated yet.
struct PickledTensor {
  /// Index of its storage.
  var storage: Int32
  /// Indices of the tuples with its shape and strides.
  var shape, strides: Int32
  /// The type of its elements, where the storage does not say it.
  var type: TorchType?
  /// Where the pickle makes it, counted from the pickle's start.
  var position: UInt32
  /// Where it begins in the storage, in elements.
  var offset: Int
}

/// The containers, storages and tensors of a pickle.
struct PickledObjects {
  var lists: [[PickleValue]] = []
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [PickledStorage] = []
  var tensors: [PickledTensor] = []
  private var tuples: [Range<UInt32>] = []
  private var tupleItems: [PickleValue] = []

  /// The items of a tuple.
  func items(ofTuple index: Int32) -> ArraySlice<PickleValue> {
    let range = tuples[Int(index)]
    return tupleItems[Int(range.lowerBound)..<Int(range.upperBound)]
  }

  mutating func addTuple(_ items: some Sequence<PickleValue>) -> PickleValue {
    let start = UInt32(tupleItems.count)
    tupleItems.append(contentsOf: items)
    tuples.append(start..<UInt32(tupleItems.count))
    return .tuple(Int32(tuples.count - 1))
  }

  mutating func addList() -> PickleValue {
    lists.append([])
    return .list(Int32(lists.count - 1))
  }

  mutating func addDictionary() -> PickleValue {
    dictionaries.append([])
    return .dictionary(Int32(dictionaries.count - 1))
  }
}
