import Alignment
import ArgumentParser
import Foundation
import JSON
import Kernels
import Runs
import Transformers

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure a training step, and how near it comes to what this machine can do.",
    discussion: """
      Runs the published step (1,024 stories of 4 tokens after the prompt, REINFORCE, KL to the frozen model, rewards, AdamW), then \
      measures the machine: matrix products at the model's shapes, and reading from memory. The floor is the time of the \
      step if all its arithmetic ran as fast as those products.

      The shapes have random weights: their stories share nothing after the first token, which is the most work a step can be.
      """)

  @Option(
    help: .init(
      "A shape with random weights (tinystories-33m, smollm2-135m), or a model as other commands take it.",
      valueName: "model"))
  var model = "tinystories-33m"
  @Option(help: .init("Stories of a step.", valueName: "n"))
  var samples = 1_024
  @Option(help: .init("Tokens of a story after the prompt.", valueName: "n"))
  var maxNewTokens = 4
  @Option(help: .init("Steps, of which the median counts.", valueName: "n"))
  var steps = 3
  @Option(help: .init("Memory that the run may take, like 2.5GB. (default: what it needs)", valueName: "size"))
  var memory: MemorySize?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (1...1_000).contains(steps) else {
      throw ValidationError("--steps is \(steps); it must lie between 1 and 1000")
    }
  }

  func run() throws {
    var settings = StepBenchmark.Settings()
    settings.samples = samples
    settings.maxNewTokens = maxNewTokens
    settings.steps = steps
    settings.memory = memory
    let benchmark = try StepBenchmark(BenchmarkModel(model), settings: settings) { number in
      Terminal.progress("step \(number) of \(steps)")
    }
    Terminal.endProgress()
    if common.json { try printJSON(benchmark.json) } else { try Output.line(benchmark.text) }
  }
}

extension StepBenchmark {
  private var streamShare: Double { streamRate * Double(streamBytes) / machine.readBandwidth }

  /// What a person reads.
  fileprivate var text: String {
    let step = median
    let split = step.split
    let times = settings.steps == 1 ? "" : ", the median of \(settings.steps)"
    return """
      \(model)\(isRandom ? " with random weights" : ""): \(rounded(parameterCount)) parameters, \(vocabularySize) tokens of vocabulary
      \(platformDescription), \(counted(Threads.count, "thread"))

      step         \(fixed(step.seconds, 2)) s\(times); \(Int(Double(settings.samples) / step.seconds)) stories/s
      tree         \(step.nodes) nodes for \(samplePositions) positions of \(settings.samples) stories
      arithmetic   \(fixed(Double(step.flops) / 1e12, 3)) TFLOP needed, \(fixed(Double(step.flops) / step.seconds / 1e9, 0)) GFLOP/s
      floor        \(fixed(floor, 2)) s at the \(fixed(machine.productRate / 1e9, 0)) GFLOP/s of matrix products; the step takes \(fixed(step.seconds / floor, 2)) times that
      split        roll-out \(fixed(split.rollout, 2)), reward \(fixed(split.reward, 2)), reference \(fixed(split.reference, 2)), \
      backward \(fixed(split.backward, 2)), optimiser \(fixed(split.optimizer, 2)) s
      one stream   \(fixed(streamRate, 0)) tokens/s: weights at \(fixed(streamRate * Double(streamBytes) / 1e9, 1)) GB/s, \
      \(fixed(100 * streamShare, 0)) % of the \(fixed(machine.readBandwidth / 1e9, 1)) GB/s that memory gives
      peak memory  \(fixed(Double(peakMemory) / 1e9, 2)) GB
      """
  }

  /// One JSON object; times in seconds, rates in FLOPs or bytes a second, memory in bytes.
  fileprivate var json: [JSONValue.Member] {
    let step = median
    return [
      .init("model", .string(model)), .init("random_weights", .bool(isRandom)),
      .init("parameters", .integer(parameterCount)), .init("vocabulary_size", .integer(vocabularySize)),
      .init("platform", .string(platformDescription)), .init("threads", .integer(Threads.count)),
      .init("samples", .integer(settings.samples)), .init("max_new_tokens", .integer(settings.maxNewTokens)),
      .init("seconds", .number(step.seconds)),
      .init("seconds_of_steps", .array(steps.map { .number($0.seconds) })),
      .init(
        "seconds_split",
        .object([
          .init("rollout", .number(step.split.rollout)), .init("reward", .number(step.split.reward)),
          .init("reference", .number(step.split.reference)), .init("backward", .number(step.split.backward)),
          .init("optimizer", .number(step.split.optimizer)),
        ])),
      .init("samples_per_second", .number(Double(settings.samples) / step.seconds)),
      .init("nodes", .integer(step.nodes)), .init("sample_positions", .integer(samplePositions)),
      .init("flops", .integer(step.flops)), .init("flops_per_second", .number(Double(step.flops) / step.seconds)),
      .init("product_flops_per_second", .number(machine.productRate)), .init("floor_seconds", .number(floor)),
      .init("times_floor", .number(step.seconds / floor)),
      .init("read_bytes_per_second", .number(machine.readBandwidth)),
      .init("stream_tokens_per_second", .number(streamRate)), .init("stream_bytes_per_token", .integer(streamBytes)),
      .init("stream_share_of_bandwidth", .number(streamShare)), .init("peak_memory_bytes", .integer(peakMemory)),
      .init(
        "products",
        .array(
          machine.products.map { product in
            .object([
              .init("pass", .string(product.pass.rawValue)), .init("rows", .integer(product.rows)),
              .init("input_size", .integer(product.shape.inputSize)),
              .init("output_size", .integer(product.shape.outputSize)),
              .init("flops_per_second", .number(product.rate)),
            ])
          })),
    ]
  }
}
