/// A checkpoint's tensors without what training wrappers put into their names.
///
/// `torch.compile` adds the part `_orig_mod`, FSDP `_fsdp_wrapped_module`, activation checkpointing
/// `_checkpoint_wrapped_module`; `DataParallel` and DeepSpeed put `module.` before every name.
struct UnwrappedTensors: TensorSource {
  private let wrapped: any TensorSource
  /// The names in the file by the names without wrappers.
  private let originals: [String: String]
  let tensorNames: [String]

  /// `source`, under other names where a wrapper is in some.
  ///
  /// - Throws: ``CheckpointError`` for the weights of a model that PEFT has put adapters into.
  static func unwrapping(_ source: any TensorSource) throws -> any TensorSource {
    let names = source.tensorNames
    if let name = names.first(where: { $0.hasPrefix("base_model.model.") && !$0.contains(".lora_") }) {
      throw CheckpointError.unsupported(
        file: source.name, reason: "tensor \(quoted(name)) belongs to a model that PEFT has put an adapter into",
        hint: "merge the adapter first: merge_and_unload() and save_pretrained()")
    }
    let prefix = "module."
    let isPrefixed = !names.isEmpty && names.allSatisfy { $0.hasPrefix(prefix) }
    let plain = names.map { name in
      let rest = isPrefixed ? name.dropFirst(prefix.count) : name[...]
      return rest.split(separator: ".", omittingEmptySubsequences: false)
        .filter { !wrappers.contains(String($0)) }.joined(separator: ".")
    }
    // Names that become one would hide a tensor: then they stay as they are, and are refused by name.
    guard plain != names, Set(plain).count == names.count else { return source }
    return UnwrappedTensors(
      wrapped: source, originals: Dictionary(uniqueKeysWithValues: zip(plain, names)), tensorNames: plain)
  }

  private static let wrappers: Set = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]

  var name: String { wrapped.name }

  func shape(of tensor: String) -> [Int]? { originals[tensor].flatMap { wrapped.shape(of: $0) } }

  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try wrapped.copyFloats(of: originals[tensor] ?? tensor, into: destination)
  }

  func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try wrapped.copyNumbers(of: originals[tensor] ?? tensor, into: destination)
  }
}
