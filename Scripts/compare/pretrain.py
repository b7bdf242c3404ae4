"""Times pretraining at the shapes of the model in the program, in PyTorch; the fastest shape of a batch counts."""

import argparse
import json
import pathlib
import sys
import time

from reference import finish

CONFIG = pathlib.Path(__file__).parents[2] / "Sources/EmbeddedAssets/tinystories/config.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default=CONFIG, help="config.json of the model (default: the one in the program)")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="tokens of an update (default: 2048)")
    parser.add_argument("--steps", type=int, default=30, help="updates that are timed (default: 30)")
    parser.add_argument("--compile", action="store_true", help="also try torch.compile, which needs a C++ compiler")
    options = parser.parse_args()

    import torch
    from torch.nn import functional
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    torch.manual_seed(0)
    model = GPTNeoForCausalLM(GPTNeoConfig(**json.loads(pathlib.Path(options.config).read_text())))
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0.05, fused=True)
    vocabulary = model.config.vocab_size

    def tokens_per_second(run, length, steps):
        """Trains on rows of so many tokens; no row sees another, and nothing is padded."""
        rows = options.batch_tokens // length
        start = time.perf_counter()
        for _ in range(steps):
            tokens = torch.randint(0, vocabulary, (rows, length + 1))
            logits = run(input_ids=tokens[:, :-1], use_cache=False).logits
            loss = functional.cross_entropy(logits.reshape(-1, vocabulary), tokens[:, 1:].reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return steps * rows * length / (time.perf_counter() - start)

    candidates = {}
    trials = {}

    def attempt(name, run, length):
        candidates[name] = (run, length)
        tokens_per_second(run, length, 2)
        trials[name] = tokens_per_second(run, length, 5)

    for length in (128, 256, 512):
        attempt(f"rows of {length}", model, length)
    fastest = max(trials, key=trials.get)
    if options.compile:
        length = candidates[fastest][1]
        try:
            attempt(f"rows of {length}, compiled", torch.compile(model), length)
        except Exception as error:  # Compilers fail in many ways, and none of them should stop the comparison.
            print(f"torch.compile failed: {error}", file=sys.stderr)
        fastest = max(trials, key=trials.get)
    finish(value=tokens_per_second(*candidates[fastest], options.steps), note=fastest, trials=trials)


if __name__ == "__main__":
    main()
