"""Writes the golden files of CheckpointsTests, or checks files that our writer wrote.

    python checkpoints.py                   writes Tests/CheckpointsTests/Goldens/
    python checkpoints.py --verify FOLDER   loads what the tests wrote to FOLDER with Python's safetensors
                                            (run the tests with TINYALIGN_KEEP_WRITTEN=FOLDER first)

Written with torch 2.13.0, numpy 2, safetensors 0.8.0. Everything is seeded; a second run writes the same bytes.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save_file

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "CheckpointsTests" / "Goldens"


def tensors():
    """The tensors of the small golden models, as float32."""
    generator = torch.Generator().manual_seed(20)
    return {
        "transformer.wte.weight": torch.randn(7, 5, generator=generator),
        "transformer.h.0.bias": torch.randn(3, generator=generator) * 1e-3,
        "lm_head.weight": torch.randn(2, 3, 4, generator=generator) * 100,
        "scalar": torch.tensor(0.1),
        "empty": torch.zeros(3, 0, 2),
        'name "with" \\ escapes \t é 中 😀': torch.tensor([1.0, -0.0, 65504.0, 6e-8]),
    }


def write_models():
    """One file per element type, and the values as float32 that a reader must find in each."""
    for name, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
        converted = {k: v.to(dtype) for k, v in tensors().items()}
        save_file(converted, FOLDER / f"{name}.safetensors", metadata={"format": "pt", "note": 'a "quoted" é\n'})
        expected = {k: v.to(torch.float32).view(torch.int32).flatten().tolist() for k, v in converted.items()}
        shapes = {k: list(v.shape) for k, v in converted.items()}
        text = json.dumps({"shapes": shapes, "bits": expected}, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n")
    other = {"weight": torch.ones(2), "position_ids": torch.arange(3), "mask": torch.tensor([True, False])}
    save_file(other, FOLDER / "integers.safetensors")
    for path in FOLDER.glob("*.safetensors"):
        path.chmod(0o644)


def write_rounding():
    """float32 patterns with the binary16 and bfloat16 that PyTorch rounds them to; little-endian u32, u16, u16."""
    random = np.random.default_rng(21)
    bits = [0, 1, 0x007FFFFF, 0x00800000, 0x33000000, 0x33000001, 0x32FFFFFF, 0x38800000, 0x387FFFFF, 0x387FE000]
    bits += [0x387FF000, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF]
    # Around every tie of both formats, at every exponent.
    for exponent in range(0, 255):
        for half in [0x1000, 0x3000, 0x8000, 0x18000, 0x7FF000, 0x7F8000]:
            bits += [(exponent << 23) + half + d for d in (-1, 0, 1)]
    bits += random.integers(0, 0x7F800000, 2000).tolist()
    bits = np.array([b for b in bits if 0 <= b < 0x7F800000], dtype=np.uint32)
    bits = np.concatenate([bits, bits | np.uint32(0x80000000)])
    values = torch.from_numpy(bits.view(np.float32))
    halves = values.to(torch.float16).view(torch.int16).numpy().view(np.uint16)
    brains = values.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    records = np.empty(len(bits), dtype=[("f32", "<u4"), ("f16", "<u2"), ("bf16", "<u2")])
    records["f32"], records["f16"], records["bf16"] = bits, halves, brains
    (FOLDER / "rounding.bin").write_bytes(records.tobytes())
    # The other way: all 65,536 binary16 patterns, the binary32 pattern of every 7th.
    patterns = np.arange(0, 65536, 7, dtype=np.uint16)
    widened = patterns.view(np.float16).astype(np.float32).view(np.uint32)
    (FOLDER / "widening.bin").write_bytes(widened.astype("<u4").tobytes())


def packed(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def one(dtype='"F32"', shape="[1]", offsets="[0,4]", name="a", more=""):
    return f'{{"{name}":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}}}'


def header_cases():
    """Named files, sound and damaged."""
    four = b"\0\0\x80\x3f"
    two = '{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{}}},"b":{{"dtype":"F32","shape":[1],"data_offsets":{}}}}}'
    yield "a sound file", packed(one(), four)
    yield "trailing spaces in the header", packed(one() + "      ", four)
    yield "white space everywhere", packed(one().replace(":", " :\n\t").replace(",", "\r , "), four)
    yield "no tensors", packed("{}")
    yield "only metadata", packed('{"__metadata__":{"a":"b"}}')
    yield "empty metadata", packed('{"__metadata__":{}}')
    yield "null metadata", packed('{"__metadata__":null}')
    yield "a scalar", packed(one(shape="[]"), four)
    yield "a dimension of zero", packed(one(shape="[3,0]", offsets="[0,0]"))
    yield "zero times a huge dimension", packed(one(shape="[0,4611686018427387904]", offsets="[0,0]"))
    yield "tensors in another order than their bytes", packed(two.format("[4,8]", "[0,4]"), four + four)
    yield "an unknown field", packed(one(more=',"extra":[1,-2.5e3,{"x":null,"y":[true,false,"z"]}]'), four)
    yield "an escaped name", packed(one(name="\\u0041\\n\\ud83d\\ude00\\/"), four)
    yield "an empty name", packed(one(name=""), four)
    yield "a name of the longest scalars", packed(one(name="😀é中"), four)
    yield "I64", packed(one('"I64"', offsets="[0,8]"), four + four)
    yield "BOOL", packed(one('"BOOL"', offsets="[0,1]"), b"\1")
    yield "F64", packed(one('"F64"', offsets="[0,8]"), four + four)
    yield "F8_E4M3", packed(one('"F8_E4M3"', offsets="[0,1]"), b"\1")
    yield "F4 in half bytes", packed(one('"F4"', shape="[4]", offsets="[0,2]"), b"\1\1")
    yield "F4 ending inside a byte", packed(one('"F4"', shape="[3]", offsets="[0,1]"), b"\1")
    yield "an empty file", b""
    yield "seven bytes", b"\2\0\0\0\0\0\0"
    yield "an empty header", packed("")
    yield "only the length", struct.pack("<Q", 2)
    yield "a header longer than the file", packed("{}", length=3)
    yield "a huge header length", packed("{}", length=100_000_001)
    yield "the largest header length", packed("{}", length=2**64 - 1)
    yield "a header length with the sign bit", packed("{}", length=2**63)
    yield "a header shorter than its JSON", packed(one(), four, length=10)
    yield "a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    yield "an HTML page", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "text after the JSON", packed(one() + "x", four)
    yield "zero bytes after the JSON", packed(one().encode() + b"\0\0", four)
    yield "white space before the JSON", packed(" " + one(), four)
    yield "a list at the top", packed("[]")
    yield "a string at the top", packed('"a"')
    yield "null at the top", packed("null")
    yield "not JSON", packed("{a}")
    yield "an unfinished object", packed('{"a":')
    yield "an unfinished string", packed('{"a')
    yield "an unfinished escape", packed('{"a\\')
    yield "an unfinished unicode escape", packed('{"\\u00')
    yield "a trailing comma", packed(one()[:-1] + ",}", four)
    yield "a missing comma", packed(one(more=' "x":1'), four)
    yield "single quotes", packed(one().replace('"', "'"), four)
    yield "a comment", packed("{/**/}")
    yield "an unknown escape", packed(one(name="\\x"), four)
    yield "half a surrogate pair", packed(one(name="\\ud83d"), four)
    yield "the wrong half of a surrogate pair", packed(one(name="\\ude00"), four)
    yield "two first halves", packed(one(name="\\ud83d\\ud83d"), four)
    yield "a control character in a name", packed(one(name="\n"), four)
    yield "a name that is not UTF-8", packed(one().encode().replace(b"a", b"\xff", 1), four)
    yield "an overlong UTF-8 form", packed(one().encode().replace(b"a", b"\xc0\xaf", 1), four)
    yield "a surrogate in UTF-8", packed(one().encode().replace(b"a", b"\xed\xa0\x80", 1), four)
    yield "a tensor twice", packed("{" + one()[1:-1] + "," + one()[1:-1] + "}", four)
    yield "metadata twice", packed('{"__metadata__":{},"__metadata__":{}}')
    yield "a metadata key twice", packed('{"__metadata__":{"a":"b","a":"c"}}')
    yield "a dtype twice", packed(one(more=',"dtype":"F32"'), four)
    yield "a shape twice", packed(one(more=',"shape":[1]'), four)
    yield "offsets twice", packed(one(more=',"data_offsets":[0,4]'), four)
    yield "a number in the metadata", packed('{"__metadata__":{"a":1}}')
    yield "a list as metadata", packed('{"__metadata__":["a"]}')
    yield "no dtype", packed('{"a":{"shape":[1],"data_offsets":[0,4]}}', four)
    yield "no shape", packed('{"a":{"dtype":"F32","data_offsets":[0,4]}}', four)
    yield "no offsets", packed('{"a":{"dtype":"F32","shape":[1]}}', four)
    yield "null as a tensor", packed('{"a":null}')
    yield "a number as a tensor", packed('{"a":1}')
    yield "an unknown dtype", packed(one('"F31"'), four)
    yield "a dtype in lower case", packed(one('"f32"'), four)
    yield "a number as dtype", packed(one("32"), four)
    yield "null as dtype", packed(one("null"), four)
    yield "a number as shape", packed(one(shape="1"), four)
    yield "a string in the shape", packed(one(shape='["1"]'), four)
    yield "a negative dimension", packed(one(shape="[-1]"), four)
    yield "minus zero as a dimension", packed(one(shape="[-0]", offsets="[0,0]"))
    yield "a fraction as a dimension", packed(one(shape="[1.0]"), four)
    yield "an exponent in a dimension", packed(one(shape="[1e0]"), four)
    yield "a leading zero", packed(one(shape="[01]"), four)
    yield "an empty element in the shape", packed(one(shape="[1,]"), four)
    yield "a dimension above 64 bits", packed(one(shape="[18446744073709551616]"), four)
    yield "a dimension above 63 bits", packed(one(shape="[9223372036854775808]"), four)
    yield "a shape that overflows", packed(one(shape="[4294967296,4294967296,4294967296]"), four)
    yield "a shape that overflows to the right size", packed(one(shape="[4611686018427387905]"), four)
    yield "a shape that overflows before its zero", packed(one(shape="[9223372036854775807,4,0]", offsets="[0,0]"))
    yield "a shape larger than the bytes", packed(one(shape="[2]"), four)
    yield "a shape smaller than the bytes", packed(one(shape="[1]", offsets="[0,8]"), four + four)
    yield "one offset", packed(one(offsets="[0]"), four)
    yield "three offsets", packed(one(offsets="[0,4,4]"), four)
    yield "no offset", packed(one(offsets="[]"), four)
    yield "an object as offsets", packed(one(offsets='{"0":0,"1":4}'), four)
    yield "a negative offset", packed(one(offsets="[-4,0]"), four)
    yield "an end before the beginning", packed(one(offsets="[4,0]"), four)
    yield "an end before the beginning, in the second", packed(two.format("[0,4]", "[4,0]"), four)
    yield "offsets above 63 bits", packed(one(offsets="[0,9223372036854775808]"), four)
    yield "the largest offsets", packed(one(shape="[4611686018427387903]", offsets="[0,18446744073709551612]"), four)
    yield "an end that only just fits an Int", packed(one('"U8"', "[9223372036854775807]", "[0,9223372036854775807]"))
    yield "a hole at the beginning", packed(one(offsets="[4,8]"), four + four)
    yield "a hole between", packed(two.format("[0,4]", "[8,12]"), four * 3)
    yield "overlapping tensors", packed(two.format("[0,4]", "[2,6]"), four * 2)
    yield "two tensors on the same bytes", packed(two.format("[0,4]", "[0,4]"), four)
    yield "bytes after the last tensor", packed(one(), four + b"\0")
    yield "bytes without tensors", packed("{}", b"\0")
    yield "data cut short", packed(one(), four[:3])
    yield "no data", packed(one())
    yield "deep lists", packed('{"a":' + "[" * 5000 + "]" * 5000 + "}")
    yield "deep objects", packed('{"a":' * 5000 + "1" + "}" * 5000)
    yield "deep lists in an unknown field", packed(one(more=',"x":' + "[" * 5000 + "]" * 5000), four)
    yield "lists just too deep in an unknown field", packed(one(more=',"x":' + "[" * 127 + "]" * 127), four)
    yield "many dimensions", packed(one(shape="[" + ",".join("1" * 64) + "]"), four)
    yield "too many dimensions", packed(one(shape="[" + ",".join("1" * 65) + "]"), four)


def reference_accepts(data):
    """Whether Python's safetensors opens the bytes."""
    path = FOLDER / "probe.tmp"
    path.write_bytes(data)
    try:
        with safe_open(path, "np") as file:
            file.keys()
        return True
    except (SafetensorError, OSError):
        return False
    finally:
        path.unlink()


