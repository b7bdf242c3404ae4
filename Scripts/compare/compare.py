#!/usr/bin/env python3
"""Times tinyalign beside Python on this machine and prints a Markdown table; see README.md in this folder."""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# This file needs the standard library only, and stays small: a child's peak memory counts from its parent's.
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROMPT = "Once upon a time there was"
PUBLISHED_STORIES = 1024
PACKAGES = ("torch", "transformers", "sentence-transformers", "trl", "numpy")
ENVIRONMENT = ("OPENBLAS_", "OMP_", "MKL_")
# Each is one token of the model in the program.
WORDS = "the and was to a she he it they her in with her Tom Lily mom saw big happy play day said not so".split()
STORY_WORDS = (
    "once there was a little girl boy named Tom Lily who liked to play in the big park with her friend and a small dog "
    "one day they saw a red ball near old tree it very happy said we can share mom smiled went home ate cake"
).split()


class Failure(Exception):
    """What went wrong, in one line."""


@dataclasses.dataclass
class Sample:
    """One timing: the figure of its row, peak memory in GB, and what the script has to say about it."""

    value: float
    memory: float
    note: str = ""
    threads: int | None = None


@dataclasses.dataclass
class Line:
    """One line of the table: how to take a sample of either side; Python's may be missing.

    With `warms_up`, each side runs once before it counts, so that no file comes from disk.
    """

    row: str
    what: str
    unit: str
    ours: object
    theirs: object = None
    higher_is_better: bool = False
    warms_up: bool = False


