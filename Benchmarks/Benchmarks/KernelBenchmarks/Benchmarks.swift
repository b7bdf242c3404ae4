import Benchmark

/// Registers all benchmarks; the tool looks for this name.
let benchmarks: @Sendable () -> Void = {
  registerLinearLayers()
  registerProducts()
  registerTreeAttention()
  registerBidirectionalAttention()
  registerHeads()
  registerLogitRows()
  registerLayerNorms()
  registerGELUs()
  registerOptimizers()
}
