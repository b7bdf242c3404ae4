package import Kernels
package import Transformers

/// The frozen model that KL is measured to, and what it said of prefixes in earlier steps.
///
/// It never changes, so its logits of a prefix stay true. They are kept from the second time that a prefix is met, since most
/// prefixes are met once only, for as many prefixes as there is room; the one that was not met for longest makes place.
package final class FrozenReference {
  /// A prefix by its tokens.
  private typealias Prefix = [Int32]

  private struct Entry {
    var slot: Int
    var lastStep: Int
  }

  let model: any LanguageModel
  /// Nodes at the beginning of every tree that are computed by themselves; 0 for none.
  private let promptLength: Int
  private let activations: Activations
  /// [capacity, vocabularySize]; what is never written takes no memory.
  private let logits: FloatBuffer
  private let capacity: Int
  private var entries: [Prefix: Entry] = [:]
  private var freeSlots: [Int]
  /// Hashes of prefixes that were met once.
  private var met: Set<Int> = []
  private static let metLimit = 1 << 20
  /// Prefixes whose logits are kept at most, however small a vocabulary is.
  private static let capacityLimit = 1 << 16

  /// The prefixes that this step has asked for, row by row.
  private enum Row {
    /// In this slot of ``logits``.
    case cached(slot: Int)
    /// At this row of ``hidden``, to be kept in a slot where there is one.
    case computed(hiddenRow: Int, slot: Int?)
  }

  private var rows: [Row] = []
  private var hidden = FloatBuffer(count: 0)

  /// Nodes that are computed together.
  package static let partSize = 1_024

  /// A reference whose stories have at most `depth` tokens, prompt included.
  ///
  /// What it says must not depend on what it said before, or a run that is resumed would end otherwise. So nothing is kept where
  /// an unbranched path can be long enough to be computed by products, which the missing of a branch would decide.
  ///
  /// - Parameters:
  ///   - promptLength: tokens that all stories begin with: a path of their own. Nil where prompts differ.
  ///   - cacheRows: prefixes whose logits are kept, at most.
  package init(_ model: any LanguageModel, depth: Int, promptLength: Int? = nil, cacheRows: Int) {
    self.model = model
    let isShort = depth < TreeAttention.shortestChain
    let isShortAfterPrompt = promptLength.map { depth - $0 < TreeAttention.shortestChain } ?? false
    self.promptLength = isShort || !isShortAfterPrompt ? 0 : promptLength ?? 0
    let cacheRows = isShort || isShortAfterPrompt ? cacheRows : 0
    activations = model.makeActivations(capacity: max(Self.partSize, 2 * depth), keepsForBackward: false)
    capacity = min(cacheRows, Self.capacityLimit)
    logits = FloatBuffer(count: capacity * model.vocabularySize, isZeroed: false)
    freeSlots = Array((0..<capacity).reversed())
  }

  /// FLOPs that the logits of the last call need, known prefixes left out.
  private(set) var lastFlops = 0

  /// How many prefixes' logits are known.
  package var knownCount: Int { entries.count }

  /// The reference's logits at the nodes from `firstRow` on, good until the next call.
  ///
  /// Only nodes that are not known, and what they descend from, are computed.
  package func logits(_ tree: TokenTree, from firstRow: Int, step: Int) -> ReferenceLogits {
    rows = []
    rows.reserveCapacity(tree.count - firstRow)
    var isNeeded = [Bool](repeating: false, count: tree.count)
    var missing: [(node: Int, prefix: Prefix)] = []
    for node in firstRow..<tree.count {
      let prefix = tree.path(to: node).map { tree.tokens[$0] }
      if let entry = entries[prefix] {
        entries[prefix]?.lastStep = step
        rows.append(.cached(slot: entry.slot))
      } else {
        rows.append(.computed(hiddenRow: missing.count, slot: nil))
        missing.append((node, prefix))
        var ancestor = node
        while ancestor >= 0, !isNeeded[ancestor] {
          isNeeded[ancestor] = true
          ancestor = Int(tree.parents[ancestor])
        }
      }
    }
    lastFlops = missing.count * model.head.flops
    var hiddenRows = [Int](repeating: -1, count: tree.count)
    for (row, (node, _)) in missing.enumerated() { hiddenRows[node] = row }
    compute(tree, isNeeded, hiddenRows)
    reserveSlots(for: missing, firstRow: firstRow, step: step)
    return ReferenceLogits(vocabularySize: model.vocabularySize) { [unowned self] rows, logits in
      write(rows, into: logits)
    }
  }

  /// Computes the hidden states of the missing nodes, which need the nodes that are marked.
  ///
  /// It goes depth first, so that a part of the tree is finished before the next is begun: memory is needed for one part at a time,
  /// and only the way from the root to where a part begins is computed again.
  private func compute(_ tree: TokenTree, _ isNeeded: [Bool], _ hiddenRows: [Int]) {
    let count = hiddenRows.reduce(0) { $1 >= 0 ? $0 + 1 : $0 }
    let size = model.hiddenSize
    if hidden.count < count * size { hidden = FloatBuffer(count: count * size, isZeroed: false) }
    var children = [[Int]](repeating: [], count: tree.count)
    var stack: [Int] = []
    for node in (0..<tree.count).reversed() where isNeeded[node] {
      if tree.parents[node] < 0 { stack.append(node) } else { children[Int(tree.parents[node])].append(node) }
    }
    var part = TokenTree()
    var members: [(node: Int, place: Int)] = []
    var places = [Int](repeating: -1, count: tree.count)
    func finish() {
      let split = min(promptLength, part.count)
      model.forward(part, nodes: 0..<split, activations: activations)
      model.forward(part, nodes: split..<part.count, activations: activations)
      lastFlops += model.forwardFlops(part)
      for (node, place) in members where hiddenRows[node] >= 0 {
        (hidden.pointer + hiddenRows[node] * size).update(from: activations.hidden.pointer + place * size, count: size)
      }
      for (node, _) in members { places[node] = -1 }
      part = TokenTree()
      members = []
    }
    func append(_ node: Int) {
      let parent = Int(tree.parents[node])
      places[node] = part.append(token: Int(tree.tokens[node]), parent: parent < 0 ? nil : places[parent])
      members.append((node, places[node]))
    }
    while let node = stack.popLast() {
      if part.count == activations.capacity {
        finish()
        tree.path(to: node).dropLast().forEach(append)
      }
      append(node)
      stack += children[node]
    }
    if part.count > 0 { finish() }
  }

  /// Finds slots for prefixes that were met before and are not known yet.
  private func reserveSlots(for missing: [(node: Int, prefix: Prefix)], firstRow: Int, step: Int) {
    guard capacity > 0 else { return }
    if met.count > Self.metLimit { met = [] }
    // Those not met in this step, the longest unused last; found only where they are needed.
    var leaving: [Prefix]?
    for (index, (node, prefix)) in missing.enumerated() {
      guard !met.insert(prefix.hashValue).inserted else { continue }
      // A prompt that goes on as another one's story has its nodes twice.
      guard entries[prefix] == nil else { continue }
      if freeSlots.isEmpty {
        if leaving == nil {
          leaving = entries.filter { $0.value.lastStep < step }.sorted { $0.value.lastStep > $1.value.lastStep }
            .map(\.key)
        }
        if let last = leaving?.popLast(), let entry = entries.removeValue(forKey: last) { freeSlots.append(entry.slot) }
      }
      guard let slot = freeSlots.popLast() else { return }
      entries[prefix] = Entry(slot: slot, lastStep: step)
      rows[node - firstRow] = .computed(hiddenRow: index, slot: slot)
    }
  }

  private func write(_ range: Range<Int>, into target: MutableFloats) {
    let vocabularySize = model.vocabularySize
    var missing: [(row: Int, hiddenRow: Int, slot: Int?)] = []
    for (index, row) in rows[range].enumerated() {
      if case .computed(let hiddenRow, let slot) = row { missing.append((index, hiddenRow, slot)) }
    }
    if let first = missing.first {
      // The missing rows' hidden states follow each other: one product, then each row to its place, the last first.
      linear(
        hidden.pointer + first.hiddenRow * model.hiddenSize, weight: model.head.weight, into: target,
        rows: missing.count, inputSize: model.hiddenSize, outputSize: vocabularySize)
      for (place, (row, _, slot)) in missing.enumerated().reversed() {
        let computed = target + place * vocabularySize
        if let slot { (logits.pointer + slot * vocabularySize).update(from: computed, count: vocabularySize) }
        if row != place { (target + row * vocabularySize).update(from: computed, count: vocabularySize) }
      }
    }
    for (index, row) in rows[range].enumerated() {
      guard case .cached(let slot) = row else { continue }
      (target + index * vocabularySize).update(from: logits.pointer + slot * vocabularySize, count: vocabularySize)
    }
  }
}