def run(command, environment=None):
    """Runs a command to its end; returns seconds, its own peak memory in GB, and what it printed."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=os.environ | (environment or {}))
        except OSError as error:
            raise Failure(f"{command[0]} cannot be started: {error.strerror}") from None
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            name = " ".join(pathlib.Path(part).name for part in command[:2])
            raise Failure(f"{name}: exit status {process.returncode}: {said[-1]}")
        unit = 1 if sys.platform == "darwin" else 1024
        return seconds, usage.ru_maxrss * unit / 1e9, output.read().decode()


class Comparison:
    """The sides, their files, and the rows."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.quick = options.quick
        self.runs = 0
        self._model = options.model

    # The sides

    def tinyalign(self, *arguments):
        return run([self.options.tinyalign, *arguments])

    def reference(self, script, *arguments):
        """Runs a script of this folder; its last line says the figure."""
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
        seconds, memory, output = run([self.options.python, HERE / script, *arguments], offline)
        result = json.loads(output.splitlines()[-1])
        value = seconds if result["value"] is None else result["value"]
        return Sample(value, memory, result.get("note", ""), result["threads"])

    # Files

    @property
    def model(self):
        """A folder with the shapes of TinyStories-33M, made where none is given."""
        if self._model is None:
            say("making a model with the shapes of TinyStories-33M")
            self._model = self.folder / "model"
            run([self.options.python, HERE / "model.py", self._model, "--gpt2-tokenizer", self.options.gpt2_tokenizer])
        return require(self._model, "config.json", "--model")

    @property
    def minilm(self):
        return require(self.options.minilm, "model.safetensors", "--minilm, or run Scripts/fetch-reward-model")

    def new_folder(self):
        self.runs += 1
        return self.folder / f"run-{self.runs}"

    def write_documents(self, name, documents):
        file = self.folder / name
        file.write_text("\n<|endoftext|>\n".join(documents) + "\n", encoding="utf8")
        return file

    def stories(self, count):
        """The first stories of --stories, or made-up ones that are about as long."""
        if self.options.stories is None:
            source = random.Random(1)
            return [" ".join(source.choices(STORY_WORDS, k=source.randint(120, 220))) + "." for _ in range(count)]
        text = pathlib.Path(self.options.stories).read_text(encoding="utf8")
        found = [part.strip() for part in text.split("<|endoftext|>") if part.strip()]
        if len(found) < count:
            raise Failure(f"{self.options.stories} has {len(found)} stories, and {count} are needed")
        return found[:count]

    # Rows

    def align(self, stories, *arguments, new_tokens=4):
        """The middle one of three steps, by the run's metrics, as the first step finds cold memory."""
        out = self.new_folder()
        _, memory, _ = self.tinyalign(
            "align", "--recipe", "tinycatstories", "--model", self.model, "--reward-model", self.minilm,
            "--samples", stories, "--steps", 3, "--learning-rate", "2e-6", "--max-new-tokens", new_tokens,
            "--length-normalizer", 6 + new_tokens, *arguments, "--out", out)
        metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        shutil.rmtree(out)
        return Sample(statistics.median(metric["seconds"] for metric in metrics), memory)

    def training_step(self, row, what, script, timed, arguments):
        stories = 64 if self.quick else PUBLISHED_STORIES
        timed = 16 if self.quick else stories if self.options.full else timed
        batch = min(32, timed)
        scaling = "" if timed == stories else f"; Python: {timed} timed, scaled"
        models = ("--model", self.model, "--minilm", self.minilm)
        yield Line(
            row, f"{what}, {stories:,} stories{scaling}", "s", lambda: self.align(stories, *arguments),
            lambda: self.reference(script, *models, "--stories", timed, "--batch", batch, "--scale-to", stories))

    def step(self):
        yield from self.training_step(
            "step", "step of the published script", "published_step.py", 64, ("--kl-coefficient", 6000))

    def trl(self):
        yield from self.training_step(
            "trl", "leave-one-out step, TRL's RLOOTrainer", "trl_step.py", self.options.trl_samples,
            ("--algorithm", "rloo", "--kl-coefficient", 0.05, "--kl-direction", "reverse", "--kl-reduction", "sum"))

    def sample(self, tokens):
        """Seconds, memory and number of tokens of a story."""
        seconds, memory, output = self.tinyalign(
            "sample", "--model", self.model, "-n", 1, "--max-new-tokens", tokens, "--prompt", PROMPT,
            "--temperature", 1, "--seed", 1, "--json")
        return seconds, memory, len(json.loads(output)["token_ids"])

    def generate(self):
        tokens = 20 if self.quick else 200

        def ours():
            long, memory, count = self.sample(tokens)
            short, _, first = self.sample(1)
            return Sample((count - first) / (long - short), memory)

        yield Line(
            "generate", f"one story of {tokens} tokens, without loading", "tokens/s", ours,
            lambda: self.reference("generate.py", "--model", self.model, "--tokens", tokens), higher_is_better=True,
            warms_up=True)

    def start(self):
        def ours():
            seconds, memory, _ = self.sample(1)
            return Sample(seconds, memory)

        yield Line(
            "start", "process with one new token, from start to end", "s", ours,
            lambda: self.reference("generate.py", "--model", self.model, "--first-token"), warms_up=True)

    def embed(self):
        source = random.Random(2)
        short = [" ".join(source.choices(STORY_WORDS, k=10)) for _ in range(64 if self.quick else 1024)]
        stories = self.stories(16 if self.quick else 256)
        yield self.embedding("texts of 10 words", short)
        yield self.embedding("stories", stories)

    def embedding(self, name, documents):
        """The line for embedding some texts; ours is what a process takes for all of them beyond one for the first."""
        every = self.write_documents("documents.txt", documents)
        first = self.write_documents("document.txt", documents[:1])

        def embed(file):
            return self.tinyalign("embed", "--model", self.minilm, "--file", file, "--json")

        def ours():
            seconds, memory, output = embed(every)
            answers = len(output.splitlines())
            if answers != len(documents):
                raise Failure(f"tinyalign embed answered {answers} of {len(documents)} texts")
            return Sample(seconds - embed(first)[0], memory)

        return Line(
            "embed", f"{len(documents):,} {name}, all-MiniLM-L6-v2, without loading", "s", ours,
            lambda: self.reference("embed.py", "--minilm", self.minilm, "--file", every), warms_up=True)

    def pretrain(self):
        settings = ROOT / "Sources/EmbeddedAssets/tinystories/pretraining.yaml"
        updates = 8 if self.quick else 40
        # 255 tokens between two end-of-text tokens: 8 documents of 255 or 256 predicted tokens fill a batch.
        source = random.Random(3)
        count = 8 * updates + 8
        data = self.write_documents(
            "documents.txt", ["Once " + " ".join(source.choices(WORDS, k=254)) for _ in range(count)])
        config = self.folder / "pretraining.yaml"
        changed = {
            "tokenizer": "tinystories", "repeats": 1, "passes": 1, "validate_every": 1000000,
            "validation_fraction": 0.01}
        kept = [line for line in settings.read_text().splitlines() if line.split(":")[0] not in changed]
        config.write_text("\n".join(kept + [f"{key}: {value}" for key, value in changed.items()]) + "\n")

        def ours():
            out = self.new_folder()
            _, memory, output = self.tinyalign("pretrain", "--config", config, "--data", data, "--out", out, "--json")
            shutil.rmtree(out)
            progress = [json.loads(line) for line in output.splitlines()]
            # Without the first updates, which find cold memory, and the last, which validates.
            first, last = progress[2], progress[-2]
            return Sample((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]), memory)

        arguments = ["--steps", updates]
        if not self.quick and (shutil.which("c++") or shutil.which("g++")):
            arguments.append("--compile")
        yield Line(
            "pretrain", "pretraining the model in the program, updates of 2,048 tokens", "tokens/s", ours,
            lambda: self.reference("pretrain.py", *arguments), higher_is_better=True)

    def long(self):
        stories = 8 if self.quick else 64
        for tokens in (5, 10, 20) if self.quick else (50, 100, 200):
            yield Line(
                "long", f"step of {stories} stories of {tokens} new tokens", "s",
                lambda tokens=tokens: self.align(stories, "--kl-coefficient", 6000, new_tokens=tokens))

    rows = {
        "step": step, "trl": trl, "generate": generate, "start": start, "embed": embed, "pretrain": pretrain,
        "long": long}


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def require(folder, file, remedy):
    """The folder, which must hold a file."""
    if not (pathlib.Path(folder) / file).is_file():
        raise Failure(f"{folder} has no {file}: give another folder with {remedy}")
    return folder


