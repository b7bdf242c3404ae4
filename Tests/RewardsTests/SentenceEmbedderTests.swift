import Checkpoints
import Foundation
import Rewards
import TestSupport
import Testing

@Suite struct SentenceEmbedderTests {
  /// An entry of `embeddings.json`, which `Scripts/goldens/bert.py` wrote.
  struct Expected: Decodable {
    var text: String
    var embedding: [Float]
  }

  @Test func `embeddings equal those of sentence-transformers`() throws {
    let expected = try JSONDecoder().decode([Expected].self, from: golden("embeddings.json", in: .module))
    #expect(expected.count == 24)
    let embedder = try rewardModel()
    #expect(embedder.dimension == 384 && embedder.tokenLimit == 256)
    // Several texts in one call, in an order that is not that of their lengths.
    let embeddings = try embedder.embed(expected.map(\.text))
    #expect(embeddings.count == expected.count)
    for (embedding, expected) in zip(embeddings, expected) {
      let comparison = Comparison(embedding, expected.embedding)
      #expect(comparison.matches(absolute: 1e-5), "\(expected.text.prefix(40).debugDescription): \(comparison)")
    }
  }

  @Test func `texts with the same tokens share an embedding, and no texts give none`() throws {
    let embedder = try rewardModel()
    #expect(try embedder.embed([]).isEmpty)
    let embeddings = try embedder.embed(["A cat.", "a dog", "a  CAT .", "A cat."])
    #expect(embeddings[0] == embeddings[2] && embeddings[0] == embeddings[3] && embeddings[0] != embeddings[1])
  }

  #if !canImport(Accelerate)
    @Test func `an embedding has the same bits in any company and any order`() throws {
      let embedder = try rewardModel()
      let texts = (0..<40).map { "Story \($0):" + String(repeating: " a cat sat on a mat", count: $0 * $0 % 11) }
      let together = try embedder.embed(texts)
      #expect(try Array(embedder.embed(texts.reversed()).reversed()) == together)
      for part in [3..<4, 7..<8, 10..<11, 0..<9, 17..<40] {
        #expect(try embedder.embed(Array(texts[part])) == Array(together[part]), "texts \(part)")
      }
    }
  #endif

  @Test(arguments: [
    ("modules.json", #"[{"path": "", "type": "x.Transformer"}, {"path": "p", "type": "x.models.Dense"}]"#, "\"Dense\""),
    ("modules.json", #"[{"path": "", "type": "x.Transformer"}]"#, "modules come as Transformer"),
    ("modules.json", "[]", "modules"),
    ("modules.json", #"[{"path": "0", "type": "T"}]"#, "\"T\""),
    ("modules.json", "{", "is damaged"),
    ("1_Pooling/config.json", #"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, "cls_token"),
    (
      "1_Pooling/config.json", #"{"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": true}"#,
      "max_tokens + mean"
    ),
    ("1_Pooling/config.json", #"{"pooling_mode": "lasttoken"}"#, "lasttoken"),
    ("1_Pooling/config.json", #"{"pooling_mode": ["mean", "max"]}"#, "mean + max"),
    ("1_Pooling/config.json", #"{"pooling_mode": 3}"#, "pooling_mode"),
    ("1_Pooling/config.json", #"{"pooling_mode_mean_tokens": "yes"}"#, "pooling_mode_mean_tokens"),
    ("sentence_bert_config.json", #"{"max_seq_length": 1}"#, "1 token"),
    ("sentence_bert_config.json", #"{"max_seq_length": -5}"#, "-5 token"),
    ("sentence_bert_config.json", #"{"max_seq_length": 256, "do_lower_case": true}"#, "do_lower_case"),
  ])
  func `what the files ask for and is not there is refused by name`(file: String, text: String, named: String) throws {
    try withTemporaryFolder { folder in
      let files = [
        "modules.json":
          #"[{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.models.Pooling"}]"#,
        "1_Pooling/config.json": #"{"pooling_mode": "mean"}"#,
        "sentence_bert_config.json": #"{"max_seq_length": 256, "do_lower_case": false}"#,
      ]
      try FileManager.default.createDirectory(
        at: folder.appending(path: "1_Pooling"), withIntermediateDirectories: true)
      for (name, text) in files.merging([file: text], uniquingKeysWith: { $1 }) {
        try Data(text.utf8).write(to: folder.appending(path: name))
      }
      let error = #expect(throws: CheckpointError.self) { try SentenceEmbedder(source: .folder(folder)) }
      let message = error?.description ?? ""
      #expect(message.contains(named) && message.contains(file), "\(message)")
    }
  }

  @Test func `a folder without settings is taken as a bare encoder`() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: CheckpointError.self) { try SentenceEmbedder(source: .folder(folder)) }
      #expect(error?.description.contains("config.json is missing") == true)
    }
  }
}
