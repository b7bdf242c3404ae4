"""Writes Tests/TokenizersTests/Goldens/llama-*: small tokenizers of the Llama family's kinds, hard texts, and their ids.

Ids and texts are those of Hugging Face's tokenizers; for llama2.c's tokenizer.bin, those of run.c's encode and decode as
written down below.

    python Scripts/goldens/llama_tokenizers.py
"""
import json
import os
import random
import struct
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizer_goldens import OUT, hard_texts, save, scalar, stories

DIGITS = r"\p{N}{1,3}"
MODERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + DIGITS
    + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PATTERNS = {"gpt2": GPT2, "llama3": MODERN, "qwen2": MODERN.replace(DIGITS, r"\p{N}")}
SPACE = "\u2581"


def texts(rng):
    """Texts where these tokenizers are at risk, and some that are hard for any."""
    fixed = [
        "a  b", " a", "  a", "a ", "a  ", "\n", "\n\n", " \n ", "\n a", "a \n\n b", "a\r\n  \r\nb  ", "\t\tx", " \tx", "x\n\n\n   y", "1234567890 12 3.14 ½ Ⅷ ² ٣٤٥٦",
        "it's I'LL we'Ve he'D don'T 'Re '\u017f '\u017fo 'm'", "'s's 'sa 'xs", "(hello) [x] {y}_z -a--b", "!!!\n\n?? \n", " !\r\n!", "caf\u00e9 cafe\u0301 A\u030a \u212b \u1e69 s\u0323\u0307 s\u0307\u0323",
        "\u1100\u1161\u11a8 \u1100\u1161 \uac00\u11a8 가각힣", "\u0915\u093c \u0958 \u09c7\u09be", "\u0301a\u0301\u0323", "🐱 🐱🐱 👩‍👩‍👧", "\u00a0x\u2003y\u3000\u2028z", "<s>", "</s> x", "a <s>b</s> c", "<unk>",
        "<|begin_of_text|>hi<|eot_id|>", "<|im_start|>user\nhi<|im_end|>\n", "<0x0A>", "<0x0A", SPACE, SPACE + "a", "a" + SPACE + " b", " " + SPACE, "zzz qqq 中中 文x", "Once upon a time", "Once upon a time, there was a child.\nThe end.",
        "foo afoo foo", "ababababa aabbaabb", "aaaaaaaaaaaaaaaa", " " * 20, "the the  the   the", "\u0007\u001b", "\ufffd\uffff\U0010ffff",
    ]
    hard = [t for t in hard_texts(rng) if len(t) < 60]
    out = fixed + hard[1:60] + rng.sample(hard[60:], 30)
    return list(dict.fromkeys(out))


def merges_of(tokenizer):
    return [m if isinstance(m, list) else m.split(" ") for m in json.loads(tokenizer.to_str())["model"]["merges"]]


def byte_level(documents, special, pre):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def split(name):
    parts = [pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    return pre_tokenizers.Sequence(parts)


def smollm(documents):
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return byte_level(documents, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], pre)


def llama3(documents):
    tokenizer = byte_level(documents, ["<|begin_of_text|>", "<|eot_id|>"], split("llama3"))
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", 0)])])
    data = json.loads(tokenizer.to_str())
    data["model"]["ignore_merges"] = True
    # Tokens that no merge makes are found as whole pieces.
    for word in ["ĠOnce", "upon", "123"]:
        data["model"]["vocab"].setdefault(word, len(data["model"]["vocab"]))
    return Tokenizer.from_str(json.dumps(data))


def qwen2(documents):
    tokenizer = byte_level(documents, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], split("qwen2"))
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def pieces(documents, size):
    """The merges of a SentencePiece-like vocabulary, and its single characters, most frequent first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.train_from_iterator(documents, trainers.BpeTrainer(vocab_size=size, limit_alphabet=55, show_progress=False))
    made = ["".join(m) for m in merges_of(tokenizer)]
    single = [t for t in tokenizer.get_vocab() if len(t) == 1]
    counts = {c: sum(d.count(c if c != SPACE else " ") for d in documents) for c in single}
    # Spaces in a row, as Llama's vocabulary has them, and cuts that can meet.
    made += [SPACE * n for n in (2, 4, 3)] + ["ab", "ba", "aba", "ababa", "bab", "abab"]
    return list(dict.fromkeys(made)), sorted(set(single) | {"b"}, key=lambda c: (-counts.get(c, 0), c))


def sentence_piece(made, single, bytes_from=0):
    """The order of Llama 2's vocabulary: special tokens, bytes, merged tokens, characters."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(bytes_from, 256)] + made + single
    scores = [0.0] * (len(tokens) - len(made) - len(single)) + [-float(i) for i in range(len(made) + len(single))]
    return tokens, scores


