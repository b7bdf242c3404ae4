"""Golden files for the GPT-Neo tests, by PyTorch and transformers.

    python gptneo.py [FOLDER]         writes them; FOLDER defaults to Tests/TransformersTests/Goldens
    python gptneo.py --verify FOLDER  loads with transformers what `VERIFY_FOLDER=FOLDER swift test` saved, and compares

Weights and inputs come from a fixed seed. All expected values are computed in float64 from the saved float32 weights
and stored as float32.
"""

import json

import common
import torch
from safetensors.torch import load_file
from transformers import (GPTNeoConfig, get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_cosine_with_min_lr_schedule_with_warmup, get_linear_schedule_with_warmup)


def model(generator, folder, **sizes):
    config = GPTNeoConfig(attention_dropout=0, embed_dropout=0, resid_dropout=0, bos_token_id=sizes["vocab_size"] - 1,
                           eos_token_id=sizes["vocab_size"] - 1, **sizes)
    return common.model(generator, folder, config)


def schedules():
    """The factors of transformers' schedules for each step, counted from 0."""
    makers = [("constant", 0, get_constant_schedule_with_warmup), ("linear", 0, get_linear_schedule_with_warmup),
              ("cosine", 0, get_cosine_schedule_with_warmup), ("cosine", 0.02, get_cosine_with_min_lr_schedule_with_warmup)]
    cases = []
    for warmup, total in [(0, 1), (0, 10), (3, 12), (1, 5), (7, 40), (4, 4)]:
        for shape, final, make in makers:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            settings = {} if shape == "constant" else {"num_training_steps": total}
            if final:
                settings["min_lr_rate"] = final
            factor = make(optimizer, num_warmup_steps=warmup, **settings).lr_lambdas[0]
            cases.append({"shape": shape, "warmup": warmup, "total": total, "final": final,
                          "factors": [factor(step) for step in range(total)]})
    return cases


def write_variants(generator, folder):
    """One tiny model as the files of several years spell it, and one with a head of its own."""
    sizes = dict(vocab_size=11, hidden_size=8, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]],
                 max_position_embeddings=16, window_size=4)
    tied = model(generator, folder / "neo-tied", **sizes)
    tensors = load_file(folder / "neo-tied/model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    mask = torch.tril(torch.ones(16, 16, dtype=torch.uint8)).view(1, 1, 16, 16)
    old = dict(tensors)
    old["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
    for layer in range(2):
        bare[f"h.{layer}.attn.attention.bias"] = mask.bool()
        bare[f"h.{layer}.attn.attention.masked_bias"] = torch.tensor(-1e9)
        old[f"transformer.h.{layer}.attn.attention.bias"] = mask.clone()
        old[f"transformer.h.{layer}.attn.attention.masked_bias"] = torch.tensor(-1e9)
    common.write_spellings(folder, "neo", {"bare": bare, "old": old} | common.sixteen_bits(tensors))
    untied = model(generator, folder / "neo-untied", tie_word_embeddings=False, **sizes)
    ids = common.sequence(generator, 14, 11)
    common.cross_entropy(untied, [ids]).backward()
    expected = {"tied": common.log_probabilities(tied, ids), "untied": common.log_probabilities(untied, ids)}
    expected |= {"gradient." + name: value for name, value in common.gradients(untied).items()}
    common.store(expected, folder / "neo-variants.safetensors")
    return ids


def write(folder):
    generator = torch.Generator().manual_seed(20240611)
    policy = model(
        generator, folder / "neo-policy", vocab_size=common.VOCABULARY, hidden_size=24, num_layers=4, num_heads=3,
        intermediate_size=32, attention_types=[[["global", "local"], 2]], max_position_embeddings=64, window_size=8)
    reference = model(
        generator, folder / "neo-reference", vocab_size=common.VOCABULARY, hidden_size=16, num_layers=2, num_heads=2,
        attention_types=[[["global", "local"], 1]], max_position_embeddings=40, intermediate_size=24, window_size=5)
    facts = common.write_policy(
        generator, folder, "neo", policy, reference, [
            ("adamw", None, 1e-3, torch.optim.AdamW),
            ("adamw-clipped", 0.5, 1e-3, torch.optim.AdamW),
            ("sgd", None, 0.05, torch.optim.SGD),
            ("sgd-clipped", 0.5, 0.05, torch.optim.SGD)])
    facts["schedules"] = schedules()
    facts["variant_sequence"] = write_variants(generator, folder)
    (folder / "neo-facts.json").write_text(json.dumps(facts) + "\n")
    common.report_size(folder, "neo")


if __name__ == "__main__":
    common.main(write)
