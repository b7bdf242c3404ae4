"""Writes a GPT-Neo folder with the shapes of TinyStories-33M, random weights and GPT-2's tokenizer."""

import argparse
import pathlib


def tokenizer(name):
    """GPT-2's tokenizer from a folder with tokenizer.json, or by its name on the Hub."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    file = pathlib.Path(name) / "tokenizer.json"
    if file.exists():
        end = "<|endoftext|>"
        return PreTrainedTokenizerFast(tokenizer_file=str(file), bos_token=end, eos_token=end)
    return AutoTokenizer.from_pretrained(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="folder to write")
    parser.add_argument(
        "--gpt2-tokenizer", default="gpt2", help="folder with tokenizer.json, or name on the Hub (default: gpt2)")
    options = parser.parse_args()

    import torch
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    torch.manual_seed(0)
    config = GPTNeoConfig(
        vocab_size=50257, hidden_size=768, num_layers=4, attention_types=[[["global", "local"], 2]], num_heads=16,
        max_position_embeddings=2048, window_size=256, attention_dropout=0, embed_dropout=0, resid_dropout=0,
        bos_token_id=50256, eos_token_id=50256)
    tokenizer(options.gpt2_tokenizer).save_pretrained(options.folder)
    GPTNeoForCausalLM(config).save_pretrained(options.folder)


if __name__ == "__main__":
    main()
