"""Writes the golden files of CheckpointsTests that concern PyTorch's own formats, into Tests/CheckpointsTests/Goldens/pytorch/.

    python pytorch.py

Written with torch 2.13.0. Everything is seeded; a second run writes the same bytes, but for the storages' names in files of the old
format, which are memory addresses. The catalogue of malformed files is in pytorch_malformed.py.
"""

import json
import os
import sys
import types
from collections import OrderedDict
from pathlib import Path

import torch
from pytorch_malformed import catalogue

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "CheckpointsTests" / "Goldens" / "pytorch"


def state_dict():
    """Every way in which a tensor can lie in its storage, in every type."""
    generator = torch.Generator().manual_seed(40)
    wide = torch.randn(6, 5, generator=generator)
    cube = torch.randn(2, 3, 4, generator=generator)
    state = OrderedDict()
    state["wte.weight"] = wide
    state["lm_head.weight"] = wide  # tied
    state["transposed"] = wide.t()
    state["rows"] = wide[2:5]
    state["columns"] = wide[:, 1:4]
    state["every other"] = wide[::2, ::2]
    state["cube"] = cube
    state["permuted"] = cube.permute(2, 0, 1)
    state["turned"] = cube.transpose(0, 1)[1:]
    state["expanded"] = torch.tensor([[1.5], [-2.5]]).expand(2, 3)
    state["scalar"] = torch.tensor(0.1)
    state["scalar of a view"] = wide[3, 4]
    state["empty"] = torch.zeros(3, 0, 2)
    state["one"] = torch.ones(1, 1, 1)
    state["half"] = torch.randn(7, generator=generator).to(torch.float16)
    state["half transposed"] = torch.randn(3, 2, generator=generator).to(torch.float16).t()
    state["brain"] = torch.randn(7, generator=generator).to(torch.bfloat16)
    state["double"] = torch.randn(2, 2, generator=generator, dtype=torch.float64)
    state["double transposed"] = torch.randn(2, 3, generator=generator, dtype=torch.float64).t()
    state["parameter"] = torch.nn.Parameter(torch.randn(3, generator=generator))
    state['name "with" \\ escapes é 中 😀'] = torch.tensor([1.0, -0.0, 65504.0, 6e-8])
    return state


def others():
    """Types that are listed, and not read."""
    state = OrderedDict()
    for name in ["int64", "int32", "int16", "int8", "uint8", "bool", "uint16", "complex64", "float8_e4m3fn"]:
        state[name] = torch.ones(2, 3).to(getattr(torch, name))
    state["weight"] = torch.ones(2)
    return state


def write_expected():
    tensors = {k: v.detach().to(torch.float32).contiguous() for k, v in state_dict().items()}
    shapes = {k: list(v.shape) for k, v in tensors.items()}
    bits = {k: v.view(torch.int32).flatten().tolist() for k, v in tensors.items()}
    text = json.dumps({"names": list(tensors), "shapes": shapes, "bits": bits}, ensure_ascii=False)
    (FOLDER / "expected.json").write_text(text + "\n")


def save(value, name, **options):
    torch.save(value, FOLDER / name, **options)


class Command:
    """What a hostile pickle runs when Python loads it."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(function, *arguments):
    return OrderedDict([("weight", torch.ones(2)), ("payload", Command(function, *arguments))])


def whole_model():
    """A model saved whole; its class lives in a module that exists here only."""
    module = types.ModuleType("story_model")
    sys.modules["story_model"] = module
    exec(
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.linear = torch.nn.Linear(2, 2)\n",
        module.__dict__,
    )
    torch.manual_seed(41)
    return module.Net()


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    write_expected()
    state = state_dict()
    for protocol in range(2, 6):
        save(state, f"zip-{protocol}.pt", pickle_protocol=protocol)
        save(state, f"legacy-{protocol}.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    training = {
        "epoch": 3,
        "loss": 1.5,
        "best": None,
        "done": False,
        "large": 2**70,
        "negative": -(2**40),
        "history": [1, (2, 3), [4.0, "five"], (), (1, 2, 3, 4)],
        "arguments": {"lr": 3e-4, "betas": (0.9, 0.95), "tags": {"a"}, "bytes": b"\x00\xff", 7: "seven"},
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "shape": torch.Size([2, 3]),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(3)}}},
        "rng": torch.zeros(5, dtype=torch.uint8),
    }
    for wrapper in ["state_dict", "model", "module", "model_state_dict"]:
        save({**training, wrapper: {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)}}, f"nested-{wrapper}.pt")
    save(
        {**training, "model": {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)}},
        "nested-legacy.pt",
        _use_new_zipfile_serialization=False,
        pickle_protocol=5,
    )
    save(others(), "others.pt")
    save(others(), "others-legacy.pt", _use_new_zipfile_serialization=False)
    linear = torch.nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.arange(6.0).view(2, 3))
        linear.bias.copy_(torch.tensor([0.5, -0.5]))
    save(linear.state_dict(), "module.pt")
    # Refused.
    save(torch.ones(2), "tensor.pt")
    save([torch.ones(2)], "list.pt")
    save({"step": 3, "args": {"lr": 1}, 5: 6}, "no-tensors.pt")
    save(whole_model(), "whole-model.pt")
    save(whole_model(), "whole-model-legacy.pt", _use_new_zipfile_serialization=False)
    touch = "touch /tmp/tinyalign-was-here"
    for name, value in [
        ("system", hostile(os.system, touch)),
        ("eval", hostile(eval, f"__import__('os').system({touch!r})")),
        ("exec", hostile(exec, "raise SystemExit")),
        ("getattr", hostile(getattr, "text", "upper")),
    ]:
        for protocol in [2, 4]:
            save(value, f"hostile-{name}-{protocol}.pt", pickle_protocol=protocol)
        save(value, f"hostile-{name}-legacy.pt", _use_new_zipfile_serialization=False)
    cases = list(catalogue())
    assert len({c["name"] for c in cases}) == len(cases)
    (FOLDER / "malformed.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    for path in FOLDER.iterdir():
        path.chmod(0o644)
    print(len(cases), "malformed files;", sum(p.stat().st_size for p in FOLDER.iterdir()), "bytes in all")


if __name__ == "__main__":
    main()
