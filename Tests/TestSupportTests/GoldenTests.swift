import Foundation
import TestSupport
import Testing

@Suite("Golden files") struct GoldenTests {
  @Test func `a missing golden file is an error, not a skipped test`() {
    let error = #expect(throws: MissingGolden.self) { try golden("no-such-file.json", in: .main) }
    #expect(error?.description.contains("no-such-file.json") == true)
  }

  @Test func `a temporary folder exists inside its block only, whether it returns or throws`() throws {
    struct Stop: Error {}
    var folders: [URL] = []
    let answer = try withTemporaryFolder { folder in
      folders.append(folder)
      try Data("x".utf8).write(to: folder.appending(path: "file"))
      return 7
    }
    #expect(answer == 7)
    #expect(throws: Stop.self) {
      try withTemporaryFolder { folder in
        folders.append(folder)
        throw Stop()
      }
    }
    #expect(folders.count == 2 && folders[0] != folders[1])
    for folder in folders { #expect(!FileManager.default.fileExists(atPath: folder.path)) }
  }
}
