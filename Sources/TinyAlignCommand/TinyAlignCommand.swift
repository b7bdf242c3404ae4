import ArgumentParser

@main
struct TinyAlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tinyalign",
    abstract: "Steer a small language model by reinforcement learning, on an ordinary computer.",
    subcommands: [Pretrain.self])
}
