"""Golden files for the low-rank adapter tests, by PyTorch, transformers and PEFT.

    python lora.py [FOLDER]         writes them; FOLDER defaults to Tests/TransformersTests/Goldens, where the models of
                                    llama.py, gpt2.py and gptneo.py are
    python lora.py --verify FOLDER  loads with PEFT what `VERIFY_FOLDER=FOLDER swift test` saved, and compares

For each architecture an adapter with random A and B, and expected in float64: log-probabilities of a sequence, and the
gradients of A and B for the mean cross-entropy of its tokens.
"""

import json
import pathlib
import shutil
import sys

import common
import llama  # makes normalisation and rotary angles exact
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

TARGETS = {"llama": ["q_proj", "v_proj", "down_proj"], "gpt2": ["c_attn", "c_fc"], "neo": ["k_proj", "out_proj", "c_proj"]}
RANK, ALPHA = 2, 6


def outputs(model, ids):
    logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    loss = -logits[:-1].gather(1, torch.tensor(ids[1:])[:, None]).mean()
    return logits, loss


def write(name, folder, generator):
    base = common.load(folder / f"{name}-policy")
    ids = common.sequence(generator, 20)
    adapted = get_peft_model(
        base, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS[name], lora_dropout=0, bias="none",
                         task_type="CAUSAL_LM", fan_in_fan_out=name == "gpt2"))
    adapted.double()
    with torch.no_grad():
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                parameter.copy_((torch.randn(parameter.shape, generator=generator) * 0.3).float())
    target = folder / f"lora-{name}"
    shutil.rmtree(target, ignore_errors=True)
    adapted.save_pretrained(target)
    stored = {key: value.float().contiguous() for key, value in load_file(target / "adapter_model.safetensors").items()}
    save_file(stored, target / "adapter_model.safetensors")
    (target / "adapter_model.safetensors").chmod(0o644)
    (target / "README.md").unlink(missing_ok=True)
    settings = json.loads((target / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = f"{name}-policy"
    settings["target_modules"].sort()
    (target / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    log_probabilities, loss = outputs(adapted, ids)
    loss.backward()
    expected = {"ids.float": torch.tensor(ids).float(), "log_probabilities": log_probabilities.detach().float()}
    for key, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            expected[key.replace(".default", "")] = parameter.grad.float()
    save_file(expected, folder / f"lora-{name}.safetensors")
    (folder / f"lora-{name}.safetensors").chmod(0o644)


def verify(folder):
    goldens = pathlib.Path(__file__).parents[2] / "Tests/TransformersTests/Goldens"
    for name in TARGETS:
        model = PeftModel.from_pretrained(common.load(goldens / f"{name}-policy"), folder / f"lora-{name}").double()
        expected = load_file(goldens / f"lora-{name}.safetensors")
        with torch.no_grad():
            found = outputs(model, expected["ids.float"].long().tolist())[0]
        error = (found - expected["log_probabilities"]).abs().max().item()
        print(f"lora-{name}: {error:.1e}")
        assert error < 1e-5


if __name__ == "__main__":
    if sys.argv[1:2] == ["--verify"]:
        verify(pathlib.Path(sys.argv[2]))
    else:
        folder = pathlib.Path(sys.argv[1]) if sys.argv[1:] else (
            pathlib.Path(__file__).parents[2] / "Tests/TransformersTests/Goldens")
        generator = torch.Generator().manual_seed(5)
        for name in TARGETS:
            write(name, folder, generator)
