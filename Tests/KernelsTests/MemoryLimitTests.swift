import Foundation
import Kernels
import TestSupport
import Testing

/// Limits as Docker, Kubernetes, systemd and Slurm set them, in copies of what their systems show.
@Suite("The memory that a process may use") struct MemoryLimitTests {
  private static let gibibyte = 1 << 30
  /// No limit in version 1: the greatest multiple of a page.
  private static let unlimited = "9223372036854771712\n"

  /// What a process sees whose files are `files`, on a computer of 8 GiB.
  private func limit(_ files: [String: String]) throws -> MemoryLimit {
    try withTemporaryFolder { root in
      for (name, text) in files {
        let file = root.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
      return MemoryLimit(physicalMemory: 8 * Self.gibibyte, root: root.path)
    }
  }

  private let second = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
  private let first = """
    31 24 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
    33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct
    35 31 0:32 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory

    """

  @Test func `without control groups it is the computer's memory`() throws {
    for files in [
      [:], ["proc/self/cgroup": "0::/\n"], ["proc/self/mountinfo": second], ["proc/self/cgroup": "\0::\n:"],
    ] {
      #expect(try limit(files) == MemoryLimit(physicalMemory: 8 * Self.gibibyte, root: "/nowhere"))
    }
    #expect(MemoryLimit.current.bytes > 0)
  }

  @Test func `version 2, in a container: its group is the top`() throws {
    let files = [
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": second, "sys/fs/cgroup/memory.max": "536870912\n",
    ]
    let limit = try limit(files)
    #expect(limit.bytes == 512 << 20 && limit.source == "/sys/fs/cgroup/memory.max")
  }

  @Test func `version 2, nested: the least of all groups above counts, and memory that is throttled is not there`()
    throws
  {
    var files = [
      "proc/self/cgroup": "0::/user.slice/user-1000.slice/run.scope\n", "proc/self/mountinfo": second,
      "sys/fs/cgroup/user.slice/memory.max": "max\n",
      "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "2147483648\n",
      "sys/fs/cgroup/user.slice/user-1000.slice/run.scope/memory.max": "4294967296\n",
      // Not on the way.
      "sys/fs/cgroup/system.slice/memory.max": "1\n",
    ]
    #expect(try limit(files).bytes == 2 * Self.gibibyte)
    files["sys/fs/cgroup/user.slice/user-1000.slice/run.scope/memory.high"] = "1073741824\n"
    #expect(try limit(files).bytes == Self.gibibyte)
    for text in ["max\n", "", "none", "0\n", "-1\n", "17179869184\n", "99999999999999999999999\n"] {
      var files = files.filter { !$0.key.contains("1000") }
      files["sys/fs/cgroup/user.slice/memory.max"] = text
      #expect(try limit(files).source == nil, "\(text)")
    }
  }

  @Test func `version 1, with names of several hierarchies`() throws {
    var files = [
      "proc/self/cgroup": "12:cpu,cpuacct:/slurm/job_7\n4:memory:/slurm/job_7/step_0\n0::/\n",
      "proc/self/mountinfo": first + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": Self.unlimited,
      "sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": "3221225472\n",
      "sys/fs/cgroup/memory/slurm/job_7/step_0/memory.limit_in_bytes": Self.unlimited,
    ]
    #expect(try limit(files).bytes == 3 * Self.gibibyte)
    files["sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes"] = Self.unlimited
    #expect(try limit(files).source == nil)
  }

  @Test func `version 1, in a container: the path is that of the host, the mounted folder is its end`() throws {
    for root in ["/docker/0123abc", "/docker/0123abc/../0123abc", "/kubepods/pod1"] {
      let files = [
        "proc/self/cgroup": "4:memory:/docker/0123abc\n",
        "proc/self/mountinfo": "35 31 0:32 \(root) /sys/fs/cgroup/memory ro master:12 - cgroup cgroup rw,memory\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
      ]
      #expect(try limit(files).bytes == 256 << 20, "\(root)")
    }
  }

  @Test func `white space in a mount point`() throws {
    let files = [
      "proc/self/cgroup": "0::/a\n",
      "proc/self/mountinfo": #"30 24 0:27 / /mnt/control\040groups rw - cgroup2 cgroup2 rw"#,
      "mnt/control groups/a/memory.max": "1048576\n",
    ]
    #expect(try limit(files).source == "/mnt/control groups/a/memory.max")
  }
}
