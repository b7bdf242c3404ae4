import Checkpoints
import Foundation
import TestSupport
import Testing

private struct Stop: Error {}

@Suite(.timeLimit(.minutes(1))) struct AtomicTests {
  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  private func text(_ url: URL) throws -> String {
    String(decoding: try Data(contentsOf: url), as: UTF8.self)
  }

  @Test func `writes pieces of all sizes in order`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      var expected = Data()
      try writeAtomically(to: url) { writer in
        for size in [0, 1, 65_535, 1, 65_536, 3, 200_000, 0, 40_000, 40_000] {
          let piece = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 ^ size) })
          expected += piece
          try writer.write(piece)
        }
        try writer.write("é\n")
        expected += Data("é\n".utf8)
      }
      #expect(try Data(contentsOf: url) == expected)
      #expect(try names(folder) == ["a"])
      try writeAtomically(Data(), to: url)
      #expect(try Data(contentsOf: url).isEmpty)
    }
  }

  @Test func `a failure leaves the old file and nothing else`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      try writeAtomically(Data("old".utf8), to: url)
      #expect(throws: Stop.self) {
        try writeAtomically(to: url) { writer in
          try writer.write(Data(repeating: 1, count: 1_000_000))
          #expect(try text(url) == "old")
          throw Stop()
        }
      }
      #expect(try text(url) == "old")
      #expect(try names(folder) == ["a"])
    }
  }

  @Test func `says where it cannot write`() throws {
    try withTemporaryFolder { folder in
      let nowhere = folder.appending(path: "no/a")
      #expect(
        message { try writeAtomically(Data(), to: nowhere) }
          == "cannot write \(nowhere.path): the folder it goes into does not exist")
      let inside = folder.appending(path: "folder")
      try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: false)
      #expect(message { try writeAtomically(Data(), to: inside) }?.hasPrefix("cannot write \(inside.path): ") == true)
      let tooLong = folder.appending(path: String(repeating: "x", count: 256))
      #expect(message { try writeAtomically(Data(), to: tooLong) } != nil)
      #expect(try names(folder) == ["folder"])
      let longest = folder.appending(path: String(repeating: "x", count: 255))
      try writeAtomically(Data("a".utf8), to: longest)
      #expect(try text(longest) == "a")
    }
  }

  @Test func `a writer that outlives its file refuses`() throws {
    try withTemporaryFolder { folder in
      var escaped: AtomicFileWriter?
      try writeAtomically(to: folder.appending(path: "a")) { escaped = $0 }
      let writer = try #require(escaped)
      #expect(message { try writer.write(Data(count: 100_000)) }?.contains("already finished") == true)
    }
  }

  @Test func `a reader sees only whole files while they are replaced`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: "a")
    try writeAtomically(Data(repeating: 0, count: 300_000), to: url)
    let writing = Task.detached {
      for round in 1...40 { try writeAtomically(Data(repeating: UInt8(round), count: 300_000), to: url) }
    }
    var torn = 0
    for _ in 0..<200 {
      let data = try MappedBytes(file: url).data
      if data.count != 300_000 || data.contains(where: { $0 != data.first }) { torn += 1 }
    }
    try await writing.value
    #expect(torn == 0)
    #expect(try Data(contentsOf: url) == Data(repeating: 40, count: 300_000))
  }

  @Test func `a folder appears whole, with those above it`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "run/checkpoints/step-000001")
      try writeFolderAtomically(url) { temporary in
        try writeAtomically(Data("{}".utf8), to: temporary.appending(path: "config.json"))
        try FileManager.default.createDirectory(
          at: temporary.appending(path: "deep/er"), withIntermediateDirectories: true)
        try Data("x".utf8).write(to: temporary.appending(path: "deep/er/file"))
        try FileManager.default.createSymbolicLink(
          atPath: temporary.appending(path: "link").path, withDestinationPath: "nowhere")
        #expect(!FileManager.default.fileExists(atPath: url.path))
      }
      #expect(try names(url) == ["config.json", "deep", "link"])
      #expect(try text(url.appending(path: "deep/er/file")) == "x")
      #expect(try names(url.deletingLastPathComponent()) == ["step-000001"])
    }
  }

  @Test func `a folder replaces another, and a failure keeps the old one`() throws {
    try withTemporaryFolder { folder in
      // With and without the slash that Foundation adds to folders.
      for url in [folder.appending(path: "a"), URL(filePath: folder.path + "/a", directoryHint: .isDirectory)] {
        try writeFolderAtomically(url) { try Data("1".utf8).write(to: $0.appending(path: "one")) }
        try writeFolderAtomically(url) { temporary in
          try Data("2".utf8).write(to: temporary.appending(path: "two"))
          #expect(try names(url) == ["one"])
        }
        #expect(try names(url) == ["two"])
        #expect(throws: Stop.self) {
          try writeFolderAtomically(url) { temporary in
            try Data("3".utf8).write(to: temporary.appending(path: "three"))
            throw Stop()
          }
        }
        #expect(try names(url) == ["two"])
        #expect(try names(folder) == ["a"])
      }
    }
  }

  @Test func `a folder does not replace a file`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      try Data("old".utf8).write(to: url)
      #expect(message { try writeFolderAtomically(url) { _ in } }?.contains("there is a file of this name") == true)
      let below = url.appending(path: "b/c")
      #expect(message { try writeFolderAtomically(below) { _ in } }?.hasPrefix("cannot create the folder") == true)
      #expect(try text(url) == "old")
      #expect(try names(folder) == ["a"])
    }
  }

  @Test func `a link to a folder is replaced, not followed`() throws {
    try withTemporaryFolder { folder in
      let kept = folder.appending(path: "kept")
      try writeFolderAtomically(kept) { try Data("k".utf8).write(to: $0.appending(path: "file")) }
      let link = folder.appending(path: "link")
      try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "kept")
      try writeFolderAtomically(link) { try Data("n".utf8).write(to: $0.appending(path: "new")) }
      #expect(try names(link) == ["new"])
      #expect(try names(kept) == ["file"])
      #expect(try names(folder) == ["kept", "link"])
    }
  }
}
