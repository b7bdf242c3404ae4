"""Golden files for models whose head and configuration disagree, by transformers.

    python heads.py [FOLDER]         writes them; FOLDER defaults to Tests/CommandLineTests/Goldens/heads

For each architecture a model of seven tokens with a head of its own, and one with the head alone, as safetensors' save_model
keeps it of two tensors in the same memory. Both say that the head is the token embedding. heads.json has what transformers
makes of them: log-probabilities of the tokens of "abcdea" after the first.
"""

import json
import pathlib
import sys

import common
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoConfig, LlamaConfig

WORDS = ["a", "b", "c", "d", ".", "e", "<|endoftext|>"]
TEXT = [0, 1, 2, 3, 5, 0]


def write_tokenizer(folder):
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    end = {"id": 6, "content": WORDS[6], "special": True} | dict.fromkeys(
        ["single_word", "lstrip", "rstrip", "normalized"], False)
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [end], "normalizer": None, "pre_tokenizer": level, "post_processor": None,
        "decoder": level, "model": model}) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "GPT2TokenizerFast", "eos_token": WORDS[6], "bos_token": WORDS[6]}) + "\n")


def configurations():
    sizes = {"vocab_size": len(WORDS), "bos_token_id": 6, "eos_token_id": 6, "tie_word_embeddings": False}
    yield "gpt_neo", "transformer.wte.weight", GPTNeoConfig(
        hidden_size=8, num_layers=2, num_heads=2, max_position_embeddings=16, window_size=4,
        attention_types=[[["global", "local"], 1]], embed_dropout=0, attention_dropout=0, resid_dropout=0, **sizes)
    yield "gpt2", "transformer.wte.weight", GPT2Config(
        n_embd=8, n_layer=1, n_head=2, n_positions=16, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **sizes)
    yield "llama", "model.embed_tokens.weight", LlamaConfig(
        hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=16, **sizes)


def expected(folder):
    model = AutoModelForCausalLM.from_pretrained(folder).double().eval()
    rows = common.log_probabilities(model, TEXT)
    return [rows[index, token].item() for index, token in enumerate(TEXT[1:])]


def write(folder):
    generator = torch.Generator().manual_seed(11)
    facts = {}
    for name, embedding, config in configurations():
        own, alone = folder / f"{name}-own-head", folder / f"{name}-head-only"
        for path in (own, alone):
            path.mkdir(parents=True, exist_ok=True)
        common.model(generator, own, config)
        tensors = load_file(own / "model.safetensors")
        del tensors[embedding]
        save_file(tensors, alone / "model.safetensors", metadata={"format": "pt"})
        config.tie_word_embeddings = True
        for path in (own, alone):
            config.save_pretrained(path)
            write_tokenizer(path)
            facts[path.name] = expected(path)
    (folder / "heads.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    default = pathlib.Path(__file__).parents[2] / "Tests/CommandLineTests/Goldens/heads"
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
