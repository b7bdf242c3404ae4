"""Golden files for the GPT-Neo tests, by PyTorch and transformers.

    python gptneo.py [FOLDER]         writes them; FOLDER defaults to Tests/TransformersTests/Goldens
    python gptneo.py --verify FOLDER  loads with transformers what `VERIFY_FOLDER=FOLDER swift test` saved, and compares

Weights and inputs come from a fixed seed. All expected values are computed in float64 from the saved float32 weights
and stored as float32.
"""

import copy
import json
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPTNeoConfig, GPTNeoForCausalLM, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup)

VOCABULARY = 61
END = 60
NORMALIZER = 10


def model(generator, folder, **sizes):
    """Saves a random model and returns it as loaded from its file, in float64."""
    config = GPTNeoConfig(attention_dropout=0, embed_dropout=0, resid_dropout=0, bos_token_id=sizes["vocab_size"] - 1,
                           eos_token_id=sizes["vocab_size"] - 1, **sizes)
    made = GPTNeoForCausalLM(config)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if ".ln_" in name or "ln_f" in name:
                parameter.copy_(noise * 0.3 + (1 if name.endswith("weight") else 0))
            elif parameter.dim() == 1:
                parameter.copy_(noise * 0.2)
            elif "wte" in name or "lm_head" in name:
                parameter.copy_(noise * 0.6)
            else:
                parameter.copy_(noise * 0.8 / parameter.shape[1] ** 0.5)
    made.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return GPTNeoForCausalLM.from_pretrained(folder).double().eval()


def sequence(generator, length, vocabulary=VOCABULARY):
    return torch.randint(0, vocabulary, (length,), generator=generator).tolist()


def log_probabilities(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].log_softmax(-1)


def samples(generator):
    """New tokens and an advantage of each sample: shared beginnings, repeats, early ends, long unbranched tails."""
    found = []
    for index in range(20):
        length = [24, 3, 9, 17, 1][index % 5]
        ids = []
        for depth in range(length):
            choices = [2, 2, 1, 1, 3, 1][depth % 6] if depth < 12 else (1 if index % 2 else VOCABULARY - 1)
            ids.append((int(torch.randint(0, choices, (1,), generator=generator)) + 5 * (depth % 7)) % END)
        if index % 4 == 1:
            ids[-1] = END
        found.append(ids)
    found += [found[0], found[3], found[3], [END]]
    return [
        {"token_ids": ids, "advantage": round(float(torch.randn(1, generator=generator)), 4)} for ids in found]


def published_loss(policy, reference, prompt, batch, weight, direction, reduction):
    """The loss of the published script, sequence by sequence, nothing shared."""
    total = 0
    for sample in batch:
        ids = sample["token_ids"]
        inputs = torch.tensor([prompt + ids[:-1]])
        first = len(prompt) - 1
        ours = policy(inputs).logits[0, first:].log_softmax(-1)
        with torch.no_grad():
            theirs = reference(inputs).logits[0, first:].log_softmax(-1)
        chosen = ours[torch.arange(len(ids)), torch.tensor(ids)]
        if direction == "forward":
            divergence = (theirs.exp() * (theirs - ours)).sum(-1)
        else:
            divergence = (ours.exp() * (ours - theirs)).sum(-1)
        if reduction == "vocabulary-mean":
            divergence = divergence / VOCABULARY
        total = total + (weight * divergence.sum() - sample["advantage"] * chosen.sum()) / NORMALIZER
    return total / len(batch)


def cross_entropy(model, sequences):
    """Mean over all predicted tokens of all sequences."""
    losses = []
    for ids in sequences:
        logits = model(torch.tensor([ids[:-1]])).logits[0]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none"))
    return torch.cat(losses).mean()


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def train(start, sequences, make_optimizer, rate, maximum_norm):
    model = copy.deepcopy(start)
    optimizer = make_optimizer(model.parameters(), lr=rate, weight_decay=0.01)
    losses, norms = [], []
    for _ in range(10):
        optimizer.zero_grad()
        loss = cross_entropy(model, sequences)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), maximum_norm or float("inf")).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms, {name: parameter.detach() for name, parameter in model.named_parameters()}


def schedules():
    """Factors by transformers: lambda(step) of a warm-up of warmup + 1 steps."""
    cases = []
    for warmup, total in [(0, 10), (3, 12), (1, 5), (7, 40)]:
        for shape, make in [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)]:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            factor = make(optimizer, warmup + 1, total).lr_lambdas[0]
            factors = [factor(step) for step in range(1, total + 1)]
            cases.append({"shape": shape, "warmup": warmup, "total": total, "factors": factors})
    return cases


