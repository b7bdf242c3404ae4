"""Writes the golden files of the GGUF and llama2.c tests, or checks GGUF files that our writer wrote.

    python gguf_files.py                   writes Tests/CheckpointsTests/Goldens/gguf-* and llama2c-*
    python gguf_files.py --verify FOLDER   loads what the tests wrote to FOLDER with gguf-py and transformers
                                           (run the tests with TINYALIGN_KEEP_WRITTEN=FOLDER first)

Written with torch 2.13.0, numpy 2, gguf 0.19.0, transformers 5.23.0. Everything is seeded; a second run writes the
same bytes.
"""

import argparse
import json
import struct
import warnings
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "CheckpointsTests" / "Goldens"

TYPES = [
    Type.F32, Type.F16, Type.BF16, Type.F64, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0,
    Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K,
]

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}é{% endfor %}"


def dequantized(tensor):
    """A tensor of gguf-py's reader as float32, in PyTorch's order."""
    if tensor.tensor_type == Type.F64:
        return tensor.data.astype(np.float32)
    return np.ascontiguousarray(gguf.dequantize(tensor.data, tensor.tensor_type))


def write_types():
    """A tensor of every type that is read: random blocks, and rows of one repeated byte."""
    random = np.random.default_rng(40)
    writer = gguf.GGUFWriter(FOLDER / "gguf-types.gguf", "none")
    for type in TYPES:
        block, size = gguf.GGML_QUANT_SIZES[type]
        columns = {1: 32, 32: 128, 256: 256}[block]
        rows = [random.integers(0, 256, columns // block * size, dtype=np.uint8)]
        for pattern in ([0x00], [0xFF], [0x80, 0x7F], [0x55, 0xAA]):
            rows.append(np.resize(np.array(pattern, dtype=np.uint8), columns // block * size))
        data = np.stack(rows)
        native = {Type.F32: np.float32, Type.F16: np.float16, Type.F64: np.float64}.get(type)
        if native:
            writer.add_tensor(type.name, data.view(native))
        else:
            writer.add_tensor(type.name, data, raw_dtype=type)
    finish(writer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = [dequantized(t).ravel() for t in gguf.GGUFReader(FOLDER / "gguf-types.gguf").tensors]
    (FOLDER / "gguf-types.bin").write_bytes(np.concatenate(values).astype("<f4").tobytes())


def write_q8():
    """Floats, a row of 64 each, and the Q8_0 blocks that gguf-py makes of them."""
    random = np.random.default_rng(41)
    values = random.standard_normal((6, 64)).astype(np.float32)
    values[1] *= 1e-3
    values[2] = 0
    # Halves that round away from zero, both signs.
    values[3] = np.linspace(-127, 127, 64).round() / 2
    values[3][0], values[3][32] = 127, -127
    values[4] *= np.float32(1e-7)
    values[5] *= np.float32(1e5)
    blocks = gguf.quantize(values, Type.Q8_0)
    (FOLDER / "gguf-q8.bin").write_bytes(values.astype("<f4").tobytes() + blocks.tobytes())


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleave(weights, heads):
    """The rows of each head as llama.cpp's converter orders them for its rotary positions."""
    shape = weights.shape
    return weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def randomized(model, seed):
    """The model with random numbers everywhere, norms and biases among them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model.eval()


def llama(seed, **more):
    config = LlamaConfig(
        vocab_size=24, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=48, rms_norm_eps=1e-5,
        **more)
    return randomized(LlamaForCausalLM(config), seed)


LLAMA_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
GPT2_NAMES = {
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
    "lm_head": "output", "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}


def gguf_name(name, names):
    stem, suffix = name.rsplit(".", 1)
    for prefix in ("model.layers.", "transformer.h."):
        if stem.startswith(prefix):
            number, rest = stem[len(prefix):].split(".", 1)
            return f"blk.{number}.{names[rest]}.{suffix}"
    return f"{names[stem]}.{suffix}"


def add_vocabulary(writer, kind, size):
    tokens = [f"t{i}" for i in range(size - 2)] + ["Ġé", "<|end|>"]
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (size - 1) + [3])
    if kind == "gpt2":
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(["t 1", "Ġ é"])
    else:
        writer.add_token_scores([-0.5 * i for i in range(size)])
        writer.add_add_space_prefix(True)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(size - 1)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(kind == "llama")
    writer.add_chat_template(TEMPLATE)


def write_model(name, model, arch, kind, matrix_type):
    """A GGUF file as llama.cpp's converter makes it, and the weights that must be found under transformers' names."""
    config = model.config
    writer = gguf.GGUFWriter(FOLDER / f"{name}.gguf", arch)
    writer.add_name(f"tiny {name}")
    expected = {}
    if arch == "llama":
        head = config.head_dim
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_dimension_count(head)
        writer.add_key_length(head)
        writer.add_value_length(head)
        writer.add_vocab_size(config.vocab_size)
        rope = config.rope_parameters
        writer.add_rope_freq_base(rope["rope_theta"])
        if rope["rope_type"] == "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(rope["factor"])
        if rope["rope_type"] == "llama3":
            scaled = model.model.rotary_emb.inv_freq.double().numpy()
            plain = rope["rope_theta"] ** (-np.arange(0, head, 2) / head)
            writer.add_tensor("rope_freqs.weight", (plain / scaled).astype(np.float32))
    else:
        writer.add_context_length(config.n_positions)
        writer.add_embedding_length(config.n_embd)
        writer.add_block_count(config.n_layer)
        writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
        writer.add_head_count(config.n_head)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    add_vocabulary(writer, kind, config.vocab_size)
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weights = value.numpy()
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        heads = next((getattr(config, v) for k, v in heads.items() if k in key), None)
        stored = interleave(weights, heads) if heads else weights
        if arch == "gpt2" and ".h." in key and weights.ndim == 2:
            stored = stored.T
        stored = np.ascontiguousarray(stored)
        type = Type.F32 if weights.ndim == 1 or "wpe" in key else matrix_type
        data = gguf.quantize(stored, type)
        writer.add_tensor(gguf_name(key, LLAMA_NAMES if arch == "llama" else GPT2_NAMES), data, raw_dtype=type)
        back = gguf.dequantize(data, type)
        if arch == "gpt2" and ".h." in key and weights.ndim == 2:
            back = back.T
        if heads:
            order = interleave(np.arange(weights.shape[0]), heads)
            unordered = np.empty_like(back)
            unordered[order] = back
            back = unordered
        assert np.allclose(back, weights, atol=0.02), key
        expected[key] = torch.from_numpy(np.ascontiguousarray(back))
    finish(writer)
    save_file(expected, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    (FOLDER / f"{name}.json").write_text(json.dumps(config.to_dict(), sort_keys=True, ensure_ascii=False) + "\n")


def write_models():
    llama3 = {
        "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 9.0,
        "original_max_position_embeddings": 40,
    }
    more = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, head_dim=8, attention_bias=True)
    more |= dict(tie_word_embeddings=True, mlp_bias=True, bos_token_id=1, eos_token_id=23)
    write_model("gguf-llama", llama(42, rope_parameters=llama3, **more), "llama", "gpt2", Type.F32)
    linear = {"rope_type": "linear", "rope_theta": 5000.0, "factor": 2.0}
    more = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, tie_word_embeddings=False)
    more |= dict(bos_token_id=1, eos_token_id=23)
    write_model("gguf-llama-q8", llama(43, rope_parameters=linear, **more), "llama", "llama", Type.Q8_0)
    config = GPT2Config(
        vocab_size=24, n_positions=20, n_embd=16, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=23, n_inner=24)
    write_model("gguf-gpt2", randomized(GPT2LMHeadModel(config), 44), "gpt2", "gpt2", Type.F16)


def write_llama2c():
    """Files of llama2.c's `legacy_export` and `version1_export`, whose matrices are those of Meta's code."""
    for name, shared, version in [("llama2c-v0", True, 0), ("llama2c-v0-untied", False, 0), ("llama2c-v1", False, 1)]:
        config = LlamaConfig(
            vocab_size=12, hidden_size=16, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=8, rms_norm_eps=1e-5, tie_word_embeddings=shared)
        model = randomized(LlamaForCausalLM(config), 45)
        state = {k: v.numpy() for k, v in model.state_dict().items()}

        def all_layers(key, heads=None):
            layers = [state[f"model.layers.{i}.{key}.weight"] for i in range(2)]
            return [interleave(w, heads) if heads else w for w in layers]

        attention = all_layers("self_attn.q_proj", 4) + all_layers("self_attn.k_proj", 2)
        attention += all_layers("self_attn.v_proj") + all_layers("self_attn.o_proj")
        inner = all_layers("mlp.gate_proj") + all_layers("mlp.down_proj") + all_layers("mlp.up_proj")
        embedding, norm = state["model.embed_tokens.weight"], state["model.norm.weight"]
        norms = all_layers("input_layernorm"), all_layers("post_attention_layernorm")
        sizes = [16, 12, 2, 4, 2, 12, 8]
        if version == 0:
            sizes[5] *= 1 if shared else -1
            header = struct.pack("<7i", *sizes)
            tables = np.full((2, 8, 2), 7, dtype=np.float32)
            tensors = [embedding, *norms[0], *attention, *norms[1], *inner, norm, tables]
        else:
            header = struct.pack("<Ii7iB", 0x616B3432, 1, *sizes, shared).ljust(256, b"\0")
            tensors = [*norms[0], *norms[1], norm, embedding, *attention, *inner]
        if not shared:
            tensors.append(state["lm_head.weight"])
        (FOLDER / f"{name}.bin").write_bytes(header + b"".join(t.astype("<f4").tobytes() for t in tensors))
    # The last is untied, and the others have the same numbers.
    save_file({k: torch.from_numpy(v.copy()) for k, v in state.items()}, FOLDER / "llama2c.safetensors")
    (FOLDER / "llama2c.safetensors").chmod(0o644)


def verify(folder):
    """Loads what our writer wrote from the golden models."""
    tolerance = {"F32": 0, "F16": 2e-4, "BF16": 2e-3, "Q8_0": 4e-3}
    count = 0
    for name in ["gguf-llama", "gguf-llama-q8", "gguf-gpt2"]:
        expected = load_file(FOLDER / f"{name}.safetensors")
        for type, bound in tolerance.items():
            path = folder / f"{name}-{type}.gguf"
            reader = gguf.GGUFReader(path)
            assert reader.get_field("tokenizer.chat_template").contents() == TEMPLATE
            assert len(reader.get_field("tokenizer.ggml.tokens").contents()) == 24
            golden = {t.name: t for t in gguf.GGUFReader(FOLDER / f"{name}.gguf").tensors}
            assert {t.name for t in reader.tensors} == golden.keys(), path
            for tensor in reader.tensors:
                original = dequantized(golden[tensor.name])
                wanted = Type.F32 if original.ndim == 1 or "position" in tensor.name else Type[type]
                if wanted == Type.Q8_0 and original.shape[-1] % 32:
                    wanted = Type.F16
                assert tensor.tensor_type == wanted, (path, tensor.name)
                if wanted == Type.BF16 or wanted == Type.Q8_0:
                    assert np.array_equal(tensor.data, gguf.quantize(original, wanted)), (path, tensor.name)
                elif tensor.name != "rope_freqs.weight":
                    assert np.array_equal(tensor.data, original.astype(tensor.data.dtype)), (path, tensor.name)
                else:
                    assert np.allclose(tensor.data, original, rtol=1e-5), (path, tensor.name)
            # transformers knows neither biases of Llama nor gpt2's widths in GGUF files, so it reads one of them.
            if name == "gguf-llama-q8":
                model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=path.name, dtype=torch.float32)
                state = model.state_dict()
                assert expected.keys() == state.keys()
                for key, value in expected.items():
                    assert torch.allclose(state[key], value, atol=bound, rtol=bound), (path, key)
            count += 1
    print(count, "files load")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verify", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.verify:
        verify(arguments.verify)
    else:
        FOLDER.mkdir(parents=True, exist_ok=True)
        write_types()
        write_q8()
        write_models()
        write_llama2c()
