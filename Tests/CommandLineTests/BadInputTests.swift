import Foundation
import TestSupport
import Testing

/// Arguments that must be refused.
struct BadCase: Sendable, CustomTestStringConvertible {
  var arguments: [String]
  var status: Int32 = 2
  /// What the message must hold.
  var message: String
  var testDescription: String {
    let line = arguments.joined(separator: " ")
    return line.count > 60 ? line.prefix(60) + "…" : line
  }
}

private func align(_ arguments: String..., status: Int32 = 2, message: String) -> BadCase {
  // What comes later wins.
  BadCase(
    arguments: ["align", "--steps", "1", "--samples", "4", "--out", "run"] + arguments, status: status, message: message
  )
}

private func bad(_ arguments: String..., status: Int32 = 2, message: String) -> BadCase {
  BadCase(arguments: arguments, status: status, message: message)
}

private let longText = String(repeating: "cat ", count: 600)

private let files: [(name: String, bytes: [UInt8])] = [
  ("unknown-key.yaml", Array("samples: 4\nlearing_rate: 3\n".utf8)),
  ("wrong-kind.yaml", Array("samples: four\n".utf8)),
  ("wrong-value.yaml", Array("algorithm: ppo\n".utf8)),
  ("not-finite.yaml", Array("learning_rate: .nan\n".utf8)),
  ("memory.yaml", Array("memory: lots\n".utf8)),
  ("broken.yaml", Array("samples: [4\n".utf8)),
  ("empty.yaml", []),
  ("list.yaml", Array("- a\n".utf8)),
  ("not-utf8.yaml", [0xFF, 0xFE, 0x0A]),
  ("not-utf8.txt", [0x61, 0xFF, 0x0A]),
  ("empty.txt", []),
  ("only-separators.txt", Array("\n<|endoftext|>\n".utf8)),
  ("one.txt", Array("one story\n".utf8)),
  ("unknown-key-pretrain.yaml", Array("hiden_size: 16\n".utf8)),
  ("heads.yaml", Array("hidden_size: 17\nheads: 2\n".utf8)),
]

