"""Writes Tests/TokenizersTests/Goldens/tokenizer-files.json: tokenizers whose files say more than tokenizer.json, and the ids and texts
that transformers has for them.

    python Scripts/goldens/tokenizer_files.py

Three tiny tokenizers (byte-level BPE, SentencePiece's BPE, WordPiece), each with files beside it: tokenizer_config.json,
special_tokens_map.json, added_tokens.json, config.json. A case names its tokenizer and holds the files; "tokenizer" is what it has in
the place of the members of tokenizer.json, and "old" that the older vocabulary files stand in its place. Written with transformers 5.24.
"""

import json
import os
import pathlib
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import AutoTokenizer

GOLDENS = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "TokenizersTests" / "Goldens"
TEXTS = ["the cat sat", " The CAT <tag> hat!", "<|user|> thé <|bot|>cat", "<s>a</s> 中the[SEP]"]


def byte_alphabet(text):
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in visible]
    return [chr(b) if b in visible else chr(0x100 + others.index(b)) for b in text.encode()]


def tokenizer(model, pre_tokenizer, decoder, normalizer=None, post_processor=None, added=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder, "model": model}


def added(id, content, special=True, **more):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special, "special": special} | more


def bpe(symbols, merges, **more):
    vocabulary = {s: i for i, s in enumerate(symbols + [a + b for a, b in merges])}
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary,
            "merges": [f"{a} {b}" for a, b in merges]} | more


LETTERS = sorted(set("".join(TEXTS)) - {" ", "中", "é"})
BYTES = sorted({c for t in TEXTS for c in byte_alphabet(t)} | {"Ġ"})
BYTE_LEVEL = tokenizer(
    bpe(BYTES, [("t", "h"), ("th", "e"), ("a", "t"), ("c", "at"), ("Ġ", "the"), ("Ġ", "cat"), ("h", "at")]),
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True})
PIECES = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in "中é".encode()] + ["▁"] + LETTERS
SENTENCE_PIECE = tokenizer(
    bpe(PIECES, [("t", "h"), ("th", "e"), ("▁", "the"), ("a", "t"), ("c", "at"), ("▁", "cat")], unk_token="<unk>",
        fuse_unk=True, byte_fallback=True),
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    added=[added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")])
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "cat", "CAT", "hat", "sat", "thé", "中", "!", "a", "th",
         "##é", "##e", "<", ">", "tag", "|", "user", "bot", "s", "/", "##the", "[", "]", "##at"]
WORD_PIECE = tokenizer(
    {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
     "vocab": {w: i for i, w in enumerate(WORDS)}},
    {"type": "BertPreTokenizer"}, {"type": "WordPiece", "prefix": "##", "cleanup": True},
    normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                "lowercase": True},
    post_processor={"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "pair": [
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in [("[CLS]", 2), ("[SEP]", 3)]}},
    added=[added(i, WORDS[i]) for i in range(5)])
TOKENIZERS = {"bytes": BYTE_LEVEL, "pieces": SENTENCE_PIECE, "words": WORD_PIECE}
N = {name: len(t["model"]["vocab"]) for name, t in TOKENIZERS.items()}
B = N["bytes"]


def token(content, **more):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False} | more


def case(name, config=None, tokenizer=None, old=False, model_type=None, **files):
    found = {"tokenizer": name, "old": old, "changes": tokenizer or {}, "files": {}}
    found["files"]["config.json"] = {"model_type": model_type or {"bytes": "gpt2", "pieces": "llama", "words": "bert"}[name]}
    if config is not None:
        found["files"]["tokenizer_config.json"] = config
    for key, content in files.items():
        found["files"][key + ".json"] = content
    return found


