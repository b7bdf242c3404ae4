import Foundation

/// The memory that this process may use: the computer's or, in a container or session with a limit of its own, that limit.
public struct MemoryLimit: Equatable, Sendable {
  /// The number of bytes.
  public let bytes: Int
  /// The file that sets the limit; nil where it is the computer's memory.
  public let source: String?

  /// The limit of this process.
  public static let current = MemoryLimit(
    physicalMemory: Int(clamping: ProcessInfo.processInfo.physicalMemory), root: "/")

  /// The least of the computer's memory and the limits of the process's control groups, version 1 and 2 (Linux; cgroups(7)).
  ///
  /// A limit holds for all groups below it, so each group on the way to the top of the hierarchy is asked. In a container the
  /// top is what is mounted there. Files that are missing or hold anything else than a number set no limit.
  /// - Parameters:
  ///   - physicalMemory: the computer's memory, in bytes.
  ///   - root: the folder that holds `proc` and whatever is mounted.
  package init(physicalMemory: Int, root: String) {
    var least = (bytes: physicalMemory, source: String?.none)
    for group in Self.groups(root: root) {
      for file in group.files {
        let path = group.folder + "/" + file
        // Version 2 writes "max", version 1 a number beyond all memory where there is no limit.
        guard let text = Self.text(root + path),
          let bytes = Int(text.trimmingPrefix { $0 == " " }.prefix { $0.isNumber })
        else { continue }
        if bytes > 0, bytes < least.bytes { least = (bytes, path) }
      }
    }
    bytes = least.bytes
    source = least.source
  }

  /// The folders of the groups that the process is in, from its own up to the top, with the files that set limits.
  private static func groups(root: String) -> [(folder: String, files: [String])] {
    guard let groups = text(root + "/proc/self/cgroup"), let mounts = text(root + "/proc/self/mountinfo") else {
      return []
    }
    var result: [(folder: String, files: [String])] = []
    for group in groups.split(separator: "\n") {
      // Number of the hierarchy, its controllers (none in version 2), path of the group.
      let parts = group.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || parts[1].split(separator: ",").contains("memory") else { continue }
      let files = isSecond ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
      for line in mounts.split(separator: "\n") {
        // proc(5): number, parent, device, root, mount point, options, optional fields, "-", type, source, super options.
        let fields = line.split(separator: " ")
        guard fields.count > 6, let end = fields.firstIndex(of: "-"), fields.count > end + 3 else { continue }
        let isMemory =
          isSecond ? fields[end + 1] == "cgroup2" : fields[end + 3].split(separator: ",").contains("memory")
        guard isMemory, isSecond || fields[end + 1] == "cgroup" else { continue }
        let top = unescaped(fields[4])
        // Where the path lies outside of what is mounted, what is mounted is the process's own group.
        var below = inside(String(parts[2]), of: unescaped(fields[3])) ?? []
        while true {
          result.append((([top] + below).joined(separator: "/"), files))
          if below.popLast() == nil { break }
        }
      }
    }
    return result
  }

  /// The names that lead from a folder to a path inside it; nil where it is not inside.
  private static func inside(_ path: String, of folder: String) -> [String]? {
    let path = path.split(separator: "/").map(String.init)
    let folder = folder.split(separator: "/").map(String.init)
    guard path.starts(with: folder), !path.contains("..") else { return nil }
    return Array(path.dropFirst(folder.count))
  }

  /// A path of mountinfo, where white space and backslashes are written as three octal digits.
  private static func unescaped(_ path: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = path.utf8[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
