/// Where the boxes of one side stand: columns from the left, heights in shares of the side's height.
package struct TreeLayout {
  /// A box.
  package struct Box {
    /// The branch; nil for what its siblings leave over.
    package var branch: Int?
    /// The branch before it, -1 for the prompt.
    package var parent: Int
    /// The column, from 0.
    package var column: Int
    /// The upper edge, 0 to 1.
    package var top: Double
    /// 0 to 1.
    package var height: Double
  }

  /// The boxes from the top left, parents before children.
  package private(set) var boxes: [Box] = []

  /// Lays out a side.
  ///
  /// - Parameters:
  ///   - columns: How many tokens after the prompt are shown.
  ///   - smallest: Boxes of a smaller height are left out; their room stays empty.
  package init(_ tree: TreeBranches, side: Int, columns: Int, smallest: Double) {
    var tops = [Double](repeating: 0, count: tree.branches.count)
    for parent in -1..<tree.branches.count {
      guard let mass = tree.path(parent, side: side), mass > 0 || parent < 0 else { continue }
      let column = parent < 0 ? 0 : tree.branches[parent].depth
      guard column < columns, !tree.children(of: parent).isEmpty else { continue }
      var top = parent < 0 ? 0 : tops[parent]
      for child in tree.children(of: parent) {
        tops[child] = top
        guard let height = tree.branches[child].masses[side]?.path else { continue }
        if height >= smallest {
          boxes.append(Box(branch: child, parent: parent, column: column, top: top, height: height))
        }
        top += height
      }
      if let rest = tree.other(of: parent, side: side), rest >= smallest {
        boxes.append(Box(branch: nil, parent: parent, column: column, top: top, height: rest))
      }
    }
  }
}