def llama2(tokens, scores):
    vocabulary = {t: i for i, t in enumerate(tokens)}
    merges = []
    for token in sorted(tokens, key=lambda t: (-scores[vocabulary[t]], vocabulary[t])):
        cuts = [(token[:i], token[i:]) for i in range(len(token) - 1, 0, -1)]
        merges += [c for c in cuts if c[0] in vocabulary and c[1] in vocabulary]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def variants(base):
    """Changes of a Llama 2 tokenizer.json, each the parts to replace."""
    metaspace = {"type": "Metaspace", "replacement": SPACE}
    sequence = base["decoder"]["decoders"]
    normalized = [dict(t, normalized=True) for t in base["added_tokens"]]
    size = len(base["model"]["vocab"])
    extra = dict(normalized[0], content="foo", id=size, special=False)
    few = {t: i for i, t in enumerate(t for t in base["model"]["vocab"] if not t.startswith("<0x") or t >= "<0x80")}
    merges = [m for m in base["model"]["merges"] if not any(x.startswith("<0x") for x in m)]
    partial = dict(base["model"], vocab=few, merges=merges)
    return {
        "metaspace-first": {"normalizer": None, "pre_tokenizer": dict(metaspace, prepend_scheme="first", split=False)},
        "metaspace-always": {"normalizer": None, "pre_tokenizer": dict(metaspace, prepend_scheme="always", split=False), "decoder": dict(metaspace, prepend_scheme="always", split=False)},
        "metaspace-never": {"normalizer": None, "pre_tokenizer": dict(metaspace, prepend_scheme="never", split=False), "decoder": {"type": "Sequence", "decoders": sequence[:3]}},
        "metaspace-split": {"normalizer": None, "pre_tokenizer": dict(metaspace, prepend_scheme="always", split=True), "decoder": dict(metaspace, prepend_scheme="never", split=True)},
        "replace-only": {"normalizer": base["normalizer"]["normalizers"][1]},
        "normalized-added-tokens": {"added_tokens": normalized + [extra]},
        "no-fallback": {"model": dict(base["model"], byte_fallback=False)},
        "no-fusing": {"model": dict(base["model"], byte_fallback=False, fuse_unk=False)},
        "some-bytes": {"model": partial},
        "some-bytes-no-fusing": {"model": dict(partial, fuse_unk=False)},
        "no-unknown": {"model": dict(partial, unk_token=None)},
        "ignore-merges": {"model": dict(base["model"], ignore_merges=True)},
        "long-strip": {"decoder": {"type": "Sequence", "decoders": sequence[:3] + [dict(sequence[3], start=3)]}},
    }


def cases(tokenizer, texts, rng):
    """Ids of the texts with and without special tokens, and texts of ids."""
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    bare = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    size = tokenizer.get_vocab_size()
    decoded = [i for i in ids[::5] if len(i) < 40] + [[rng.randrange(size + 3) for _ in range(rng.randrange(1, 10))] for _ in range(25)]
    if tokenizer.token_to_id("<0x00>") is not None:
        # Bytes that are a character, part of one, and none.
        first = tokenizer.token_to_id("<0xFF>") - 255
        some = [list(x.encode()) for x in ["é", " ", "  ", "🐱", "a"]] + [[0xF0, 0x9F], [0xC3], [0xE2, 0x96, 0x81], [0x80], [10]]
        for _ in range(25):
            run = []
            for _ in range(rng.randrange(1, 4)):
                run += [first + b for b in rng.choice(some)] if rng.random() < 0.7 else [rng.randrange(size)]
            decoded.append(run)
    result = {"ids": ids, "decoded": [{"ids": i, "text": t} for i, t in zip(decoded, tokenizer.decode_batch(decoded, skip_special_tokens=True))]}
    if bare != ids:
        result["bare"] = bare
    return result


def llama2c_file(tokens, scores):
    """tokenizer.bin as llama2.c's tokenizer.py exports it: spaces are plain."""
    spelled = [t.replace(SPACE, " ").encode() for t in tokens]
    spelled[1], spelled[2] = b"\n<s>\n", b"\n</s>\n"
    return struct.pack("<i", max(map(len, spelled))) + b"".join(struct.pack("<fi", s, len(t)) + t for t, s in zip(spelled, scores)), spelled