def write_headers():
    cases = [{"name": n, "hex": d.hex(), "reference_accepts": reference_accepts(d)} for n, d in header_cases()]
    assert len({c["name"] for c in cases}) == len(cases)
    lines = ",\n".join(json.dumps(c) for c in cases)
    (FOLDER / "headers.json").write_text(f"[\n{lines}\n]\n")
    print(sum(c["reference_accepts"] for c in cases), "of", len(cases), "headers accepted by the reference")


def verify(folder):
    """Loads what our writer wrote from the golden f32 tensors."""
    for name, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
        path = folder / f"written-{name}.safetensors"
        found, expected = load_file(path), tensors()
        assert found.keys() == expected.keys(), (path, found.keys())
        for key, value in expected.items():
            value = value.to(dtype)
            assert found[key].dtype == dtype and found[key].shape == value.shape, (path, key)
            width = torch.int32 if dtype == torch.float32 else torch.int16
            assert torch.equal(found[key].view(width), value.view(width)), (path, key)
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"format": "pt", 'key "é"': "line\nline\x01"}, file.metadata()
        length = struct.unpack("<Q", path.read_bytes()[:8])[0]
        assert length % 8 == 0, length
        print(path.name, "loads:", len(found), "tensors, equal bit for bit")
    assert load((folder / "written-nothing.safetensors").read_bytes()) == {}
    print("written-nothing.safetensors loads")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verify", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.verify:
        verify(arguments.verify)
    else:
        FOLDER.mkdir(parents=True, exist_ok=True)
        write_models()
        write_rounding()
        write_headers()