private let alignCases = [
  align("--samples", "0", message: "--samples is 0"),
  align("--samples=-3", message: "--samples is -3"),
  align("--samples", "1", message: "--samples is 1"),
  align("--steps", "0", message: "--steps is 0"),
  align("--steps", "many", message: "--steps"),
  align("--steps", "99999999999999999999", message: "--steps"),
  align("--learning-rate=-1", message: "--learning-rate is -1"),
  align("--learning-rate", "-1", message: "--learning-rate"),
  align("--learning-rate", "0", message: "--learning-rate is 0"),
  align("--learning-rate", "nan", message: "--learning-rate is nan"),
  align("--learning-rate", "inf", message: "--learning-rate is inf"),
  align("--kl-coefficient=-1", message: "--kl-coefficient is -1"),
  align("--kl-coefficient", "nan", message: "--kl-coefficient is nan"),
  align("--kl-coefficient", "inf", message: "--kl-coefficient is inf"),
  align("--kl-coefficient", "1e300", message: "--kl-coefficient"),
  align("--weight-decay", "nan", message: "--weight-decay"),
  align("--max-gradient-norm", "nan", message: "--max-gradient-norm"),
  align("--max-gradient-norm", "inf", message: "--max-gradient-norm"),
  align("--length-normalizer", "0", message: "--length-normalizer"),
  align("--checkpoint-every", "0", message: "--checkpoint-every"),
  align("--micro-batch", "0", message: "--micro-batch"),
  align("--memory", "1MB", message: "--memory is 1MB, too little for this model: a single story at a time needs "),
  align("--memory", "nonsense", message: "'nonsense' is invalid for '--memory"),
  align("--memory", "0GB", message: "'0GB' is invalid for '--memory"),
  align("--memory=-2GB", message: "'-2GB' is invalid for '--memory"),
  align("--memory", "800", message: "'800' is invalid for '--memory"),
  align("--recipe", "memory.yaml", message: "memory.yaml: 'memory'"),
  align("--warmup-steps", "5", message: "--warmup-steps is 5"),
  align("--max-new-tokens", "0", message: "--max-new-tokens is 0"),
  align("--prompt", "", message: "--prompt is empty"),
  align("--prompt", longText, status: 1, message: "has a context of"),
  align("--max-new-tokens", "60000", status: 1, message: "has a context of"),
  align("--toward", " ", message: "--toward is empty"),
  align("--threads", "0", message: "--threads is 0"),
  align("--prompt", "a", "--prompts", "one.txt", message: "not both"),
  align("--prompts", "nowhere.txt", status: 1, message: "nowhere.txt cannot be read"),
  align("--prompt-column", "a", message: "--prompt-column needs --prompts"),
  align("--samples-per-prompt", "3", message: "--samples-per-prompt is 3; it must divide --samples"),
  align("--samples-per-prompt", "1", message: "--samples-per-prompt is 1"),
  align("--chat", status: 1, message: "no chat template"),
  align("--seed=-1", message: "--seed"),
  align("--bogus", message: "--bogus"),
  align("extra", message: "extra"),
  align("--algorithm", "ppo", message: "'reinforce' and 'rloo'"),
  align("--optimizer", "lion", message: "'adamw' and 'sgd'"),
  align("--kl-direction", "sideways", message: "'forward' and 'reverse'"),
  align("--kl-reduction", "mean", message: "'sum' and 'vocabulary-mean'"),
  align("--recipe", "nope", message: "default, tinycatstories"),
  align("--recipe", "unknown-key.yaml", message: "line 2: unknown key 'learing_rate', did you mean 'learning_rate'?"),
  align("--recipe", "wrong-kind.yaml", message: "wrong-kind.yaml: 'samples'"),
  align("--recipe", "wrong-value.yaml", message: "wrong-value.yaml: 'algorithm' is 'ppo'"),
  align("--recipe", "not-finite.yaml", message: "--learning-rate is nan"),
  align("--recipe", "broken.yaml", message: "broken.yaml: not valid YAML"),
  align("--recipe", "empty.yaml", message: "empty.yaml: the file is empty"),
  align("--recipe", "list.yaml", message: "list.yaml"),
  align("--recipe", "not-utf8.yaml", message: "UTF-8"),
  align("--recipe", ".", message: "directory"),
  align("--out", "", message: "--out"),
  align("--out", "one.txt/run", status: 1, message: "one.txt"),
  align("--out", "one.txt", status: 1, message: "one.txt"),
  align("--out", ".", status: 1, message: "is not empty"),
  align("--model", "nowhere", status: 1, message: "'nowhere'"),
  align("--model", "one.txt", status: 1, message: "one.txt' is a file in no format of whole models"),
  align("--reference", "nowhere", status: 1, message: "'nowhere'"),
  align("--reward-model", "nowhere", status: 1, message: "nowhere"),
]

