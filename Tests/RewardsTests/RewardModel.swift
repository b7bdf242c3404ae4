import Rewards

/// The reward model from where `make reward-model` puts it, loaded once; where it is missing, each test fails with
/// the message that says what to do.
func rewardModel() throws -> SentenceEmbedder { try loaded.get() }

private let loaded = Result { try SentenceEmbedder(source: RewardModelLocation.source()) }