def measure(line, repeats):
    """Samples of both sides by turns, and their medians, as one record."""
    sides = {name: take for name, take in (("tinyalign", line.ours), ("python", line.theirs)) if take}
    samples = {name: [] for name in sides}
    if line.warms_up:
        for take in sides.values():
            take()
    for number in range(1, repeats + 1):
        for name, take in sides.items():
            sample = take()
            samples[name].append(sample)
            say(f"{line.row} {number}/{repeats} {name}: {figure(sample.value)} {line.unit}, {sample.memory:.2f} GB")
    record = {"row": line.row, "what": line.what, "unit": line.unit}
    for name, taken in samples.items():
        record[name] = {
            "median": statistics.median(sample.value for sample in taken),
            "memory_gb": statistics.median(sample.memory for sample in taken),
            "samples": [sample.value for sample in taken]}
        notes = sorted({sample.note for sample in taken if sample.note})
        if notes:
            record[name]["note"] = "; ".join(notes)
        if taken[0].threads:
            record[name]["threads"] = taken[0].threads
    if "python" in record:
        ratio = record["python"]["median"] / record["tinyalign"]["median"]
        record["ratio"] = 1 / ratio if line.higher_is_better else ratio
    return record


def figure(value):
    """Three digits that count, and no fewer than those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(records):
    lines = [
        "| row | measured | | tinyalign | Python | times as fast | GB, tinyalign | GB, Python |",
        "|---|---|---|---|---|---|---|---|"]
    for record in records:
        ours, theirs = record["tinyalign"], record.get("python")
        note = f" (Python: {theirs['note']})" if theirs and "note" in theirs else ""
        cells = [
            record["row"], record["what"] + note, record["unit"], figure(ours["median"]),
            figure(theirs["median"]) if theirs else "–", f"{record['ratio']:.1f}" if theirs else "–",
            f"{ours['memory_gb']:.2f}", f"{theirs['memory_gb']:.2f}" if theirs else "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def processor():
    """The processor's name."""
    if sys.platform == "darwin":
        return run(["sysctl", "-n", "machdep.cpu.brand_string"])[2].strip()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def library_versions(python):
    """Versions of Python and of the packages that are installed for it."""
    script = (
        "import importlib.metadata as m, json, platform, sys\n"
        "v = {'python': platform.python_version()}\n"
        "for p in sys.argv[1:]:\n"
        "    try: v[p] = m.version(p)\n"
        "    except m.PackageNotFoundError: pass\n"
        "print(json.dumps(v))")
    return json.loads(run([python, "-c", script, *PACKAGES])[2])


def machine(options):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": cores,
        "system": platform.platform(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "tinyalign": run([options.tinyalign, "--version"])[2].strip(),
        "versions": library_versions(options.python),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(ENVIRONMENT)}}


