import Foundation
import JSON
import Runs
import TestSupport
import Testing

private func parse<Record>(_ text: String, _ make: (inout JSONScanner) throws -> Record) throws -> Record {
  try Array(text.utf8).withUnsafeBufferPointer { bytes in
    var scanner = JSONScanner(bytes)
    return try make(&scanner)
  }
}

@Suite("The lines of a run") struct RecordTests {
  let metricsLine = """
    {"step":3,"reward_mean":0.145,"reward_std":0.1,"reward_max":0.75,"kl_forward":3.1e-05,"kl_reverse":2.5e-05,\
    "loss":-0.0145,"entropy":2.25,"tokens":4096,"nodes":812,"distinct_stories":640,"gradient_norm":0.375,\
    "seconds":0.25,"seconds_split":{"rollout":0.1,"reward":0.05,"reference":0.025,"backward":0.0625,\
    "optimizer":0.0125},"learning_rate":0.0001,"mean_length":4.0,"end_of_text_rate":0.0}
    """
  let sampleLine = """
    {"step":2,"index":5,"prompt":"Once upon a time there was","token_ids":[257,1310,3797,3706],\
    "text":" a \\"little\\" cat\\n","reward":0.5,"advantage":0.25,"log_probability":-7.125,"finish_reason":"length",\
    "log_probabilities":[-1.5,-5.625],"reference_log_probabilities":[-2.0,-4.625],"entropies":[2.25,0.5],\
    "token_bytes":[2,9,4,1]}
    """

  @Test func `metrics have the keys of the contract in its order`() throws {
    #expect(String(decoding: try metrics(step: 3).jsonLine(), as: UTF8.self) == metricsLine)
    #expect(try parse(metricsLine) { try StepMetrics(&$0) } == metrics(step: 3))
    #expect(try JSONDecoder().decode(StepMetrics.self, from: Data(metricsLine.utf8)) == metrics(step: 3))
    let encoded = try JSONEncoder().encode(metrics(step: 3))
    #expect(try parse(String(decoding: encoded, as: UTF8.self)) { try StepMetrics(&$0) } == metrics(step: 3))
  }

