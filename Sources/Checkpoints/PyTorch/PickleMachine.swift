/// Runs a pickle as far as tensors need it: a stack machine that knows tensors and plain data, and calls nothing.
///
/// The instructions are those of Python's `pickletools`, of protocols 2 to 5, as far as torch.save writes them.
/// Names that are not in ``PickleGlobal`` are refused. There is no recursion; memory is bounded by ``maximumStack`` and
/// ``maximumValues``, and by 100 bytes for each byte of the pickle.
struct PickleMachine {
  /// The most values and marks that may stand on the stack.
  static let maximumStack = 1 << 20
  /// The most values that containers and memo may hold.
  static let maximumValues = 1 << 23

  let bytes: UnsafeRawBufferPointer
  let file: String
  /// Where ``bytes`` begin in the file.
  let base: Int
  /// Where the next instruction begins; after ``run()``, the end of the pickle.
  var position = 0
  /// Where the present instruction begins.
  private(set) var start = 0
  var objects = PickledObjects()
  private var stack: [PickleValue] = []
  /// How high the stack was at each mark.
  private var marks: [Int] = []
  private var memo: [PickleValue?] = []
  private var room = maximumValues

  /// A machine for the pickle that begins at byte `base` of `file`; `bytes` may go on after its end.
  init(_ bytes: UnsafeRawBufferPointer, file: String, base: Int) {
    // Places in a pickle are kept in 32 bits.
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(Int32.max)))
    self.file = file
    self.base = base
  }

  /// An error at the present instruction, or at `position`.
  func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(file: file, offset: base + (position ?? start), reason: reason)
  }

  /// What the pickle would make.
  mutating func run() throws -> PickleValue {
    while true {
      start = position
      let opcode = try byte()
      if opcode == 0x2e { return try pop() }
      if try !runData(opcode), try !runContainer(opcode), try !runObject(opcode) { throw unknown(opcode) }
    }
  }

  private func unknown(_ opcode: UInt8) -> CheckpointError {
    let digits = String(opcode, radix: 16)
    return malformed(
      "the pickle has the instruction 0x\(digits.count == 1 ? "0" : "")\(digits), which torch.save does not write")
  }

  // MARK: Stack

  mutating func push(_ value: PickleValue) throws {
    guard stack.count < Self.maximumStack else { throw malformed("the pickle's stack grows too high") }
    stack.append(value)
  }

  mutating func pop() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw malformed("the pickle takes a value from an empty stack")
    }
    return value
  }

  /// The value on top, which stays.
  private func top() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.last else {
      throw malformed("the pickle takes a value from an empty stack")
    }
    return value
  }

  /// Counts values that are kept for good.
  mutating func spend(_ count: Int) throws {
    room -= count
    if room < 0 { throw malformed("the pickle holds more than \(Self.maximumValues) values") }
  }

  /// Calls `body` with the values above the last mark, and takes them away.
  private mutating func popMark(_ body: (inout PickleMachine, ArraySlice<PickleValue>) throws -> Void) throws {
    guard let mark = marks.popLast() else { throw malformed("the pickle has no mark here") }
    // A copy of these alone: a slice would make the stack copy all that stays.
    let values = Array(stack[mark...])
    stack.removeSubrange(mark...)
    try body(&self, values[...])
  }

  private mutating func pushTuple(_ count: Int) throws {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw malformed("the pickle takes a value from an empty stack")
    }
    try spend(count + 1)
    let tuple = objects.addTuple(stack.suffix(count))
    stack.removeLast(count)
    try push(tuple)
  }

  private mutating func append(_ values: ArraySlice<PickleValue>) throws {
    guard case .list(let index) = try top() else {
      throw malformed("the pickle appends to \(try top().kind)")
    }
    try spend(values.count)
    objects.lists[Int(index)].append(contentsOf: values)
  }

  private mutating func set(_ values: ArraySlice<PickleValue>) throws {
    guard case .dictionary(let index) = try top() else {
      throw malformed("the pickle sets items of \(try top().kind)")
    }
    guard values.count % 2 == 0 else { throw malformed("the pickle has a key without a value") }
    try spend(values.count)
    var place = values.startIndex
    while place < values.endIndex {
      objects.dictionaries[Int(index)].append((values[place], values[place + 1]))
      place += 2
    }
  }

  private mutating func keep(_ place: Int) throws {
    // A pickle cannot number more values than it has bytes.
    guard place <= bytes.count else { throw malformed("the pickle's memo has no place \(place)") }
    let value = try top()
    if place >= memo.count {
      try spend(place + 1 - memo.count)
      memo.append(contentsOf: repeatElement(nil, count: place + 1 - memo.count))
    }
    memo[place] = value
  }

  private mutating func fetch(_ place: Int) throws {
    guard place < memo.count, let value = memo[place] else {
      throw malformed("the pickle's memo has nothing at place \(place)")
    }
    try push(value)
  }

  // MARK: Instructions

  /// Containers, marks and the memo.
  private mutating func runContainer(_ opcode: UInt8) throws -> Bool {
    switch opcode {
    case 0x28:  // MARK
      guard marks.count < Self.maximumStack else { throw malformed("the pickle's stack grows too high") }
      marks.append(stack.count)
    case 0x30:  // POP, which takes a mark too
      if let mark = marks.last, mark == stack.count { marks.removeLast() } else { _ = try pop() }
    case 0x31: try popMark { _, _ in }  // POP_MARK
    case 0x32: try push(try top())  // DUP
    case 0x29: try pushTuple(0)  // EMPTY_TUPLE
    case 0x85, 0x86, 0x87: try pushTuple(Int(opcode) - 0x84)  // TUPLE1, TUPLE2, TUPLE3
    case 0x74:  // TUPLE
      try popMark { machine, values in
        try machine.spend(values.count + 1)
        try machine.push(machine.objects.addTuple(values))
      }
    case 0x5d:  // EMPTY_LIST
      try spend(1)
      try push(objects.addList())
    case 0x61: try append([try pop()])  // APPEND
    case 0x65: try popMark { try $0.append($1) }  // APPENDS
    case 0x7d:  // EMPTY_DICT
      try spend(1)
      try push(objects.addDictionary())
    case 0x73:  // SETITEM
      let value = try pop()
      try set([try pop(), value])
    case 0x75: try popMark { try $0.set($1) }  // SETITEMS
    case 0x8f: try push(.other)  // EMPTY_SET
    case 0x90: try popMark { _, _ in }  // ADDITEMS
    case 0x91: try popMark { machine, _ in try machine.push(.other) }  // FROZENSET
    case 0x68: try fetch(Int(try byte()))  // BINGET
    case 0x6a: try fetch(Int(try number(UInt32.self)))  // LONG_BINGET
    case 0x71: try keep(Int(try byte()))  // BINPUT
    case 0x72: try keep(Int(try number(UInt32.self)))  // LONG_BINPUT
    case 0x94: try keep(memo.count)  // MEMOIZE
    default: return false
    }
    return true
  }
}
