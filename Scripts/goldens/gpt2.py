"""Golden files for the GPT-2 tests, by PyTorch and transformers.

    python gpt2.py [FOLDER]         writes them; FOLDER defaults to Tests/TransformersTests/Goldens
    python gpt2.py --verify FOLDER  loads with transformers what `VERIFY_FOLDER=FOLDER swift test` saved, and compares
"""

import json

import common
import torch
from safetensors.torch import load_file
from transformers import GPT2Config


def configuration(**changes):
    sizes = dict(vocab_size=11, n_positions=16, n_embd=8, n_layer=1, n_head=2) | changes
    return GPT2Config(
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=sizes["vocab_size"] - 1,
        eos_token_id=sizes["vocab_size"] - 1, **sizes)


def write(folder):
    generator = torch.Generator().manual_seed(20240613)
    policy = common.model(
        generator, folder / "gpt2-policy", configuration(
            vocab_size=common.VOCABULARY, n_positions=52, n_embd=12, n_layer=2, n_head=3, n_inner=16,
            layer_norm_epsilon=1e-3))
    reference = common.model(
        generator, folder / "gpt2-reference",
        configuration(vocab_size=common.VOCABULARY, n_positions=32, n_inner=12))
    facts = common.write_policy(
        generator, folder, "gpt2", policy, reference,
        [("adamw-clipped", 0.5, 1e-3, torch.optim.AdamW), ("sgd", None, 0.05, torch.optim.SGD)])
    facts["variant_sequence"] = common.write_variants(generator, folder, "gpt2", {
        "tied": configuration(),
        "untied": configuration(tie_word_embeddings=False),
    }, 14)
    tensors = load_file(folder / "gpt2-tied/model.safetensors")
    # As on the Hub: no prefix, and the causal mask as a buffer of each layer.
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    bare["h.0.attn.bias"] = torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16)
    old = dict(tensors)
    old["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
    old["transformer.h.0.attn.bias"] = torch.tril(torch.ones(16, 16, dtype=torch.uint8)).view(1, 1, 16, 16)
    old["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    common.write_spellings(folder, "gpt2", {"bare": bare, "old": old} | common.sixteen_bits(tensors))
    (folder / "gpt2-facts.json").write_text(json.dumps(facts) + "\n")
    common.report_size(folder, "gpt2")


if __name__ == "__main__":
    common.main(write)
