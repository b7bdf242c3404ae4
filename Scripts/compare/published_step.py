"""Times a training step of the published script: its mathematics and its way of computing, in PyTorch.

REINFORCE without a baseline; each new token is drawn after a forward pass over all that stands before it, by the policy
and by the frozen reference; KL(reference || policy), a mean over the vocabulary, times 6000; AdamW at 2e-6.
"""

import argparse
import statistics
import time

from reference import PROMPT_TOKENS, finish, load_model, scaled, similarity_reward

TOKENS = 10
KL_COEFFICIENT = 6000


def batch_loss(policy, frozen, tokenizer, reward, stories):
    """Samples a batch of stories; returns their loss."""
    import torch
    from torch.nn import functional

    tokens = torch.tensor([PROMPT_TOKENS]).repeat(stories, 1)
    log_probability = torch.zeros(stories)
    divergence = torch.zeros(stories)
    while tokens.shape[1] < TOKENS:
        logits = policy(tokens).logits[:, -1]
        distribution = torch.distributions.Categorical(logits=logits)
        drawn = distribution.sample()
        log_probability = log_probability + distribution.log_prob(drawn)
        with torch.no_grad():
            expected = functional.log_softmax(frozen(tokens).logits[:, -1], dim=-1)
        divergence = divergence + functional.kl_div(
            functional.log_softmax(logits, dim=-1), expected, reduction="none", log_target=True).mean(-1)
        tokens = torch.cat([tokens, drawn[:, None]], dim=1)
    earned = reward(tokenizer.batch_decode(tokens))
    return (KL_COEFFICIENT * divergence - earned * log_probability).mean() / TOKENS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="GPT-Neo folder")
    parser.add_argument("--minilm", required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--stories", type=int, default=64, help="stories of a step (default: 64)")
    parser.add_argument("--batch", type=int, default=32, help="stories of a forward and backward pass (default: 32)")
    parser.add_argument("--scale-to", type=int, help="stories that the seconds are scaled to (default: as timed)")
    parser.add_argument("--steps", type=int, default=2, help="steps; the first is not counted (default: 2)")
    options = parser.parse_args()
    if options.stories % options.batch or options.steps < 2:
        parser.error("--stories must be a multiple of --batch, and --steps at least 2")

    import torch

    torch.manual_seed(0)
    policy, tokenizer = load_model(options.model)
    frozen, _ = load_model(options.model)
    policy.train()
    frozen.requires_grad_(False)
    reward = similarity_reward(options.minilm)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=2e-6)
    batches = options.stories // options.batch
    seconds = []
    for _ in range(options.steps):
        start = time.perf_counter()
        for _ in range(batches):
            (batch_loss(policy, frozen, tokenizer, reward, options.batch) / batches).backward()
        middle = time.perf_counter()
        optimizer.step()
        optimizer.zero_grad()
        end = time.perf_counter()
        seconds.append(scaled(middle - start, end - middle, options.stories, options.scale_to))
    finish(value=statistics.median(seconds[1:]))


if __name__ == "__main__":
    main()
