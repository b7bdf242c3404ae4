"""Times transformers' generate: tokens per second of one stream, or one token and the end."""

import argparse
import statistics
import time

from reference import PROMPT, finish, load_model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="GPT-Neo folder")
    parser.add_argument("--tokens", type=int, default=200, help="new tokens (default: 200)")
    parser.add_argument("--repeats", type=int, default=3, help="timings, of which the median counts (default: 3)")
    parser.add_argument("--first-token", action="store_true", help="generate one token and end: the caller times it")
    options = parser.parse_args()

    import torch

    torch.manual_seed(1)
    model, tokenizer = load_model(options.model)
    model.eval()
    model.generation_config.eos_token_id = None  # Every stream has all its tokens.
    inputs = tokenizer(PROMPT, return_tensors="pt")

    def generate(count):
        start = time.perf_counter()
        with torch.inference_mode():
            output = model.generate(**inputs, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=count)
        text = tokenizer.decode(output[0])
        assert text and output.shape[1] == inputs["input_ids"].shape[1] + count
        return time.perf_counter() - start

    if options.first_token:
        generate(1)
        finish(value=None)
        return
    generate(min(16, options.tokens))
    seconds = [generate(options.tokens) - generate(1) for _ in range(options.repeats)]
    finish(value=(options.tokens - 1) / statistics.median(seconds))


if __name__ == "__main__":
    main()
