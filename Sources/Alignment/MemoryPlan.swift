import Foundation
package import Kernels
import Transformers

/// How a training run uses memory: how many stories are computed at once, and what is kept rather than computed again.
///
/// Whatever the plan, the gradient is the same within rounding.
package struct MemoryPlan: Equatable {
  /// Stories whose activations are held at once.
  package var partSize: Int
  /// Prefixes whose logits stay from the roll-out to the update.
  package var keptLogitRows: Int
  /// Prefixes whose logits under the frozen model stay from step to step.
  package var referenceCacheRows: Int

  /// What the plan has to fit.
  package struct Needs {
    /// Bytes that the process takes already, models included.
    package var taken: Int
    /// Bytes of gradients, optimiser and working memory.
    package var fixed: Int
    /// Bytes of activations of a prompt.
    package var prompt: Int
    /// Stories that share a prompt.
    package var groupSize: Int
    /// Bytes of activations of one story.
    package var story: Int
    /// Prefixes of one story that logits are computed for.
    package var rowsPerStory: Int
    /// Bytes of one prefix's logits.
    package var row: Int

    /// All needs at once.
    package init(
      taken: Int, fixed: Int, prompt: Int, groupSize: Int = .max, story: Int, rowsPerStory: Int, row: Int
    ) {
      self.taken = taken
      self.fixed = fixed
      self.prompt = prompt
      self.groupSize = groupSize
      self.story = story
      self.rowsPerStory = rowsPerStory
      self.row = row
    }

    /// Bytes of activations of `count` of a step's `stories`, with all prompts that they may begin with.
    func part(_ count: Int, of stories: Int) -> Int {
      count * story + PromptGroups.groupCount(ofStories: count, groupSize: groupSize, of: stories) * prompt
    }
  }

  /// Caches take no more than this, each, unless a budget is given.
  package static let defaultCacheBytes = 224 << 20

  /// The plan for a step of `stories`, within `budget` bytes of the whole process or, where there is none, within three quarters
  /// of the memory that it may use.
  ///
  /// - Parameters:
  ///   - partSize: stories computed at once where the user has said so.
  ///   - limit: the memory that the process may use.
  /// - Throws: ``AlignmentError`` where not even a single story fits the budget, or the limit of a container.
  package init(
    _ needs: Needs, stories: Int, partSize: Int?, budget: MemorySize?, limit: MemoryLimit = .current
  ) throws {
    let total = budget?.bytes ?? Int(Double(limit.bytes) * 0.75)
    let left = total - needs.taken - needs.fixed
    // The most stories that fit.
    var fitting = 0
    var tooMany = stories + 1
    while fitting + 1 < tooMany {
      let middle = (fitting + tooMany) / 2
      if needs.part(middle, of: stories) <= left { fitting = middle } else { tooMany = middle }
    }
    let least = needs.taken + needs.fixed + needs.part(1, of: stories)
    // Beyond such a limit the system ends the process, where a computer would still have its swap space.
    if let source = limit.source, least > limit.bytes {
      throw AlignmentError.text(
        reason:
          "the memory limit of this container or session (\(limit.bytes >> 20) MiB, \(source)) is too little for this "
          + "model: a single story at a time needs \(least >> 20) MiB; raise the limit, or take a smaller model")
    }
    if let budget, fitting < 1 {
      throw AlignmentError.setting(
        name: "--memory",
        reason: "is \(budget), too little for this model: a single story at a time needs \(least >> 20) MiB")
    }
    self.partSize = min(partSize ?? stories, stories, max(1, fitting))
    let free = max(0, left - needs.part(self.partSize, of: stories))
    let cacheLimit = budget == nil ? Self.defaultCacheBytes : free
    // Where stories are computed in parts, the logits of one part are overwritten by the next.
    let rows = self.partSize == stories ? stories * needs.rowsPerStory : 0
    keptLogitRows = min(rows, min(free / 2, cacheLimit) / needs.row)
    referenceCacheRows = min(free - keptLogitRows * needs.row, cacheLimit) / needs.row
  }
}

/// The most memory that this process has had so far, in bytes.
func peakMemory() -> Int {
  var usage = rusage()
  #if canImport(Darwin)
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
  #else
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  #endif
}