def llama2c_encode(text, spelled, scores):
    """run.c's encode without the token that begins a text."""
    ids = {t: i for i, t in enumerate(spelled)}
    data, tokens, i = text.encode(), [], 0
    if data:
        tokens.append(ids[b" "])
    while i < len(data):
        end = i + 1
        while end < len(data) and data[end] & 0xC0 == 0x80 and end - i < 4:
            end += 1
        tokens += [ids[data[i:end]]] if data[i:end] in ids else [b + 3 for b in data[i:end]]
        i = end
    while True:
        best, place = -1e10, None
        for k in range(len(tokens) - 1):
            merged = ids.get(spelled[tokens[k]] + spelled[tokens[k + 1]])
            if merged is not None and scores[merged] > best:
                best, place, made = scores[merged], k, merged
        if place is None:
            return tokens
        tokens[place : place + 2] = [made]


def llama2c_decode(ids, spelled):
    """run.c's decode of all ids after the token that begins a text."""
    out, previous = b"", 1
    for token in ids:
        piece = spelled[token]
        if previous == 1 and piece.startswith(b" "):
            piece = piece[1:]
        out += bytes([token - 3]) if 3 <= token < 259 else piece
        previous = token
    return out.decode()


def fnv(text, value):
    for byte in text.encode("utf8"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def scalars():
    """FNV-1a of the cuts of two patterns and of the composed text, for every scalar in small contexts, by 4,096."""
    nfc = normalizers.NFC().normalize_str
    splits = {name: pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated") for name in ("llama3", "qwen2")}
    result = {"block": 4096, "llama3": [], "qwen2": [], "composed": []}
    for start in range(0, 0x110000, 4096):
        sums = {name: 0xCBF29CE484222325 for name in ("llama3", "qwen2", "composed")}
        for c in range(start, start + 4096):
            if 0xD800 <= c <= 0xDFFF:
                continue
            x = chr(c)
            text = f"a{x}1{x}! {x}\n{x}'{x} '{x}{x}"
            for name, pre in splits.items():
                sums[name] = fnv("|".join(f"{a}" for _, (a, _) in pre.pre_tokenize_str(text)) + ";", sums[name])
            sums["composed"] = fnv(nfc(f"e{x}\u0323\u0301{x}{x}\u0334\u1100{x}\u11a8") + ";", sums["composed"])
        for name, value in sums.items():
            result[name].append(str(value))
    return result


def main():
    rng = random.Random(4)
    documents = stories(rng, 60)
    all_texts = texts(rng)
    few = all_texts[:24] + all_texts[24::6]
    value = {"texts": all_texts, "few": few, "tokenizers": {}}
    for name, tokenizer in {"smollm": smollm(documents), "llama3": llama3(documents), "qwen2": qwen2(documents)}.items():
        tokenizer.save(os.path.join(OUT, f"llama-{name}.json"), pretty=False)
        value["tokenizers"][name] = cases(tokenizer, all_texts, rng)
    tokens, scores = sentence_piece(*pieces(documents, 140))
    tokenizer = llama2(tokens, scores)
    tokenizer.save(os.path.join(OUT, "llama-llama2.json"), pretty=False)
    value["tokenizers"]["llama2"] = cases(tokenizer, all_texts, rng)
    save("llama-cases.json", value)

    base = json.loads(tokenizer.to_str())
    changed = {}
    for name, change in variants(base).items():
        changed[name] = {"change": change, **cases(Tokenizer.from_str(json.dumps({**base, **change})), few, rng)}
        if "model" in change:  # Written as what differs, to be short.
            model = {k: v for k, v in change["model"].items() if k not in ("vocab", "merges") and v != base["model"].get(k)}
            changed[name]["change"] = {"model": model, "fewer": change["model"]["vocab"] != base["model"]["vocab"]}
    save("llama-variants.json", changed)

    data, spelled = llama2c_file(tokens, scores)
    with open(os.path.join(OUT, "llama-tokenizer.bin"), "wb") as f:
        f.write(data)
    plain = [t for t in all_texts if SPACE not in t and "\0" not in t and not any(s in t for s in ("<s>", "</s>", "<unk>"))]
    plain += ["".join(rng.choice("ab ") for _ in range(rng.randrange(1, 30))) for _ in range(40)]
    ids = [llama2c_encode(t, spelled, scores) for t in plain]
    assert all(llama2c_decode(i, spelled) == t for t, i in zip(plain, ids)), "decoding gives the text again"
    save("llama-llama2c.json", {"texts": plain, "ids": ids})
    save("llama-scalars.json", scalars())


if __name__ == "__main__":
    main()
