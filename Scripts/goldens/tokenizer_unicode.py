"""Writes Sources/Tokenizers/Unicode*Tables.swift: what Hugging Face tokenizers says of every Unicode scalar.

The library mixes Unicode versions (its regular expressions, Rust's standard library, its normalisation and category crates
all carry their own), and Swift's differs between systems. So each property is asked of the library itself, scalar by scalar.
"""
import os
import unicodedata
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on}).normalize_str


def by_regex(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return {c for c in SCALARS if not split.pre_tokenize_str(chr(c))}


def by_single_word():
    """The scalars beside which a token that must be a whole word is not recognised: \\w of Rust's regex."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("#@", single_word=True, normalized=False)])
    found = set()
    for start in range(0, len(SCALARS), 4096):
        part = SCALARS[start : start + 4096]
        encodings = tokenizer.encode_batch([chr(c) + "#@" for c in part])
        found |= {c for c, e in zip(part, encodings) if 1 not in e.ids}
    return found


def combining_classes():
    """Canonical combining classes as the library's NFD orders them."""
    nfd = normalizers.NFD().normalize_str
    known = {}
    for c in SCALARS:
        if unicodedata.combining(chr(c)) and unicodedata.decomposition(chr(c)) == "":
            # A representative of each class that the library's Unicode version knows as a mark.
            if chr(c) == "\u0334" or nfd(chr(c) + "\u0334") != chr(c) + "\u0334":
                known.setdefault(unicodedata.combining(chr(c)), chr(c))
    classes = sorted(known)
    result = {}
    for c in SCALARS:
        x = chr(c)
        if nfd(x) != x or nfd(x + known[1]) == x + known[1] and nfd(known[240] + x) == known[240] + x:
            continue
        above = [k for k in classes if nfd(x + known[k]) != x + known[k]]  # classes below that of x
        below = [k for k in classes if nfd(known[k] + x) != known[k] + x]  # classes above that of x
        own = [k for k in classes if k not in above and k not in below]
        assert len(own) == 1, (hex(c), own)  # otherwise a class has no representative
        result[c] = own[0]
    return result


def runs(values):
    values = sorted(values)
    out = []
    for c in values:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def wrap(words, indent="    "):
    lines, line = [], indent
    for word in words:
        if len(line) + len(word) + 1 > 118:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return "\n".join(lines + [line.rstrip()])


def range_words(values):
    words, last = [], 0
    for first, end in runs(values):
        words.append(f"{first - last:x}+{end - first + 1:x}")
        last = end + 1
    return words


def mapping_words(mapping):
    words, last = [], 0
    for c in sorted(mapping):
        words.append(f"{c - last:x}:" + ",".join(f"{x:x}" for x in mapping[c]))
        last = c
    return words


def mapping_run_words(mapping):
    """Single scalars mapped to single scalars: gap:count:stride:delta (delta may be negative)."""
    items = sorted(mapping.items())
    words, last, i = [], 0, 0
    while i < len(items):
        c, target = items[i]
        best = (1, 1)
        for stride in (1, 2):
            n = 1
            while i + n < len(items) and items[i + n] == (c + n * stride, target + n * stride):
                n += 1
            if n > best[0]:
                best = (n, stride)
        n, stride = best
        words.append(f"{c - last:x}:{n:x}:{stride}:{target - c:x}")
        last = c
        i += n
    return words


HEADER = """// Written by Scripts/goldens/tokenizer_unicode.py; do not edit.
{note}

"""


def write(name, note, tables):
    body = HEADER.format(note="\n".join("// " + line for line in note))
    body += f"enum {name} {{\n"
    body += "\n\n".join(f'  /// {doc}\n  static let {key} = """\n{wrap(words)}\n    """' for key, doc, words in tables)
    body += "\n}\n"
    with open(os.path.join(ROOT, "Sources", "Tokenizers", f"{name}.swift"), "w", encoding="utf8") as f:
        f.write(body)
    print(name, len(body), "characters,", body.count("\n"), "lines")


def main():
    clean, accents, lower = bert(clean_text=True), bert(strip_accents=True), bert(lowercase=True)
    chinese = bert(handle_chinese_chars=True)
    digits, bert_split = pre_tokenizers.Digits(True), pre_tokenizers.BertPreTokenizer()
    space = {c for c in SCALARS if not bert_split.pre_tokenize_str(chr(c))}
    cleaned_to_space = {c for c in SCALARS if clean(chr(c)) == " "}
    assert cleaned_to_space == {c for c in space if clean(chr(c)) != ""}, "clean_text and the pre-tokenizer disagree"
    punctuation = {c for c in SCALARS if len(bert_split.pre_tokenize_str("a" + chr(c))) == 2}
    letter, number, regex_space = by_regex(r"\p{L}"), by_regex(r"\p{N}"), by_regex(r"\s")
    assert regex_space == space, "the regular expressions and the pre-tokenizer disagree on white space"
    numeric = {c for c in SCALARS if len(digits.pre_tokenize_str("a" + chr(c))) == 2}
    classes, nfd = combining_classes(), normalizers.NFD().normalize_str
    stripped = {c for c in SCALARS if accents(chr(c)) == ""}
    write(
        "UnicodeRangeTables",
        ["Sets of scalars as gap+length in hexadecimal: each gap counts from the end of the run before."],
        [
            ("letters", r"`\p{L}` of the pre-tokenizer's regular expression.", range_words(letter)),
            ("numbers", r"`\p{N}` of the pre-tokenizer's regular expression.", range_words(number)),
            ("digits", "What the Digits pre-tokenizer isolates, where that differs from `numbers`.", range_words(numeric ^ number)),
            ("whitespace", r"`\s`, and white space for BERT.", range_words(space)),
            ("controls", "What BERT's clean_text removes.", range_words(c for c in SCALARS if clean(chr(c)) == "")),
            ("punctuation", "Punctuation for BERT.", range_words(punctuation)),
            ("chinese", "What BERT's handle_chinese_chars sets off.", range_words(c for c in SCALARS if chinese(chr(c)) != chr(c))),
            ("words", r"`\w` around an added token that must be a whole word.", range_words(by_single_word())),
            ("stripped", "What BERT's strip_accents removes.", range_words(stripped)),
            (
                "strippedStarters",
                "Those of them that end a run of marks: their combining class is 0.",
                range_words(c for c in stripped if ord(nfd(chr(c))[0]) not in classes),
            ),
        ],
    )
    hangul = range(0xAC00, 0xD7A4)
    decomposed = {c: [ord(x) for x in accents(chr(c))] for c in SCALARS if c not in hangul and accents(chr(c)) not in ("", chr(c))}
    single = {c: ord(lower(chr(c))) for c in SCALARS if len(lower(chr(c))) == 1 and lower(chr(c)) != chr(c)}
    several = {c: [ord(x) for x in lower(chr(c))] for c in SCALARS if len(lower(chr(c))) > 1}
    marks = {c: k for c, k in classes.items() if accents(chr(c)) == chr(c)}
    write(
        "UnicodeMappingTables",
        [
            "Mappings of scalars, all numbers hexadecimal, each gap counting from the scalar before:",
            "gap:target,target… and, for runs, gap:count:stride:difference.",
        ],
        [
            ("decompositions", "What BERT's strip_accents leaves of a scalar (Hangul syllables are computed).", mapping_words(decomposed)),
            ("lowercase", "Lower case of single scalars, in runs.", mapping_run_words(single)),
            ("longLowercase", "Lower case that is several scalars.", mapping_words(several)),
            ("marks", "Combining classes of the marks that strip_accents keeps.", mapping_words({c: [k] for c, k in marks.items()})),
        ],
    )
    normalization(classes)


def normalization(classes):
    """What NFC needs: which pairs compose, what else decomposes, and the order of marks."""
    nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
    pairs, decomposed = {}, {}
    for c in SCALARS:
        parts = nfd(chr(c))
        if parts == chr(c) or 0xAC00 <= c <= 0xD7A3:
            continue
        if nfc(chr(c)) == chr(c):
            pair = nfc(parts[:-1]) + parts[-1]
            assert len(pair) == 2 and nfc(pair) == chr(c), hex(c)
            pairs[c] = [ord(x) for x in pair]
        else:
            decomposed[c] = [ord(x) for x in parts]
    words, last = [], 0
    for order in sorted(set(classes.values())):
        words += [(first, f"+{end - first + 1:x}:{order:x}", end) for first, end in runs(c for c in classes if classes[c] == order)]
    orders = []
    for first, word, end in sorted(words):
        orders.append(f"{first - last:x}" + word)
        last = end + 1
    write(
        "UnicodeNormalizationTables",
        [
            "Canonical equivalence without Hangul, all numbers hexadecimal, each gap counting from the scalar or run before:",
            "gap:part,part and, for classes, gap+length:class.",
        ],
        [
            ("compositions", "Scalars that two others compose to.", mapping_words(pairs)),
            ("decompositions", "Full decompositions of scalars that never come out of composing.", mapping_words(decomposed)),
            ("combiningClasses", "Canonical combining classes that are not 0.", orders),
        ],
    )


if __name__ == "__main__":
    main()
