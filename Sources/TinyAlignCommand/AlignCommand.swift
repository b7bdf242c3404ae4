import Alignment
import ArgumentParser
import Foundation
import Kernels
import PolicyGradients
import Reports
import Runs
import Transformers

struct Align: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align",
    abstract: "Train a model so that its stories earn more reward.",
    discussion: """
      Each step samples stories, rewards each by the similarity of its embedding to that of --toward, and updates the \
      model by the policy gradient, held to the original model by a KL term. The reward model reads the first 256 word pieces of prompt \
      and story (of the story alone after a conversation); what is beyond is not rewarded. A step whose advantages are all 0 changes \
      nothing. Settings come from the recipe; flags override it. The defaults below are those of the default recipe, which a \
      recipe's file lies on. The run folder keeps every story, the metrics, checkpoints and a report.

      Recipes: default (leave-one-out, frugal) and tinycatstories (the published run; with its KL: \
      --kl-coefficient 0.1194 --kl-reduction sum).
      """)

  @Option(help: .init("A recipe's name, a YAML file, or - for standard input.", valueName: "name or file"))
  var recipe = "default"
  @Option(
    help: .init(
      "Model to start from: a folder or file, a name of the Hub that was pulled, or tinystories, the one in this program. (default: tinystories)",
      valueName: "model"))
  var model: String?
  @Option(
    help: .init(
      "Frozen model that KL is measured to. (default: the model that training starts from)", valueName: "model"))
  var reference: String?
  @Option(
    help: .init("Folder of the sentence-embedding model. (default: the one that set-up fetched)", valueName: "folder"))
  var rewardModel: String?
  @Option(help: .init("What stories are steered toward. (default: cat)", valueName: "text"))
  var toward: String?
  @OptionGroup var prompts: PromptOptions
  @Option(
    help: .init(
      "Whether a prompt that is too long for the model's context or for the reward model stops the run before it begins, or is "
        + "left out. (default: refuse)", valueName: "how"))
  var longPrompts: LongPromptHandling?
  @Option(help: .init("Updates; with --resume, how many the run is to have from now on. (default: 30)", valueName: "n"))
  var steps: Int?
  @Option(help: .init("Stories sampled for each update. (default: 128)", valueName: "n"))
  var samples: Int?
  @Option(
    help: .init(
      "Stories of a prompt that are compared with each other; divides --samples. (default: all, shared out among the prompts)",
      valueName: "n"))
  var samplesPerPrompt: Int?
  @Option(help: .init("Tokens after the prompt, at most. (default: 4)", valueName: "n"))
  var maxNewTokens: Int?
  @Option(
    help: .init("Learning rate. (default: 0.0004; less for models larger than the one in this program)", valueName: "x")
  )
  var learningRate: Double?
  @Option(
    help: .init(
      "How the learning rate changes over the steps, as transformers' schedules do. (default: linear)",
      valueName: "name"))
  var learningRateSchedule: LearningRateSchedule.Shape?
  @Option(help: .init("Steps until the learning rate is at its highest. (default: 0)", valueName: "n"))
  var warmupSteps: Int?
  @Option(help: .init("The optimiser. (default: adamw)", valueName: "name"))
  var optimizer: Recipe.OptimizerName?
  @Option(help: .init("Decoupled weight decay. (default: 0.01 for adamw, 0 for sgd)", valueName: "x"))
  var weightDecay: Double?
  @Option(help: .init("Clip the gradient to this norm. (default: no clipping)", valueName: "x"))
  var maxGradientNorm: Double?
  @Option(help: .init("REINFORCE without baseline, or leave-one-out. (default: rloo)", valueName: "name"))
  var algorithm: Algorithm?
  @Option(help: .init("Weight of the KL term; 0 is none. (default: 0.1)", valueName: "x"))
  var klCoefficient: Double?
  @Option(
    help: .init(
      "forward is KL(reference || policy), reverse KL(policy || reference). (default: forward)", valueName: "name"))
  var klDirection: KLDirection?
  @Option(help: .init("KL in nats (sum), or divided by the vocabulary's size. (default: sum)", valueName: "name"))
  var klReduction: KLReduction?
  @Option(
    help: .init("What a story's sum over tokens is divided by. (default: 10)", valueName: "x"))
  var lengthNormalizer: Double?
  @Option(
    help: .init(
      "Train a low-rank adapter of this rank instead of the whole model (LoRA), for models that would not fit. (default: no adapter)",
      valueName: "n"))
  var loraRank: Int?
  @Option(help: .init("What the adapter is scaled by, times its rank. (default: twice the rank)", valueName: "x"))
  var loraAlpha: Double?
  @Option(help: .init("Matrices that get an adapter, like q_proj,v_proj. (default: all)", valueName: "names"))
  var loraTargets: String?
  @Option(
    help: .init(
      "Save checkpoints with the adapter merged into the model, or the adapter alone as PEFT does. (default: merged)",
      valueName: "how"))
  var loraSaving: Recipe.AdapterSaving?
  @Option(help: .init("Steps between checkpoints. (default: only the last step's is kept)", valueName: "n"))
  var checkpointEvery: Int?
  @Option(help: .init("Checkpoints to keep, the newest. (default: all)", valueName: "n"))
  var keep: Int?
  @Option(
    help: .init(
      "Keep the checkpoint with the highest mean reward at a KL below this, too, in nats per token; both are those of the "
        + "checkpoint's own completions. (default: none)", valueName: "x"))
  var keepBestBelowKL: Double?
  @Option(
    help: .init(
      "Whether a step whose reward, loss or gradient is not finite stops the run or is skipped; five in a row stop it in any case. "
        + "(default: stop)",
      valueName: "how"))
  var nonFinite: Recipe.NonFiniteHandling?
  @Option(help: .init("Stories computed at once, to bound memory. (default: all)", valueName: "n"))
  var microBatch: Int?
  @Option(
    help: .init(
      "Memory that the run may take, like 2.5GB: less is kept and more computed again. (default: what it needs)",
      valueName: "size"))
  var memory: MemorySize?
  @Option(help: .init("What all random numbers are drawn with. (default: 1)", valueName: "n"))
  var seed: UInt64?
  @Option(help: .init("Folder of the run. (default: runs/ with date and time, in UTC)", valueName: "folder"))
  var out: String?
  @Option(
    help: .init(
      "Go on with the run in this folder, which was interrupted or killed, exactly as if it had never stopped; its recipe "
        + "holds, so that no setting can be given but --steps, which makes it longer, a finished one, too. (default: a new run)",
      valueName: "run"))
  var resume: String?
  @Flag(help: "Write the run's tensorboard/ while it trains: `tensorboard --logdir RUN` follows it.")
  var tensorboard = false
  @Flag(help: "Show the run on a live page in the browser, while it trains and afterwards until Ctrl-C.")
  var watch = false
  @Option(
    help: .init(
      "Seconds between the states that --resume goes on from; what came after the last is done again. 0 is after each step.",
      valueName: "seconds"))
  var stateInterval = 30.0
  @OptionGroup var common: CommonOptions
  @OptionGroup(title: "The page of --watch") var pageOptions: PageOptions

  func validate() throws {
    guard watch || !pageOptions.isChanged else {
      throw ValidationError("--port, --host, --allow-host, --base-path, --token and --no-token belong to --watch")
    }
    guard stateInterval >= 0, stateInterval.isFinite else {
      throw ValidationError("--state-interval is \(stateInterval); give seconds, 0 or more")
    }
    guard out != "" else { throw ValidationError("--out is empty; give a folder") }
  }

  func run() throws {
    let stop = InterruptSignal()
    let layers = try recipeLayers()
    guard resume == nil || !layers.isChanged && recipe == "default" && out == nil else {
      throw ValidationError("--resume goes on with a run as it was: give no other settings with it but --steps")
    }
    let name = resume ?? out ?? Self.defaultFolder()
    let folder = URL(filePath: name, directoryHint: .isDirectory)
    let run = try resume == nil ? AlignmentRun(recipe: layers.resolved()) : AlignmentRun(resuming: folder, steps: steps)
    let recipe = run.recipe
    Terminal.notes(of: run.model)
    let page = try watch ? pageOptions.serve([folder]) : nil
    if let page {
      Terminal.note("Live page: \(page.url)")
      page.warnOfOthers()
      if !pageOptions.noOpen { page.openInBrowser() }
    }
    var progress = AlignmentProgress(recipe: recipe, folder: folder)
    var tensorBoard = tensorboard ? TensorBoardProgress(folder: folder) : nil
    defer { Terminal.live.erase() }
    var outputError: (any Error)?
    var events = RunEvents()
    func notice(_ event: RunEvent) {
      if let line = events.line(of: event) { Terminal.note(line) }
    }
    func willStart() {
      if let note = layers.note { Terminal.note(note) }
      for note in run.notes { Terminal.note(note) }
      Terminal.note(
        "Steering \(isolated(recipe.model)) (\(Self.size(of: run.model.model))) toward \"\(isolated(recipe.toward))\": "
          + "\(counted(recipe.steps, "step")) of \(recipe.samples) stories, in \(isolated(folder.path))")
    }
    func report(_ metrics: StepMetrics, _ samples: [SampleRecord]) {
      if common.json {
        // Both may go to one terminal.
        Terminal.live.erase()
        do {
          try Output.json(try metrics.jsonLine() + [UInt8(ascii: "\n")])
        } catch {
          outputError = error
        }
      }
      progress.report(metrics, samples)
      tensorBoard?.report(metrics, samples)
    }
    stop.begin(.step)
    func showProgress(_ within: RunProgress) { progress.show(within) }
    func shouldStop() -> Bool { stop.isRaised || outputError != nil }
    let outcome: AlignmentRun.Outcome
    if resume == nil {
      outcome = try run.run(
        in: folder, stateInterval: stateInterval, willStart: willStart, notice: notice, progress: showProgress,
        report: report, shouldStop: shouldStop)
    } else {
      for note in run.notes { Terminal.note(note) }
      if steps != nil, let line = Self.newSchedule(of: run) { Terminal.note(line) }
      outcome = try run.resume(
        in: folder, stateInterval: stateInterval, notice: notice, progress: showProgress, report: report,
        shouldStop: shouldStop)
    }
    stop.begin(.short)
    if case .interrupted(afterStep: 0) = outcome, resume == nil {
      Terminal.note("Interrupted before the first step was done; nothing is kept.")
      throw ExitCode(130)
    }
    progress.finish()
    let report = try writeReport(runFolder: folder)
    try progress.summarize(report: report.html)
    if case .interrupted(let step) = outcome {
      Terminal.note(
        "Interrupted after step \(step) of \(recipe.steps). To go on: tinyalign align --resume \(shellWord(name))"
      )
      if let outputError { throw outputError }
      throw ExitCode(130)
    }
    if let page {
      Terminal.note("The run is done; its page stays at \(page.url) until Ctrl-C.")
      try page.serve(until: stop)
    }
  }

  /// Says how the learning rate goes on where a run with a schedule is made longer.
  private static func newSchedule(of run: AlignmentRun) -> String? {
    guard run.recipe.learningRateSchedule != .constant, let step = run.firstStepOfPlan, step > 1 else { return nil }
    func rate(_ step: Int) -> String { String(format: "%.3g", run.learningRate(step: step)) }
    return
      "The \(run.recipe.learningRateSchedule.rawValue) schedule now spans all \(run.recipe.steps) steps: the learning rate was "
      + "\(rate(step - 1)) at step \(step - 1) and is \(rate(step)) at step \(step)."
  }

  private func recipeLayers() throws -> RecipeLayers {
    var layers = try RecipeLayers(recipe)
    layers.set(.model, model)
    layers.set(.reference, reference)
    layers.set(.rewardModel, rewardModel)
    layers.set(.toward, toward)
    layers.set(prompts: prompts.prompt)
    layers.set(.promptFile, prompts.prompts)
    layers.set(.promptColumn, prompts.promptColumn)
    layers.set(.chat, prompts.chat)
    layers.set(.system, prompts.system)
    layers.set(.longPrompts, longPrompts?.rawValue)
    // With a run that goes on, it is no other recipe.
    layers.set(.steps, resume == nil ? steps : nil)
    layers.set(.samples, samples)
    layers.set(.samplesPerPrompt, samplesPerPrompt)
    layers.set(.maxNewTokens, maxNewTokens)
    layers.set(.learningRate, learningRate)
    layers.set(.learningRateSchedule, learningRateSchedule?.rawValue)
    layers.set(.warmupSteps, warmupSteps)
    layers.set(.optimizer, optimizer?.rawValue)
    layers.set(.weightDecay, weightDecay)
    layers.set(.maxGradientNorm, maxGradientNorm)
    layers.set(.algorithm, algorithm?.rawValue)
    layers.set(.klCoefficient, klCoefficient)
    layers.set(.klDirection, klDirection?.rawValue)
    layers.set(.klReduction, klReduction?.rawValue)
    layers.set(.lengthNormalizer, lengthNormalizer)
    layers.set(.loraRank, loraRank)
    layers.set(.loraAlpha, loraAlpha)
    layers.set(.loraTargets, list: loraTargets?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
    layers.set(.loraSaving, loraSaving?.rawValue)
    layers.set(.checkpointEvery, checkpointEvery)
    layers.set(.keep, keep)
    layers.set(.keepBestBelowKL, keepBestBelowKL)
    layers.set(.nonFinite, nonFinite?.rawValue)
    layers.set(.microBatch, microBatch)
    layers.set(.memory, memory?.description)
    layers.set(.seed, seed)
    return layers
  }

  private static func size(of model: any LanguageModel) -> String {
    "\(rounded(model.parameterCount)) parameters"
      + (model.adapter == nil ? "" : ", \(rounded(model.trainedParameters.count)) in the adapter")
  }

  private static func defaultFolder() -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = .gmt
    formatter.dateFormat = "yyyy-MM-dd-HHmmss'Z'"
    return "runs/\(formatter.string(from: Date()))"
  }
}