def describe(facts, repeats):
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    environment = " ".join(f"{name}={value}" for name, value in facts["environment"].items()) or "none set"
    return (
        f"{facts['processor']}, {facts['cores']} cores; {facts['system']}; {facts['date']}; medians of {repeats}.\n"
        f"tinyalign {facts['tinyalign']}; {versions}.\n"
        f"Environment: {environment}. Load before the first row: {facts['load_at_start']}.")


def default_minilm():
    """Where Scripts/fetch-reward-model puts the reward model."""
    if os.environ.get("TINYALIGN_REWARD_MODEL"):
        return pathlib.Path(os.environ["TINYALIGN_REWARD_MODEL"])
    base = "Library/Caches" if sys.platform == "darwin" else ".cache"
    cache = pathlib.Path.home() / base / "tinyalign"
    if os.environ.get("XDG_CACHE_HOME", "").startswith("/"):
        cache = pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "tinyalign"
    return pathlib.Path(os.environ.get("TINYALIGN_CACHE") or cache) / "models/all-MiniLM-L6-v2"


def parse():
    names = list(Comparison.rows)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(names), help=f"some of {','.join(names)} (default: all)")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each side (default: 3)")
    parser.add_argument("--quick", action="store_true", help="small sizes, once: to see that all works, not to cite")
    parser.add_argument("--full", action="store_true", help="time all 1,024 stories of step and trl in Python, too")
    parser.add_argument(
        "--trl-samples", type=int, default=256, metavar="N",
        help="stories that TRL is timed with, a multiple of 32; the seconds are scaled to 1,024 (default: 256)")
    parser.add_argument("--model", type=pathlib.Path, help="GPT-Neo folder (default: one is made, with random weights)")
    parser.add_argument(
        "--gpt2-tokenizer", default="gpt2",
        help="for the model that is made: folder with tokenizer.json, or name on the Hub (default: gpt2)")
    parser.add_argument("--minilm", type=pathlib.Path, default=default_minilm(), help="folder of all-MiniLM-L6-v2")
    parser.add_argument(
        "--stories", type=pathlib.Path, metavar="FILE",
        help="stories to embed, separated by lines that read <|endoftext|> (default: made-up ones)")
    parser.add_argument("--tinyalign", type=pathlib.Path, default=ROOT / ".build/release/tinyalign", help="the command")
    parser.add_argument("--python", default=sys.executable, help="Python with PyTorch (default: this one)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures to this file, too")
    options = parser.parse_args()
    options.rows = [name for name in options.rows.split(",") if name]
    unknown = [name for name in options.rows if name not in names]
    if unknown or not options.rows:
        parser.error(f"--rows: {', '.join(unknown) or 'none'} given; there are {', '.join(names)}")
    if options.trl_samples % 32 or options.trl_samples < 32 or options.repeats < 1:
        parser.error("--trl-samples must be a multiple of 32, and --repeats at least 1")
    if options.quick:
        options.repeats = 1
    return options


def main():
    options = parse()
    records, failures = [], []
    try:
        if not options.tinyalign.is_file():
            raise Failure(f"{options.tinyalign} is missing: run make build, or give it with --tinyalign")
        facts = machine(options)
        missing = [package for package in PACKAGES if package not in facts["versions"]]
        if missing:
            say(f"{options.python} lacks {', '.join(missing)}: pip install -r {HERE / 'requirements.txt'}")
        with tempfile.TemporaryDirectory(prefix="tinyalign-compare-") as folder:
            comparison = Comparison(options, pathlib.Path(folder))
            for name in options.rows:
                try:
                    for line in comparison.rows[name](comparison):
                        records.append(measure(line, options.repeats))
                except Failure as failure:
                    failures.append(name)
                    say(f"{name}: {failure}")
                except KeyboardInterrupt:
                    failures.append(f"{name}, interrupted")
                    break
    except Failure as failure:
        sys.exit(f"compare: {failure}")
    if records:
        print(f"{table(records)}\n\n{describe(facts, options.repeats)}")
    if options.quick:
        say("sizes were small: these figures are not for citing")
    if options.json:
        result = {"machine": facts, "quick": options.quick, "repeats": options.repeats, "rows": records}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if failures:
        sys.exit(f"compare: failed: {', '.join(failures)}")


if __name__ == "__main__":
    main()
