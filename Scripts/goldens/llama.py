"""Golden files for the Llama tests, by PyTorch and transformers.

    python llama.py [FOLDER]         writes them; FOLDER defaults to Tests/TransformersTests/Goldens
    python llama.py --verify FOLDER  loads with transformers what `VERIFY_FOLDER=FOLDER swift test` saved, and compares

transformers computes normalisation and rotary angles in float32 whatever the model's type; here both are float64, so
that the expected values are exact. Nothing else is changed, and the script checks that this hardly changes anything.
"""

import json
import shutil

import common
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig
from transformers.models.llama import modeling_llama


def exact_norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def exact_angles(self, x, position_ids):
    angles = position_ids[..., None].double() * self.inv_freq.double()
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


def with_transformers_own(body):
    """Calls `body` with transformers as it is."""
    kept = modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward
    modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = own
    result = body()
    modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = kept
    return result


own = modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward
modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = exact_norm, exact_angles


def configuration(**changes):
    sizes = dict(
        vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0}) | changes
    return LlamaConfig(bos_token_id=1, eos_token_id=sizes["vocab_size"] - 1, **sizes)


def llama3(factor):
    """Of the four frequencies of a head of eight, one is kept, one is in between, and two are divided."""
    return {
        "rope_type": "llama3", "rope_theta": 100.0, "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}


def write_old_configuration(folder):
    """config-4.json: the configuration as transformers 4 wrote it."""
    old = json.loads((folder / "config.json").read_text())
    rope = old.pop("rope_parameters")
    old["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    # "type" until 4.42, "rope_type" since.
    old["rope_scaling"] = {"default": None, "linear": {"type": kind} | rope, "llama3": {"rope_type": kind} | rope}[kind]
    old["torch_dtype"] = old.pop("dtype")
    old["transformers_version"] = "4.40.0"
    (folder / "config-4.json").write_text(json.dumps(old, indent=2) + "\n")


def check(folder, ids):
    """transformers as it is says the same within float32, and reads the old configuration as it does the new."""
    for path in sorted(folder.glob("llama-*/")):
        made = common.load(path)
        expected = common.log_probabilities(made, ids)
        found = with_transformers_own(lambda: common.log_probabilities(made, ids))
        assert (found - expected).abs().max() < 1e-5, path
        if (path / "config-4.json").exists():
            copied = folder / "old"
            shutil.copytree(path, copied)
            shutil.move(copied / "config-4.json", copied / "config.json")
            assert torch.equal(common.log_probabilities(common.load(copied), ids), expected), path
            shutil.rmtree(copied)


def write(folder):
    generator = torch.Generator().manual_seed(20240612)
    policy = common.model(
        generator, folder / "llama-policy", configuration(
            vocab_size=common.VOCABULARY, hidden_size=16, intermediate_size=14, num_hidden_layers=2, head_dim=6,
            rms_norm_eps=1e-6, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}))
    reference = common.model(
        generator, folder / "llama-reference", configuration(
            vocab_size=common.VOCABULARY, intermediate_size=10, num_attention_heads=2, num_key_value_heads=1))
    facts = common.write_policy(
        generator, folder, "llama", policy, reference,
        [("adamw-clipped", 0.5, 1e-3, torch.optim.AdamW), ("sgd", None, 0.05, torch.optim.SGD)])
    facts["variant_sequence"] = common.write_variants(generator, folder, "llama", {
        "tied": configuration(),
        "untied": configuration(num_key_value_heads=4, tie_word_embeddings=False),
        "bias": configuration(attention_bias=True, mlp_bias=True, num_key_value_heads=1),
        "head-size": configuration(num_attention_heads=2, num_key_value_heads=1, head_dim=6),
        "linear": configuration(rope_parameters={"rope_type": "linear", "rope_theta": 100.0, "factor": 2.5}),
        "llama3": configuration(
            num_attention_heads=2, num_key_value_heads=1, head_dim=8, rope_parameters=llama3(8.0)),
    }, 40)
    tensors = load_file(folder / "llama-tied/model.safetensors")
    old = dict(tensors)
    old["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    old["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.tensor([1.0])
    bare = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    common.write_spellings(folder, "llama", {"bare": bare, "old": old} | common.sixteen_bits(tensors))
    for name in ["tied", "linear", "llama3"]:
        write_old_configuration(folder / f"llama-{name}")
    check(folder, facts["variant_sequence"])
    (folder / "llama-facts.json").write_text(json.dumps(facts) + "\n")
    common.report_size(folder, "llama")


if __name__ == "__main__":
    common.main(write)
