import Alignment
import Foundation
import TestSupport
import Testing

struct DocumentsTests {
  func read(_ bytes: [UInt8]) throws -> [String] {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "stories.txt")
      try Data(bytes).write(to: file)
      return try readDocuments(file)
    }
  }

  func read(_ text: String) throws -> [String] { try read(Array(text.utf8)) }

  @Test func `lines of end-of-text separate documents`() throws {
    let text = "One.\n<|endoftext|>\nTwo,\n\nstill two.\n<|endoftext|>\nThree.\n<|endoftext|>\n"
    #expect(try read(text) == ["One.", "Two,\n\nstill two.", "Three."])
  }

  @Test func `the last document needs no separator, the first may have one before it`() throws {
    #expect(try read("One.\n<|endoftext|>\nTwo.") == ["One.", "Two."])
    #expect(try read("One.\n<|endoftext|>\nTwo.\n<|endoftext|>") == ["One.", "Two."])
    #expect(try read("<|endoftext|>\nOne.\n") == ["One."])
    #expect(try read("Only one") == ["Only one"])
  }

  @Test func `Windows line ends separate as well`() throws {
    #expect(try read("One.\r\n<|endoftext|>\r\nTwo\r\nlines.\r\n") == ["One.", "Two\r\nlines."])
  }

  @Test func `blanks around a separator say nothing`() throws {
    for line in [" <|endoftext|>", "<|endoftext|> ", "\t<|endoftext|>\t\r"] {
      #expect(try read("One.\n\(line)\nTwo.") == ["One.", "Two."])
    }
  }

  @Test func `a separator within a line is text`() throws {
    for line in ["a<|endoftext|>", "<|endoftext|>b", "<|EndOfText|>"] {
      #expect(try read("One.\n\(line)\nTwo.") == ["One.\n\(line)\nTwo."])
    }
  }

  @Test func `white space that is no line break stays`() throws {
    #expect(try read("\n\n  One. \t\n\n<|endoftext|>\n \n") == ["  One. \t", " "])
  }

  @Test func `empty documents and files hold nothing`() throws {
    #expect(try read("") == [])
    #expect(try read("\n\r\n\n") == [])
    #expect(try read("<|endoftext|>\n<|endoftext|>\n\n<|endoftext|>") == [])
  }

  @Test func `documents keep every character`() throws {
    let text = "caf\u{65}\u{301} – „猫” 🐈\u{200B}\u{1} end"
    let documents = try read("a\n<|endoftext|>\n\(text)\n")
    #expect(documents.count == 2)
    #expect(Array((documents.last ?? "").utf8) == Array(text.utf8))
  }

  @Test func `a byte order mark at the start of a file is no text`() throws {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    #expect(try read(mark + Array("One.\n<|endoftext|>\nTwo.".utf8)) == ["One.", "Two."])
    #expect(try read(mark + Array("<|endoftext|>\nOne.".utf8)) == ["One."])
    #expect(try read(mark).isEmpty)
    // Elsewhere it is an invisible character like others.
    let second = try read(Array("One.\n<|endoftext|>\n".utf8) + mark + Array("Two.".utf8))
    #expect(second.map { Array($0.utf8) } == [Array("One.".utf8), mark + Array("Two.".utf8)])
  }

  @Test func `bytes that are no UTF-8 are named`() throws {
    let error = #expect(throws: AlignmentError.self) {
      try read(Array("One.\n<|endoftext|>\nTwo \u{7F}".utf8) + [0xFF, 0x0A])
    }
    #expect(error?.description.contains("byte 19") == true)
    #expect(error?.description.contains("stories.txt") == true)
    #expect(error?.isUsageError == false)
  }

  @Test func `a file that is not there is named`() {
    let error = #expect(throws: AlignmentError.self) { try readDocuments(URL(filePath: "/no/such/file.txt")) }
    #expect(error?.description == "/no/such/file.txt cannot be read: No such file or directory")
  }
}
