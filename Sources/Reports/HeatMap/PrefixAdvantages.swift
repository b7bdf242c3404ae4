package import Runs

/// What the policy gradient made of each token of a sample: the mean advantage of the step's samples with the same
/// prompt that begin with the same tokens, up to and including it.
///
/// Samples that share a beginning share its gradient, so this mean, and not the sample's own advantage, is what a token
/// was pushed by. Where the step's samples do not hold the sample, its own advantage counts with theirs.
///
/// - Parameter stepSamples: The samples of its step; those of other steps are passed over.
package func prefixAdvantages(of sample: SampleRecord, among stepSamples: [SampleRecord]) -> [Float] {
  var sharing = stepSamples.filter { $0.step == sample.step && $0.prompt == sample.prompt }
  if !sharing.contains(where: { $0.index == sample.index && $0.tokenIDs == sample.tokenIDs }) { sharing.append(sample) }
  return sample.tokenIDs.enumerated().map { position, token in
    sharing.removeAll { position >= $0.tokenIDs.count || $0.tokenIDs[position] != token }
    let sum = sharing.reduce(0.0) { $0 + Double($1.advantage) }
    return Float(sum / Double(max(1, sharing.count)))
  }
}