def store(tensors, path):
    save_file({name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}, str(path))
    path.chmod(0o644)


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
    variants = {
        "bare": bare, "old": old,
        "f16": {name: tensor.half() for name, tensor in tensors.items()},
        "bf16": {name: tensor.bfloat16() for name, tensor in tensors.items()}}
    for name, tensors in variants.items():
        (folder / f"neo-{name}").mkdir(exist_ok=True)
        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        save_file(contiguous, str(folder / f"neo-{name}/model.safetensors"))
        (folder / f"neo-{name}/model.safetensors").chmod(0o644)
        (folder / f"neo-{name}/config.json").write_bytes((folder / "neo-tied/config.json").read_bytes())
    untied = model(generator, folder / "neo-untied", tie_word_embeddings=False, **sizes)
    ids = sequence(generator, 14, 11)
    cross_entropy(untied, [ids]).backward()
    expected = {"tied": log_probabilities(tied, ids), "untied": log_probabilities(untied, ids)}
    expected |= {"gradient." + name: value for name, value in gradients(untied).items()}
    store(expected, folder / "neo-variants.safetensors")
    return ids


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(20240611)
    policy = model(
        generator, folder / "neo-policy", vocab_size=VOCABULARY, hidden_size=24, num_layers=4, num_heads=3,
        intermediate_size=32, attention_types=[[["global", "local"], 2]], max_position_embeddings=64, window_size=8)
    reference = model(
        generator, folder / "neo-reference", vocab_size=VOCABULARY, hidden_size=16, num_layers=2, num_heads=2,
        attention_types=[[["global", "local"], 1]], max_position_embeddings=40, intermediate_size=24, window_size=5)
    facts = {"sequences": [sequence(generator, length) for length in (50, 17, 3, 1)]}
    expected = {str(len(ids)): log_probabilities(policy, ids) for ids in facts["sequences"]}
    store(expected, folder / "neo-log-probabilities.safetensors")

    facts["prompt"] = sequence(generator, 6)
    facts["samples"] = samples(generator)
    facts["normalizer"] = NORMALIZER
    facts["losses"] = []
    for name, weight, direction, reduction in [
            ("none", 0, "forward", "sum"), ("forward", 40, "forward", "vocabulary-mean"),
            ("reverse", 0.5, "reverse", "sum")]:
        policy.zero_grad()
        loss = published_loss(policy, reference, facts["prompt"], facts["samples"], weight, direction, reduction)
        loss.backward()
        store(gradients(policy), folder / f"neo-gradient-{name}.safetensors")
        facts["losses"].append({
            "name": name, "weight": weight, "direction": direction, "reduction": reduction, "value": loss.item()})

    facts["training_sequences"] = [sequence(generator, length) for length in (30, 14, 2)]
    facts["training"] = []
    for name, maximum_norm, rate, make in [
            ("adamw", None, 1e-3, torch.optim.AdamW),
            ("adamw-clipped", 0.5, 1e-3, torch.optim.AdamW),
            ("sgd", None, 0.05, torch.optim.SGD),
            ("sgd-clipped", 0.5, 0.05, torch.optim.SGD)]:
        losses, norms, parameters = train(reference, facts["training_sequences"], make, rate, maximum_norm)
        store(parameters, folder / f"neo-trained-{name}.safetensors")
        facts["training"].append(
            {"name": name, "rate": rate, "maximum_norm": maximum_norm, "losses": losses, "norms": norms})
    facts["schedules"] = schedules()
    facts["variant_sequence"] = write_variants(generator, folder)
    (folder / "neo-facts.json").write_text(json.dumps(facts) + "\n")
    print(sum(file.stat().st_size for file in folder.rglob("*") if "neo-" in str(file)), "bytes")


def verify(folder):
    """Each folder in FOLDER: what GPTNeo.save wrote, and in expected.safetensors ids and log-probabilities by Swift."""
    worst = 0.0
    for path in sorted(folder.iterdir()):
        model = GPTNeoForCausalLM.from_pretrained(path).double().eval()
        expected = load_file(path / "expected.safetensors")
        for name in [name for name in expected if name.startswith("ids.")]:
            ids = expected[name].long().tolist()
            difference = log_probabilities(model, ids) - expected["log_probabilities." + name[4:]].double()
            worst = max(worst, float(difference.abs().max()))
            print(path.name, len(ids), f"{float(difference.abs().max()):.2e}")
    print(f"worst difference of a log-probability {worst:.2e}")
    sys.exit(worst > 2e-5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 3 and sys.argv[1] == "--verify":
        verify(pathlib.Path(sys.argv[2]))
    default = pathlib.Path(__file__).resolve().parents[2] / "Tests/TransformersTests/Goldens"
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else default)
