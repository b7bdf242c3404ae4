"""Writes Tests/TokenizersTests/Goldens: small tokenizers trained by Hugging Face's library, hard texts, and their ids.

    python Scripts/goldens/tokenizer_goldens.py
"""
import json
import os
import random
import unicodedata
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "TokenizersTests", "Goldens")
NAMES = ["Lily", "Tom", "Mia", "Ben", "Sue", "Max"]
THINGS = ["cat", "dog", "ball", "tree", "red car", "big box", "small bird", "cake"]
PLACES = ["park", "garden", "house", "forest", "beach"]


def stories(rng, count):
    out = []
    for _ in range(count):
        name, thing, place = rng.choice(NAMES), rng.choice(THINGS), rng.choice(PLACES)
        other = rng.choice([x for x in NAMES if x != name])
        out.append(
            f"Once upon a time there was a {rng.choice(['little', 'happy', 'sad', 'kind'])} child. Its name was {name}. "
            f"{name} had a {thing} and took it to the {place} {rng.randrange(1, 30)} times.\n\n"
            f'"I can\'t find my {thing}!" said {name}. "Don\'t worry, we\'ll look," {other} said. '
            f"They looked and looked... At last they found it. {name} didn't cry; {other} was so happy.\n"
            f"Grüße, café naïve, Ñandú: {rng.choice(['привет мир', '日本語', 'Ελλάδα', 'שלום', '안녕하세요'])} {rng.choice('🐱🐶🎈')}."
        )
    return out


def scalar(rng):
    while True:
        c = rng.randrange(rng.choice([0x80, 0x3000, 0x3000, 0x20000, 0x110000]))
        if not 0xD800 <= c <= 0xDFFF:
            return chr(c)


def hard_texts(rng):
    fixed = [
        "", " ", "  ", "\n", "\r\n", "\r\n\r\n a", "a\r\nb", "\t\tx", " a  b   c    ", "Hello, world!", "it's we're I'll I've I'm he'd 'S 'LL ''s",
        "x'", "x'r", "x'l", " 's", "  's", "can't!'t", "1234567 12 3.14 ½ Ⅷ ² ٣", "caf\u00e9", "cafe\u0301", "\u00c5 \u212b A\u030a",
        "İstanbul ISPARTA ı i̇", "ß ẞ STRASSE", "ΣΑΣ Σ σς ΌΣΟΣ", "한국어 조선말 가 각 힣", "\u1100\u1161\u11a8", "中文字符abc測試", "日本語テスト ｶﾀｶﾅ", "العربية مُحَمَّد",
        "हिन्दी नमस्ते क्षि", "עִבְרִית", "ไทยภาษา", "👩‍👩‍👧‍👦 🇩🇪 🐱", "\u0000a\u0007b\u001bc\u007f", "a\u00adb\u200bc\u200dd\ufeffe\u2060f", "\ue000\uf8ff\U000f0000",
        "\u00a0\u2003\u3000\u1680 x\u2028y\u2029z\u0085w\u000bv\u000cu", "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|", "<<|endoftext|>>",
        "[MASK] [mask] [CLS]x[SEP] [PAD][UNK]", "[ MASK ]", "don't do not n't . , ! ?", "naïve façade Ångström Åse", "ﬁ ﬂ ℌ ℕ ⅷ ㎏", "\u01c4 \u01c5 \u1e9e \u2126 \u212a",
        "\u0344 \u0340\u0341 \u0958 \u0dda", "\U0001d15e\U0001d165\U0001d16e \U0001d160", "\u302e\u302f\u0334 \u094d\u093c a\u0345\u0301\u0323", "\u4dbf\u4dc0\u9fff\ua000 \uf900\U0002f800\U0002b739",
        "_a_b-c—d–e…f·g¿h¡i«j»", "$1 + 2 = 3 < 4 ^ 5 ` ~ |", "a" * 101, "z" * 300, "ab" * 200, "é" * 99, "\u0301" * 5, "don\u2019t \u201cquote\u201d", "\ufffd \ufffe \uffff", "\U0010ffff\U0001f9ff",
    ]
    alphabets = ["abcdefghij klmno pqrst uvwxyz", "ÄÖÜßéèñçø ", "αβγδε ζηθΣ", "абвгд ежз", "中文字符测试 ", "日本語テスト", "العربية ", "हिन्दी ", "🐱🐶👩‍👧🇩🇪 ", "0123456789 .,;:!?'\"()[]{}",
                 "\t\n\r  \u00a0\u200b\u3000", "'s't're'll ", "\u0000\u0007\u001b", "e\u0301a\u0308 ﬁ ℌ Å", ["<|endoftext|>", "[MASK]", " the", "Once upon a time"]]
    marks = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c))[0] == "M"]
    texts = list(fixed)
    texts += ["".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(1, 60))) for _ in range(150)]
    texts += ["".join(scalar(rng) for _ in range(rng.randrange(1, 30))) for _ in range(100)]
    texts += ["".join(rng.choice(marks) if rng.random() < 0.8 else rng.choice("aé中 ") for _ in range(rng.randrange(1, 12))) for _ in range(50)]
    return texts


def save(name, value):
    with open(os.path.join(OUT, name), "w", encoding="utf8") as f:
        json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")


def cases(tokenizer, texts, rng):
    """Texts with ids, and ids with text: those of the texts, and random ones."""
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    decoded = ids[::4] + [[rng.randrange(tokenizer.get_vocab_size() + 3) for _ in range(rng.randrange(1, 12))] for _ in range(60)]
    return {
        "encoded": [{"text": t, "ids": i} for t, i in zip(texts, ids)],
        "decoded": [{"ids": i, "text": t} for i, t in zip(decoded, tokenizer.decode_batch(decoded, skip_special_tokens=True))],
    }


