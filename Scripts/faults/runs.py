"""What the scripts beside this one share: what a run folder holds, and how two of them are compared."""

import hashlib
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.path.join(ROOT, ".build", "release", "tinyalign")
RECIPE = ["--steps", "24", "--samples", "32", "--checkpoint-every", "5", "--keep", "3"]


def lines(folder, name):
    """The whole lines of a file."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def timeless(line):
    """Metrics without what the clock says."""
    metrics = json.loads(line)
    for key in ("seconds", "seconds_split"):
        metrics.pop(key)
    return metrics


def content(folder):
    """What must be the same of two runs."""
    result = {"metrics.jsonl": [timeless(line) for line in lines(folder, "metrics.jsonl")]}
    for name in ("samples.jsonl", "followed_stories.jsonl", "story_trees.jsonl"):
        result[name] = hashlib.sha256(b"\n".join(lines(folder, name))).hexdigest()
    # The report and its figures are made from the rest, by `tinyalign report` at any time.
    result["files"] = sorted(name for name in os.listdir(folder) if name.endswith((".json", ".jsonl", ".safetensors", ".tmp")))
    checkpoints = os.path.join(folder, "checkpoints")
    for step in sorted(os.listdir(checkpoints)):
        for name in sorted(os.listdir(os.path.join(checkpoints, step))):
            with open(os.path.join(checkpoints, step, name), "rb") as file:
                result[f"checkpoints/{step}/{name}"] = hashlib.sha256(file.read()).hexdigest()
    return result


def finished(folder):
    """Metrics and samples of the finished steps."""
    metrics = [timeless(line) for line in lines(folder, "metrics.jsonl")]
    last = metrics[-1]["step"] if metrics else 0
    samples = [line for line in lines(folder, "samples.jsonl") if json.loads(line)["step"] <= last]
    return metrics, samples


def fail(text, folder):
    sys.exit(f"FAILED: {text}; the folder is {folder}")


def compare(expected, actual, folder):
    """Fails unless two runs are the same."""
    for name in sorted(set(expected) | set(actual)):
        if expected.get(name) != actual.get(name):
            fail(f"{name} is not that of the run that was never stopped", folder)


def whole_run(folder, flags):
    """A run that is never stopped; returns what is in its folder."""
    subprocess.run([COMMAND, "align", "--out", folder, *flags], check=True, capture_output=True)
    return content(folder)