private let otherCases = [
  bad("bogus", message: "bogus"),
  bad("--bogus", message: "--bogus"),
  bad("sample", "--prompt", longText, status: 1, message: "has a context of"),
  bad("sample", "-n", "0", message: "-n is 0"),
  bad("sample", "--max-new-tokens", "0", message: "--max-new-tokens is 0"),
  bad("sample", "--prompt", "a", "--prompts", "one.txt", message: "not both"),
  bad("sample", "--prompts", "", message: "--prompts is empty"),
  bad("sample", "--prompts", "nowhere.txt", status: 1, message: "nowhere.txt cannot be read"),
  bad("sample", "--prompts", ".", status: 1, message: "directory"),
  bad("sample", "--prompts", "one.txt", "--prompt-column", "a", status: 1, message: "no columns"),
  bad("sample", "--prompt-column", "a", message: "--prompt-column needs --prompts"),
  bad("sample", "--chat", status: 1, message: "no chat template"),
  bad("sample", "--temperature=-1", message: "--temperature is -1"),
  bad("sample", "--temperature", "nan", message: "--temperature is nan"),
  bad("sample", "--top-k", "0", message: "--top-k"),
  bad("sample", "--top-p", "0", message: "--top-p"),
  bad("sample", "--top-p", "1.5", message: "--top-p"),
  bad("sample", "--top-p", "nan", message: "--top-p"),
  bad("sample", "--threads", "0", message: "--threads is 0"),
  bad("sample", "--model", "nowhere", status: 1, message: "'nowhere'"),
  bad("bench", "--steps", "0", message: "--steps is 0"),
  bad("bench", "--samples", "0", message: "--samples is 0"),
  bad("bench", "--max-new-tokens", "100000000", status: 1, message: "has a context of"),
  bad("bench", "--model", "nowhere", status: 1, message: "'nowhere'"),
  bad("bench", "--model", "tinystories", "--memory", "1MB", message: "--memory"),
  bad("score", message: "--file"),
  bad("score", "text", "--file", "one.txt", message: "not both"),
  bad("tokenize", message: "--decode"),
  bad("tokenize", "text", "--decode", "1", message: "--decode"),
  bad("tokenize", "--decode", "", message: "--decode"),
  bad("tokenize", "--decode", "1,x", message: "'x'"),
  bad("tokenize", "--decode", "1,,2", message: "--decode"),
  bad("tokenize", "--decode", "999999999", message: "'999999999'"),
  bad("tokenize", "--decode=-1", message: "'-1'"),
  bad("tokenize", "--model", "nowhere", "text", status: 1, message: "'nowhere'"),
  bad("embed", "--model", "nowhere", "text", status: 1, message: "nowhere"),
  bad("reward", "--toward", "", "text", message: "--toward is empty"),
  bad("report", message: "Missing expected argument"),
  bad("report", "nowhere", status: 1, message: "is not a run folder"),
  bad("report", ".", status: 1, message: "is not a run folder"),
  bad("pretrain", "--out", "model", message: "--data"),
  bad("pretrain", "--data", "one.txt", message: "--out"),
  bad("pretrain", "--data", "nowhere", "--out", "model", status: 1, message: "No such file or directory"),
  bad("pretrain", "--data", "not-utf8.txt", "--out", "model", status: 1, message: "is not UTF-8"),
  bad("pretrain", "--data", "one.txt", "--out", "model", "--config", "nowhere", message: "No such file or directory"),
  bad("pretrain", "--data", "one.txt", "--out", "model", "--config", "heads.yaml", message: "heads must divide"),
  bad(
    "pretrain", "--data", "one.txt", "--out", "model", "--config", "unknown-key-pretrain.yaml",
    message: "did you mean 'hidden_size'?"),
]

private let fileCases = ["score", "tokenize", "embed", "reward"].flatMap { command in
  [
    bad(command, "--file", "nowhere", status: 1, message: "No such file or directory"),
    bad(command, "--file", ".", status: 1, message: "directory"),
    bad(command, "--file", "not-utf8.txt", status: 1, message: "not-utf8.txt is not UTF-8"),
    bad(command, "--file", "empty.txt", status: 1, message: "empty.txt holds no documents"),
    bad(command, "--file", "only-separators.txt", status: 1, message: "holds no documents"),
  ]
}

extension CommandTests {
  @Suite struct BadInputTests {
    @Test(arguments: alignCases + otherCases + fileCases)
    func `bad input gets one clear line, the right status, and leaves nothing behind`(badCase: BadCase) throws {
      try withTemporaryFolder { folder in
        for file in files { try Data(file.bytes).write(to: folder.appending(path: file.name)) }
        let before = try names(in: folder)
        let result = try CommandRunner(product: "tinyalign").run(badCase.arguments, in: folder)
        expectRefusal(result, status: badCase.status, saying: badCase.message)
        #expect(try names(in: folder) == before)
      }
    }

    @Test(arguments: [["align", "--out", "run"], ["reward", "cat"], ["embed", "cat"]])
    func `a missing reward model is named, with what to do`(arguments: [String]) throws {
      try withTemporaryFolder { folder in
        let runner = try CommandRunner(product: "tinyalign")
        let place = folder.appending(path: "nowhere").path
        let named = try runner.run(arguments, in: folder, environment: ["TINYALIGN_REWARD_MODEL": place])
        expectRefusal(named, status: 1, saying: place)
        #expect(named.errors.contains("TINYALIGN_REWARD_MODEL"))
        let cached = try runner.run(
          arguments, in: folder, environment: ["TINYALIGN_REWARD_MODEL": nil, "TINYALIGN_CACHE": place])
        expectRefusal(cached, status: 1, saying: "make reward-model")
        #expect(try names(in: folder).isEmpty)
      }
    }
  }
}