  @Test func `counts that version 0.1.0 did not write come last, and may be missing`() throws {
    var counted = metrics(step: 3)
    counted.tiedGroups = 2
    counted.truncatedTexts = 0
    let line = String(metricsLine.dropLast()) + #","tied_groups":2,"truncated_texts":0}"#
    #expect(String(decoding: try counted.jsonLine(), as: UTF8.self) == line)
    #expect(try parse(line) { try StepMetrics(&$0) } == counted)
    #expect(try JSONDecoder().decode(StepMetrics.self, from: Data(line.utf8)) == counted)
    #expect(try parse(metricsLine) { try StepMetrics(&$0) }.tiedGroups == nil)
    #expect(throws: (any Error).self) {
      try parse(line.replacing(#""tied_groups":2"#, with: #""tied_groups":"two""#)) { try StepMetrics(&$0) }
    }
  }

  @Test func `samples have the keys of the contract in its order`() throws {
    let record = sample(step: 2, index: 5, text: " a \"little\" cat\n")
    var writer = JSONWriter()
    record.write(to: &writer)
    #expect(String(decoding: writer.bytes, as: UTF8.self) == sampleLine)
    #expect(try parse(sampleLine) { try SampleRecord(&$0) } == record)
    #expect(try JSONDecoder().decode(SampleRecord.self, from: Data(sampleLine.utf8)) == record)
    let encoded = try JSONEncoder().encode(record)
    #expect(try parse(String(decoding: encoded, as: UTF8.self)) { try SampleRecord(&$0) } == record)
  }

  @Test func `followed stories and trees read back the same`() throws {
    let story = followedStory(step: 4, index: 1)
    var writer = JSONWriter()
    story.write(to: &writer)
    let text = String(decoding: writer.bytes, as: UTF8.self)
    #expect(
      text == """
        {"step":4,"index":1,"prompt":"p","text":"told at 4","reward":4.0,"finish_reason":"stop","tokens":[\
        {"token_id":7,"text":" 猫","log_probability":-0.5,"reference_log_probability":-2.5,"entropy":1.0,\
        "reference_entropy":1.5,"alternatives":[\
        {"token_id":8,"text":" dog","probability":0.25,"reference_probability":0.125}]}]}
        """)
    #expect(try parse(text) { try FollowedStory(&$0) } == story)
    #expect(try JSONDecoder().decode(FollowedStory.self, from: Data(text.utf8)) == story)
    let tree = storyTree(step: 2)
    writer = JSONWriter()
    tree.write(to: &writer)
    let line = String(decoding: writer.bytes, as: UTF8.self)
    #expect(
      line == """
        {"step":2,"prompt":"p","nodes":[\
        {"parent":-1,"token_id":7,"text":" cat","probability":0.5,"reference_probability":0.125,"is_end":false},\
        {"parent":0,"token_id":0,"text":"","probability":0.75,"reference_probability":0.0625,"is_end":true}]}
        """)
    #expect(try parse(line) { try StoryTree(&$0) } == tree)
    #expect(try JSONDecoder().decode(StoryTree.self, from: Data(line.utf8)) == tree)
  }

  @Test func `a tree whose parents do not stand before their children is damaged`() {
    for parent in [-2, 1, 2, Int.max, Int.min] {
      let line = """
        {"step":2,"prompt":"p","nodes":[\
        {"parent":-1,"token_id":7,"text":" cat","probability":0.5,"reference_probability":0.1,"is_end":false},\
        {"parent":\(parent),"token_id":0,"text":"","probability":0.7,"reference_probability":0.1,"is_end":true}]}
        """
      #expect(throws: JSONError.self, "\(parent)") { try parse(line) { try StoryTree(&$0) } }
    }
  }

  @Test func `samples and pairs of older versions are read`() throws {
    let line = try #require(sampleLine.components(separatedBy: ",\"log_probabilities\"").first) + "}"
    var record = sample(step: 2, index: 5, text: " a \"little\" cat\n")
    #expect(record.logRatio == -0.25)
    record.logProbabilities = []
    record.referenceLogProbabilities = []
    record.entropies = []
    #expect(record.tokenTexts == [" a", " \"little\"", " cat", "\n"])
    record.tokenBytes = [2, 9, 4, 2]
    #expect(record.tokenTexts == nil)
    record.tokenBytes = []
    #expect(record.tokenTexts == nil)
    #expect(try parse(line) { try SampleRecord(&$0) } == record)
    #expect(try JSONDecoder().decode(SampleRecord.self, from: Data(line.utf8)) == record)
    #expect(record.logRatio == nil)
    let pair = """
      {"index":1,"prompt":"Once","before":" a boy","after":" a cat 猫","reward_before":0.1,"reward_after":0.7}
      """
    #expect(
      try parse(pair) { try StoryPair(&$0) }
        == StoryPair(
          index: 1, prompt: "Once", before: " a boy", after: " a cat 猫", rewardBefore: 0.1, rewardAfter: 0.7))
  }

  @Test func `keys of a later version are passed over and an empty token list is read`() throws {
    let text = """
      {"new":{"a":[1,{"b":null}]},"finish_reason":"stop","log_probability":-1,"advantage":1e-3,"reward":1,\
      "text":"","token_ids":[],"prompt":"p","index":0,"step":1}
      """
    let record = try parse(text) { try SampleRecord(&$0) }
    #expect(record.finishReason == .stop)
    #expect(record.tokenIDs.isEmpty)
    #expect(record.advantage == 0.001)
  }

  @Test(arguments: ["step", "index", "prompt", "token_ids", "text", "reward", "advantage", "log_probability"])
  func `a sample without a key is refused`(_ key: String) {
    let text = sampleLine.replacing("\"\(key)\":", with: "\"other\":")
    #expect(throws: (any Error).self) { try parse(text) { try SampleRecord(&$0) } }
  }

  @Test func `metrics without a key are refused and name it`() {
    let text = metricsLine.replacing("\"nodes\":", with: "\"other\":")
    #expect { try parse(text) { try StepMetrics(&$0) } } throws: { error in
      (error as? JSONError)?.reason.contains("nodes") == true
    }
  }

  @Test func `numbers that are not finite are refused and named`() {
    var broken = metrics(step: 9)
    broken.entropy = .nan
    #expect(throws: RunError.notFinite(field: "entropy", step: 9)) { try broken.jsonLine() }
    broken.entropy = 1
    broken.secondsSplit.reference = .infinity
    #expect(throws: RunError.notFinite(field: "reference", step: 9)) { try broken.jsonLine() }
  }

  @Test func `run json is written byte for byte as it was agreed`() throws {
    let expected = try golden("run.json", in: .module)
    #expect(Data(try plainManifest.json.encoded(pretty: true)) + Data("\n".utf8) == expected)
    #expect(try RunManifest(json: try JSONValue(parsing: [UInt8](expected))) == plainManifest)
  }

  @Test func `the manifest reads back the same, through Foundation too`() throws {
    var manifest = plainManifest
    manifest.message = "stopped \"early\""
    manifest.status = .failed
    #expect(try RunManifest(json: try JSONValue(parsing: try manifest.json.encoded())) == manifest)
    let coded = try JSONDecoder().decode(RunManifest.self, from: try JSONEncoder().encode(manifest))
    #expect(coded.recipe["kl"]?["coefficient"] == 0.1194)
    #expect(coded.created == manifest.created)
    #expect(coded.seed == 7)
  }

  @Test func `a seed beyond the range of a signed number keeps its digits`() throws {
    var manifest = plainManifest
    manifest.seed = .max
    let read = try RunManifest(json: try JSONValue(parsing: try manifest.json.encoded()))
    #expect(read.seed == .max)
  }

  @Test func `a manifest of a newer layout is refused`() throws {
    var manifest = plainManifest
    manifest.schemaVersion = 99
    let json = manifest.json
    #expect(throws: RunError.newerSchema(path: "run.json", version: 99, supported: 1)) { try RunManifest(json: json) }
  }
}
