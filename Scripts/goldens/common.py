"""What the golden scripts of the language models share.

Weights and inputs come from a fixed seed. All expected values are computed in float64 from the saved float32 weights
and stored as float32.
"""

import copy
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

VOCABULARY = 61
END = 60
NORMALIZER = 10


def model(generator, folder, config):
    """Saves a random model of this configuration and returns it as loaded from its file, in float64."""
    made = AutoModelForCausalLM.from_config(config)
    inputs = 0 if config.model_type == "gpt2" else 1  # GPT-2 has its matrices the other way round.
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if ".ln_" in name or "norm" in name:
                parameter.copy_(noise * 0.3 + (1 if name.endswith("weight") else 0))
            elif parameter.dim() == 1:
                parameter.copy_(noise * 0.2)
            elif "wte" in name or "embed_tokens" in name or "lm_head" in name:
                parameter.copy_(noise * 0.6)
            else:
                parameter.copy_(noise * 0.8 / parameter.shape[inputs] ** 0.5)
    made.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return load(folder)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder).double().eval()


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


def store(tensors, path):
    save_file({name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}, str(path))
    path.chmod(0o644)


def write_spellings(folder, prefix, spellings):
    """Other files of the model in PREFIX-tied: each a folder of the given tensors, as they are, and its configuration."""
    for name, tensors in spellings.items():
        path = folder / f"{prefix}-{name}"
        path.mkdir(exist_ok=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, str(path / "model.safetensors"))
        (path / "model.safetensors").chmod(0o644)
        (path / "config.json").write_bytes((folder / f"{prefix}-tied/config.json").read_bytes())


def sixteen_bits(tensors):
    return {
        "f16": {name: tensor.half() for name, tensor in tensors.items()},
        "bf16": {name: tensor.bfloat16() for name, tensor in tensors.items()}}


def write_policy(generator, folder, prefix, policy, reference, optimizers):
    """Log-probabilities, gradients of the published loss and trained parameters; returns the facts about them."""
    facts = {"sequences": [sequence(generator, length) for length in (50, 17, 3, 1)]}
    expected = {str(len(ids)): log_probabilities(policy, ids) for ids in facts["sequences"]}
    store(expected, folder / f"{prefix}-log-probabilities.safetensors")

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
        store(gradients(policy), folder / f"{prefix}-gradient-{name}.safetensors")
        facts["losses"].append({
            "name": name, "weight": weight, "direction": direction, "reduction": reduction, "value": loss.item()})

    facts["training_sequences"] = [sequence(generator, length) for length in (30, 14, 2)]
    facts["training"] = []
    for name, maximum_norm, rate, make in optimizers:
        losses, norms, parameters = train(reference, facts["training_sequences"], make, rate, maximum_norm)
        store(parameters, folder / f"{prefix}-trained-{name}.safetensors")
        facts["training"].append(
            {"name": name, "rate": rate, "maximum_norm": maximum_norm, "losses": losses, "norms": norms})
    return facts


def write_variants(generator, folder, prefix, configurations, length):
    """A model of each configuration over 11 tokens, what it says of one sequence, and its gradient of that."""
    ids = sequence(generator, length, 11)
    for name, config in configurations.items():
        made = model(generator, folder / f"{prefix}-{name}", config)
        cross_entropy(made, [ids]).backward()
        expected = {"log-probabilities": log_probabilities(made, ids)}
        expected |= {"gradient." + key: value for key, value in gradients(made).items()}
        store(expected, folder / f"{prefix}-{name}.safetensors")
    return ids


def report_size(folder, prefix):
    files = [file for file in folder.rglob("*") if file.is_file() and f"{prefix}-" in str(file)]
    print(sum(file.stat().st_size for file in files), "bytes")


def verify(folder):
    """Each folder in FOLDER: what Swift saved, and in expected.safetensors ids and log-probabilities by Swift."""
    worst = 0.0
    for path in sorted(path for path in folder.iterdir() if (path / "config.json").exists()):
        model = load(path)
        expected = load_file(path / "expected.safetensors")
        for name in [name for name in expected if name.startswith("ids.")]:
            ids = expected[name].long().tolist()
            difference = log_probabilities(model, ids) - expected["log_probabilities." + name[4:]].double()
            worst = max(worst, float(difference.abs().max()))
            print(path.name, len(ids), f"{float(difference.abs().max()):.2e}")
    print(f"worst difference of a log-probability {worst:.2e}")
    sys.exit(worst > 2e-5)


def main(write):
    """Calls `write` with the folder that the command line names, or verifies."""
    torch.set_num_threads(1)
    if len(sys.argv) == 3 and sys.argv[1] == "--verify":
        verify(pathlib.Path(sys.argv[2]))
    default = pathlib.Path(__file__).resolve().parents[2] / "Tests/TransformersTests/Goldens"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else default
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
