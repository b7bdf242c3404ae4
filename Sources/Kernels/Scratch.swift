import Foundation

/// Memory for `count` floats while `body` runs; its content is undefined.
///
/// It comes from an arena that the thread keeps, so that a training loop, once warm, asks the system for nothing.
@inline(__always) public func withScratch<Result>(_ count: Int, _ body: (MutableFloats) -> Result) -> Result {
  let arena = ScratchArena.current
  let mark = arena.mark
  defer { arena.release(to: mark) }
  return body(arena.allocate(count))
}

/// Blocks of memory that are borrowed and given back in the order of a stack, one arena for each thread.
@usableFromInline final class ScratchArena {
  /// How much is in use.
  @usableFromInline struct Mark {
    fileprivate var blockCount: Int
    fileprivate var used: Int
  }

  private var blocks: [FloatBuffer] = []
  private var used = 0
  /// The most that was ever in use, which the next first block is made to hold.
  private var wanted = 0

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { pointer in
      #if canImport(Darwin)
        Unmanaged<ScratchArena>.fromOpaque(pointer).release()
      #else
        if let pointer { Unmanaged<ScratchArena>.fromOpaque(pointer).release() }
      #endif
    }
    return key
  }()

  /// The arena of the calling thread.
  @usableFromInline static var current: ScratchArena {
    if let pointer = pthread_getspecific(key) {
      return Unmanaged<ScratchArena>.fromOpaque(pointer).takeUnretainedValue()
    }
    let arena = ScratchArena()
    pthread_setspecific(key, Unmanaged.passRetained(arena).toOpaque())
    return arena
  }

  @usableFromInline var mark: Mark { Mark(blockCount: blocks.count, used: used) }

  @usableFromInline func allocate(_ count: Int) -> MutableFloats {
    // Whole cache lines.
    let size = (max(count, 1) + 15) / 16 * 16
    if let block = blocks.last, used + size <= block.count {
      defer { used += size }
      return block.pointer + used
    }
    let block = FloatBuffer(count: blocks.isEmpty ? max(size, wanted) : size, isZeroed: false)
    blocks.append(block)
    wanted = max(wanted, blocks.reduce(0) { $0 + $1.count })
    used = size
    return block.pointer
  }

  @usableFromInline func release(to mark: Mark) {
    if mark.used > 0 {
      blocks.removeLast(blocks.count - mark.blockCount)
      used = mark.used
    } else {
      // Nothing is in use. One block serves from now on, if need be a larger one.
      if (blocks.first?.count ?? 0) < wanted { blocks = [] } else { blocks.removeLast(blocks.count - 1) }
      used = 0
    }
  }
}
