import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Files far larger than memory, which take no room on the disk: they are refused in one line before they are read.
  @Suite struct LargeFileTests {
    private func makeLarge(_ file: URL) throws {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      _ = FileManager.default.createFile(atPath: file.path, contents: nil)
      let handle = try FileHandle(forWritingTo: file)
      try handle.truncate(atOffset: 1 << 42)
      try handle.close()
    }

    @Test func `a model's texts`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
          let model = folder.appending(path: name.replacing(".", with: "-"))
          try FileManager.default.copyItem(at: folder.appending(path: "model"), to: model)
          try FileManager.default.removeItem(at: model.appending(path: name))
          try makeLarge(model.appending(path: name))
          expectRefusal(
            try tinyalign("sample", "--model", model.lastPathComponent, in: folder), status: 1,
            saying: "\(name): it has 4194304 MiB, more than the")
        }
      }
    }

    @Test func `recipes, settings, prompts and documents`() throws {
      try withTemporaryFolder { folder in
        for name in ["a.yaml", "a.txt", "a.json", "a.jsonl", "a.csv"] { try makeLarge(folder.appending(path: name)) }
        for arguments in [
          ["align", "--recipe", "a.yaml"], ["pretrain", "--config", "a.yaml", "--data", "a.txt", "--out", "o"],
          ["align", "--prompts", "a.txt", "--out", "o"], ["sample", "--prompts", "a.json"],
          ["sample", "--prompts", "a.jsonl"], ["sample", "--prompts", "a.csv"], ["score", "--file", "a.txt"],
          ["tokenize", "--file", "a.txt"], ["pretrain", "--data", "a.txt", "--out", "o"],
        ] {
          // A recipe that cannot be used is wrong usage.
          let status: Int32 = arguments.contains("a.yaml") ? 2 : 1
          expectRefusal(
            try tinyalign(arguments, in: folder), status: status, saying: "it has 4194304 MiB, more than the")
        }
      }
    }

    @Test func `a run's files`() throws {
      try withTemporaryFolder { folder in
        try makeLarge(folder.appending(path: "run/run.json"))
        expectRefusal(try tinyalign("report", "run", in: folder), status: 1, saying: "it has more than 64 MiB")
        _ = output(of: try tinyalign("align", "--steps", "1", "--samples", "2", "--out", "other", in: folder))
        try makeLarge(folder.appending(path: "other/metrics.jsonl"))
        expectRefusal(try tinyalign("report", "other", in: folder), status: 1, saying: "it has more than 256 MiB")
      }
    }
  }
}