GPT2, FAST, LLAMA, BERT = ({"tokenizer_class": c} for c in ("GPT2Tokenizer", "PreTrainedTokenizerFast", "LlamaTokenizer", "BertTokenizer"))
PREFIX = {"pre_tokenizer": BYTE_LEVEL["pre_tokenizer"] | {"add_prefix_space": True}}
USER, BOT = {"<|user|>": B}, {"<|bot|>": B + 1}
CASES = [
    # add_prefix_space: GPT-2's class overrides, the plain one does not.
    case("bytes", GPT2 | {"add_prefix_space": True}), case("bytes", FAST | {"add_prefix_space": True}),
    case("bytes", GPT2, PREFIX), case("bytes", {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": False}, PREFIX),
    case("bytes", FAST | {"add_prefix_space": False}, PREFIX), case("bytes", None, PREFIX),
    case("bytes", None, PREFIX, model_type="llama"), case("bytes", {}, PREFIX, model_type="gpt_neo"),
    case("bytes", GPT2 | {"add_prefix_space": True}, old=True), case("bytes", GPT2, old=True),
    # Tokens around a text: of tokenizer.json, whatever is said beside it.
    case("bytes", GPT2 | {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True, "add_eos_token": True}),
    case("bytes", GPT2 | {"bos_token": "<s>", "add_bos_token": True}, old=True),
    case("bytes", GPT2 | {"eos_token": "!", "add_eos_token": True, "add_bos_token": False}, old=True),
    case("pieces", LLAMA | {"add_bos_token": True, "add_eos_token": True}),
    # Added tokens outside of tokenizer.json.
    case("bytes", GPT2, old=True, added_tokens=USER | BOT,
         special_tokens_map={"additional_special_tokens": ["<|user|>", "<|bot|>"]}),
    case("bytes", GPT2 | {"additional_special_tokens": ["<|user|>"]}, added_tokens=USER | BOT),
    case("bytes", FAST, added_tokens=BOT | USER, special_tokens_map={"eos_token": "<|bot|>"}),
    case("bytes", FAST | {"added_tokens_decoder": {str(B + 1): token("<|bot|>", special=True, lstrip=True),
                                                   str(B): token("<|user|>", special=False, normalized=True)}}),
    case("bytes", GPT2 | {"added_tokens_decoder": {str(B): token("cat", special=False, single_word=True, rstrip=True)}}, old=True),
    case("bytes", FAST | {"added_tokens_decoder": {str(B): token("<tag>", special=True, rstrip=True, lstrip=True)},
                          "eos_token": "<tag>"}, special_tokens_map={"eos_token": "!", "pad_token": "<|user|>"}),
    case("bytes", FAST | {"eos_token": "!"}), case("bytes", FAST | {"extra_special_tokens": ["<tag>", "<|bot|>"]}),
    case("bytes", FAST | {"extra_special_tokens": {"tag_token": "<tag>"}}),
    case("bytes", FAST | {"image_token": "<tag>"}),
    case("bytes", FAST, special_tokens_map={"bos_token": token("<s>", rstrip=True), "eos_token": {"content": "</s>",
         "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}}),
    case("bytes", FAST | {"eos_token": "!"}, special_tokens_map={"eos_token": "<tag>"}),
    case("bytes", FAST | {"eos_token": "<tag>"}, {"added_tokens": [added(B, "<tag>", special=False)]}),
    case("bytes", FAST | {"added_tokens_decoder": {str(B): token("<tag>", special=True)}},
         {"added_tokens": [added(B, "<tag>", special=False)]}),
    case("pieces", FAST | {"pad_token": "<|user|>"}), case("pieces", LLAMA, added_tokens={"<|bot|>": N["pieces"]}),
    case("words", BERT | {"additional_special_tokens": ["<tag>"]}),
    case("words", BERT, old=True, added_tokens={"<|user|>": N["words"]}),
    # add_prefix_space of Llama's class.
    case("pieces", LLAMA | {"add_prefix_space": False}), case("pieces", LLAMA | {"add_prefix_space": True}),
    case("pieces", FAST | {"add_prefix_space": False}), case("pieces", LLAMA | {"add_prefix_space": None}),
    # BERT's clean-up.
    case("words", BERT | {"do_lower_case": False}), case("words", FAST | {"do_lower_case": False}),
    case("words", {"do_lower_case": False}), case("words", {"tokenizer_class": "DistilBertTokenizerFast", "do_lower_case": False}),
    case("words", BERT, {"normalizer": WORD_PIECE["normalizer"] | {"lowercase": False}}), case("words", None, {"normalizer": None}),
    case("words", FAST, {"normalizer": WORD_PIECE["normalizer"] | {"lowercase": False}}),
    case("words", BERT | {"strip_accents": False}), case("words", BERT | {"do_lower_case": False, "strip_accents": True}),
    case("words", BERT | {"tokenize_chinese_chars": False}), case("words", BERT | {"cls_token": "[MASK]", "sep_token": "[PAD]"}),
    case("words", BERT | {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}, old=True),
]


def write(found, folder):
    content = TOKENIZERS[found["tokenizer"]] | found["changes"]
    for name, file in found["files"].items():
        (folder / name).write_text(json.dumps(file))
    vocabulary = content["model"]["vocab"]
    if not found["old"]:
        (folder / "tokenizer.json").write_text(json.dumps(content))
    elif found["tokenizer"] == "bytes":
        (folder / "vocab.json").write_text(json.dumps(vocabulary))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(content["model"]["merges"]) + "\n")
    else:
        (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n")


def main():
    for found in CASES:
        with tempfile.TemporaryDirectory() as folder:
            write(found, pathlib.Path(folder))
            tokenizer = AutoTokenizer.from_pretrained(folder)
            found["ids"] = [tokenizer(text)["input_ids"] for text in TEXTS]
            found["decoded"] = [
                tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) for ids in found["ids"]]
    golden = {"texts": TEXTS, "tokenizers": TOKENIZERS, "cases": CASES}
    (GOLDENS / "tokenizer-files.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