def byte_level(documents, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def word_piece(documents):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    alphabet = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'\"[]$<>|αβγδεζηθσςабвгд中文字한국") + ["\u1100", "\u1161", "\u11a8", "i", "ß"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(documents, trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False))
    ids = [(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    return tokenizer


def main():
    os.makedirs(OUT, exist_ok=True)
    rng = random.Random(1)
    documents = stories(rng, 60)
    texts = hard_texts(rng)

    gpt2 = byte_level(documents, 500)
    gpt2.save(os.path.join(OUT, "bpe-tokenizer.json"), pretty=False)
    model = json.loads(gpt2.to_str())["model"]
    save("bpe-vocab.json", model["vocab"])
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    with open(os.path.join(OUT, "bpe-merges.txt"), "w", encoding="utf8") as f:
        f.write("#version: 0.2\n" + "\n".join(merges) + "\n")
    save("bpe-cases.json", cases(gpt2, texts + documents[:3], rng))
    save("training.json", {"documents": documents, "size": 500, "merges": merges})
    # Few letters make many ties, and the same string from different pairs.
    small = ["".join(rng.choice("ab ") for _ in range(rng.randrange(1, 120))) for _ in range(25)]
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(byte_level(small, 420).to_str())["model"]["merges"]]
    save("training-ties.json", {"documents": small, "size": 420, "merges": merges})

    variants = {}
    base = json.loads(gpt2.to_str())
    few = texts[:75] + texts[::9]
    for name, change in {
        "prefix-space": lambda d: d["pre_tokenizer"].update(add_prefix_space=True),
        "no-pattern": lambda d: d["pre_tokenizer"].update(use_regex=False),
        "digits": lambda d: d.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, dict(d["pre_tokenizer"])]}),
        "ignore-merges": lambda d: d["model"].update(ignore_merges=True, merges=d["model"]["merges"][:100]),
    }.items():
        changed = json.loads(json.dumps(base))
        change(changed)
        tokenizer = Tokenizer.from_str(json.dumps(changed))
        part = {k: changed[k] for k in ("pre_tokenizer",)}
        part["merges"] = len(changed["model"]["merges"])
        part["ignore_merges"] = changed["model"].get("ignore_merges", False)
        variants[name] = {**part, **cases(tokenizer, few, rng)}
    save("bpe-variants.json", variants)

    bert = word_piece(documents)
    bert.save(os.path.join(OUT, "wordpiece-tokenizer.json"), pretty=False)
    vocabulary = sorted(bert.get_vocab().items(), key=lambda x: x[1])
    with open(os.path.join(OUT, "wordpiece-vocab.txt"), "w", encoding="utf8") as f:
        f.write("".join(token + "\n" for token, _ in vocabulary))
    save("wordpiece-cases.json", cases(bert, texts + documents[:3], rng))
    variants = {}
    for number in range(16):
        options = dict(clean_text=bool(number & 1), handle_chinese_chars=bool(number & 2), strip_accents=bool(number & 4), lowercase=bool(number & 8))
        bert.normalizer = normalizers.BertNormalizer(**options)
        variants[f"normalizer-{number}"] = {"normalizer": {"type": "BertNormalizer", **options}, **cases(bert, few[::3], rng)}
    save("wordpiece-variants.json", variants)

    # Added tokens with every flag.
    bert = word_piece(documents)
    bert.add_tokens([
        AddedToken("ABC", normalized=True), AddedToken("word", single_word=True, normalized=False), AddedToken("<l>", lstrip=True, normalized=False),
        AddedToken("<r>", rstrip=True, normalized=False), AddedToken("<lr>", lstrip=True, rstrip=True, normalized=False), AddedToken("<<l>", normalized=False)])
    bert.save(os.path.join(OUT, "added-tokenizer.json"), pretty=False)
    added = ["abc ABC xABCy", "word words aword a.word_ wordé word", "a \t<l> b", "a <r> \n b", " <lr> \u3000 <lr> <l>", "<<l> <l<l>", "a\u00a0<lr>\u2003b", "[MASK]<r>  [SEP]", "Äbc ÄBĆ"]
    save("added-cases.json", cases(bert, added, rng))

    # The texts of all scalars, by what the reference does with them: a check sum for each block of 256.
    save("scalars.json", scalars(gpt2, bert))


def scalars(gpt2, bert):
    """FNV-1a of the pre-tokenizer's cuts and of the normalised text, for every scalar in small contexts, by 4,096."""
    def fnv(text, value):
        for byte in text.encode("utf8"):
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return value

    cuts, normalised = [], []
    normalizer = normalizers.BertNormalizer()
    for start in range(0, 0x110000, 4096):
        cut = lower = 0xCBF29CE484222325
        for c in range(start, start + 4096):
            if 0xD800 <= c <= 0xDFFF:
                continue
            pieces = gpt2.pre_tokenizer.pre_tokenize_str("a" + chr(c) + "1" + chr(c) + "! " + chr(c))
            cut = fnv("|".join(f"{a}" for _, (a, _) in pieces) + ";", cut)
            lower = fnv(normalizer.normalize_str("a" + chr(c) + "b") + ";", lower)
        cuts.append(str(cut))
        normalised.append(str(lower))
    return {"block": 4096, "cuts": cuts, "normalized": normalised}


if __name__ == "__main__":
    main()
