"""Small PyTorch files with one fault each, made by hand, and what the message must say; part of pytorch.py.

A case whose message is null must load; it is held against torch.load(weights_only=True) here.
"""

import base64
import io
import struct
import warnings
import zipfile

import torch

ONE = struct.pack("<f", 1.0)
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(value)) + value


def integer(value):
    if 0 <= value < 256:
        return bytes([ord("K"), value])
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    size = (value.bit_length() // 8) + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def integers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def name(of):
    module, _, last = of.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def storage(key="0", count=1, of="torch.FloatStorage", more=b""):
    return b"(" + text("storage") + name(of) + text(key) + text("cpu") + integer(count) + more + b"tQ"


def tensor(store=None, offset=0, shape=(1,), strides=(1,), function="torch._utils._rebuild_tensor_v2", rest=None):
    rest = b"\x89" + name("collections.OrderedDict") + b")R" if rest is None else rest
    store = storage() if store is None else store
    return name(function) + b"(" + store + integer(offset) + integers(shape) + integers(strides) + rest + b"tR"


def one(value=None, key="a"):
    """The state dict {key: value}."""
    return b"\x80\x02}" + text(key) + (tensor() if value is None else value) + b"s."


def packed(pickle=None, data=ONE, entries=None, prefix="m/"):
    """A zip file as torch.save makes it, with an uncompressed pickle and one storage."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        named = {"version": b"3\n", "data.pkl": one() if pickle is None else pickle, "data/0": data, **(entries or {})}
        for key, value in named.items():
            if value is not None:
                file.writestr(zipfile.ZipInfo(prefix + key), value)
    return out.getvalue()


def legacy(pickle=None, keys=None, storages=None, facts=None, magic=MAGIC, version=VERSION):
    facts = b"\x80\x02}" + text("little_endian") + b"\x88s." if facts is None else facts
    pickle = one(tensor(storage(more=b"N"))) if pickle is None else pickle
    keys = b"\x80\x02]" + text("0") + b"a." if keys is None else keys
    storages = struct.pack("<q", 1) + ONE if storages is None else storages
    return magic + version + facts + pickle + keys + storages


def patched(data, offset, form, value):
    out = bytearray(data)
    struct.pack_into(form, out, offset if offset >= 0 else len(out) + offset, value)
    return bytes(out)


def central(data, index=0):
    """Where the index-th header of the directory begins."""
    (place,) = struct.unpack_from("<I", data, len(data) - 6)
    for _ in range(index):
        place += 46 + sum(struct.unpack_from("<3H", data, place + 28))
    return place


def zip64(data, **wrong):
    """The same zip file with 64-bit records, as torch.save writes them where a file is large."""
    end = len(data) - 22
    fields = struct.unpack_from("<IHHHHIIH", data, end)
    record = {"count": fields[4], "size": fields[5], "offset": fields[6], "place": end, **wrong}
    out = data[:end]
    out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, record["count"], record["count"], record["size"], record["offset"])
    out += struct.pack("<IIQI", 0x07064B50, 0, record["place"], 1)
    return out + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def zip_cases():
    sound = packed()
    end = len(sound) - 22
    begin, first, second = (central(sound, index) for index in range(3))
    yield "a sound zip file", sound, None
    yield "a sound zip64 file", zip64(sound), None
    yield "a comment after the directory", patched(sound, -2, "<H", 5) + b"hello", None
    yield "nothing", b"", "it begins neither as a zip file nor as a pickle"
    yield "a text", b"hello", "it begins neither as a zip file nor as a pickle"
    yield "a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"
    yield "only the first signature", b"PK\3\4", "at byte 4: the zip directory is missing"
    yield "half", sound[: len(sound) // 2], "the zip directory is missing; the file is cut short"
    yield "without the end record", sound[:end], "the zip directory is missing"
    yield "half the end record", sound[: end + 11], "the zip directory is missing"
    yield "a comment shorter than announced", patched(sound, -2, "<H", 5) + b"hell", "the zip directory is missing"
    yield "a part of several", patched(sound, end + 4, "<H", 1), "is a part of several"
    yield "a directory beyond the end", patched(sound, end + 16, "<I", 0x7FFFFFFF), "does not lie before its end record"
    yield "a directory larger than the file", patched(sound, end + 12, "<I", 0xFFFFFFFF), "of 4294967295 bytes"
    yield "a directory one byte too long", patched(sound, end + 12, "<I", end - begin + 1), "does not lie before its end record"
    yield "more entries than the directory holds", patched(sound, end + 10, "<H", 0xFFFF), "is too small for 65535 entries"
    yield "one entry too many", patched(sound, end + 10, "<H", 4), "is too small for 4 entries"
    yield "a directory elsewhere", patched(sound, end + 16, "<I", begin - 1), "the zip directory breaks off"
    yield "a damaged signature in the directory", patched(sound, second, "<I", 0), "the zip directory breaks off"
    yield "a name longer than the directory", patched(sound, second + 28, "<H", 0xFFFF), "the zip directory breaks off"
    yield "a comment longer than the directory", patched(sound, second + 32, "<H", 1), "the zip directory breaks off"
    yield "a name that is not UTF-8", patched(sound, second + 46, "<B", 0xFF), "the name of a zip entry is not UTF-8"
    yield "an encrypted entry", patched(sound, second + 8, "<H", 1), 'the zip entry "m/data/0" is encrypted'
    yield "a compressed entry", patched(sound, second + 10, "<H", 8), 'the zip entry "m/data/0" is compressed'
    yield "another compressed size", patched(sound, second + 20, "<I", 3), "has an impossible size"
    yield "a 64-bit size that is not there", patched(sound, second + 24, "<I", 0xFFFFFFFF), "lacks its 64-bit size"
    yield "an offset beyond the end", patched(sound, second + 42, "<I", 0x7FFFFFFF), "at byte 2147483647, where no entry begins"
    yield "an offset between entries", patched(sound, second + 42, "<I", 1), "at byte 1, where no entry begins"
    yield "an offset in the directory", patched(sound, second + 42, "<I", begin), "where no entry begins"
    larger = patched(patched(sound, second + 20, "<I", 5), second + 24, "<I", 5)
    yield "an entry that runs into the directory", larger, "of 5 bytes does not end before the directory"
    huge = patched(patched(sound, second + 20, "<I", 0xFFFFFFFE), second + 24, "<I", 0xFFFFFFFE)
    yield "a huge entry", huge, "of 4294967294 bytes does not end before the directory"
    (size,) = struct.unpack_from("<I", sound, first + 24)
    longer = patched(patched(sound, first + 20, "<I", size + 1), first + 24, "<I", size + 1)
    yield "overlapping entries", longer, 'the zip entries "m/data.pkl" and "m/data/0" overlap'
    same = patched(sound, second + 42, "<I", 0)
    yield "two entries at one place", same, "has another name at its own place"
    (local,) = struct.unpack_from("<I", sound, second + 42)
    yield "a long local name", patched(sound, local + 26, "<H", 0xFFFF), "does not end before the directory"
    yield "long local padding", patched(sound, local + 28, "<H", 0xFFFF), "does not end before the directory"
    yield "another local name", patched(sound, local + 30, "<B", 0x58), "has another name at its own place"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            for _ in range(2):
                file.writestr(zipfile.ZipInfo("m/data.pkl"), one())
    yield "an entry twice", out.getvalue(), 'has the entry "m/data.pkl" twice'
    yield "no pickle", packed(entries={"data.pkl": None}), "has 0 entries data.pkl where 1 is needed"
    yield "two pickles", packed(entries={"x/data.pkl": one()}), "has 2 entries data.pkl where 1 is needed"
    yield "no prefix", packed(prefix=""), "has 0 entries data.pkl where 1 is needed"
    yield "a missing storage", packed(entries={"data/0": None}), 'refers to the storage "0", which the file does not have'
    yield "a storage that is too small", packed(data=ONE[:3]), 'needs a storage of 1 elements of 4 bytes, and "0" has 3 bytes'
    yield "an empty storage", packed(data=b""), 'and "0" has 0 bytes'
    yield "a storage larger than needed", packed(data=ONE * 2), None
    yield "big-endian", packed(entries={"byteorder": b"big"}), "it was written by a big-endian computer"
    yield "an unknown byte order", packed(entries={"byteorder": b""}), "it was written by a big-endian computer"
    yield "little-endian", packed(entries={"byteorder": b"little"}), None
    yield "zip64 with its record elsewhere", zip64(sound, place=1), "there is no zip64 end record at byte 1"
    yield "zip64 with its record beyond the end", zip64(sound, place=2**63), "there is no zip64 end record at byte 9223372036854775808"
    yield "zip64 with a huge directory", zip64(sound, size=2**64 - 1), "of 18446744073709551615 bytes"
    yield "zip64 with a huge offset", zip64(sound, offset=2**64 - 1), "at byte 18446744073709551615"
    yield "zip64 with a huge count", zip64(sound, count=2**64 - 1), "too small for 18446744073709551615 entries"


def pickle_cases():
    def broken(body, protocol=b"\x80\x02"):
        return packed(protocol + body)

    od = name("collections.OrderedDict")
    yield "an empty pickle", packed(b""), "the pickle ends in the middle"
    yield "no STOP", broken(b"}"), "the pickle ends in the middle"
    yield "half an integer", broken(b"J\0\0"), "the pickle ends in the middle"
    yield "half a name", broken(b"ccollections"), "the pickle ends in the middle"
    yield "nothing to stop with", broken(b"."), "takes a value from an empty stack"
    yield "protocol 6", broken(b"}.", b"\x80\x06"), "has protocol 6, and 2 to 5 are read"
    yield "protocol 255", broken(b"}.", b"\x80\xff"), "has protocol 255"
    yield "an unknown instruction", broken(b"\xff."), "the instruction 0xff, which torch.save does not write"
    yield "an instruction of protocol 0", broken(b"I01\n."), "the instruction 0x49"
    yield "an out-of-band buffer", broken(b"\x97."), "the instruction 0x97"
    yield "a null byte", broken(b"\0."), "the instruction 0x00"
    for label, body in [("POP", b"0"), ("DUP", b"2"), ("APPEND", b"Na"), ("SETITEM", b"NNs"), ("TUPLE1", b"\x85")]:
        yield f"{label} on an empty stack", broken(body + b"."), "takes a value from an empty stack"
    for label, body in [("TUPLE3", b"NN\x87"), ("REDUCE", b"NR"), ("BUILD", b"Nb"), ("BINPERSID", b"Q"), ("BINPUT", b"q\0")]:
        yield f"{label} on too small a stack", broken(body + b"."), "takes a value from an empty stack"
    yield "a value taken from below a mark", broken(b"N(Na."), "takes a value from an empty stack"
    yield "no mark for TUPLE", broken(b"Nt."), "the pickle has no mark here"
    yield "no mark for SETITEMS", broken(b"}u."), "the pickle has no mark here"
    yield "no mark for APPENDS", broken(b"]e."), "the pickle has no mark here"
    yield "no mark for POP_MARK", broken(b"1."), "the pickle has no mark here"
    yield "append to a dictionary", broken(b"}Na."), "the pickle appends to a dictionary"
    yield "set items of a list", broken(b"]NNs."), "the pickle sets items of a list"
    yield "a key without a value", broken(b"}(Nu."), "the pickle has a key without a value"
    yield "a memo miss", broken(b"h\x05."), "the pickle's memo has nothing at place 5"
    yield "a long memo miss", broken(b"j\xff\xff\xff\xff."), "the pickle's memo has nothing at place 4294967295"
    yield "a memo gap", broken(b"Nq\x05h\x04."), "the pickle's memo has nothing at place 4"
    yield "a memo place out of reach", broken(b"Nr\xff\xff\xff\xff."), "the pickle's memo has no place 4294967295"
    yield "a string longer than the pickle", broken(b"X\xff\xff\xff\xffabc."), "announces 4294967295 bytes where 4 are left"
    yield "a string of 2^64 - 1 bytes", broken(b"\x8d" + b"\xff" * 8 + b"."), "announces 18446744073709551615 bytes where 1 are left"
    yield "bytes of 2^63 bytes", broken(b"\x8e" + b"\0" * 7 + b"\x80."), "announces 9223372036854775808 bytes"
    yield "a string of negative length", broken(b"T\xff\xff\xff\xff."), "announces -1 bytes"
    yield "an integer of negative length", broken(b"\x8b\xff\xff\xff\xff."), "announces -1 bytes"
    yield "a frame longer than the pickle", broken(b"\x95" + b"\xff" * 8 + b"}."), "announces 18446744073709551615 bytes"
    yield "marks without end", broken(b"(" * 200), "the pickle ends in the middle"
    yield "nested lists without end", broken(b"]" * 200), "the pickle ends in the middle"
    yield "lists nested deeply", broken(b"]" + b"]" * 150 + b"a" * 150 + b"."), "it holds a list"
    yield "a list that holds itself", broken(b"]q\0h\0a."), "it holds a list"
    yield "a dictionary that holds itself", broken(b"}q\0" + text("model") + b"h\0s."), "it holds a dictionary without tensors"
    yield "a dictionary in itself with a tensor", broken(
        b"}q\0(" + text("model") + b"h\0" + text("a") + tensor() + b"u."), None
    yield "None", broken(b"N."), "it holds None"
    yield "an empty dictionary", broken(b"}."), "it holds a dictionary without tensors"
    yield "keys that are no names", broken(b"}(K\1" + tensor() + text("a") + tensor() + b"u."), None
    yield "a name twice", broken(b"}(" + (text("a") + tensor()) * 2 + b"u."), 'the name "a" appears twice'
    yield "a name that is not UTF-8, in the pickle", broken(b"}" + text(b"\xff") + tensor() + b"s."), "the name of a tensor is not UTF-8"
    yield "a dictionary from pairs, as Python 2 has it", broken(od + b"]](" + text("a") + tensor() + b"ea\x85R."), None
    yield "a dictionary from no pairs", broken(od + b"N\x85R."), "makes a dictionary of None"
    yield "a dictionary from a triple", broken(od + b"]](NNNea\x85R."), "makes a dictionary of what is not a pair"
    yield "a dictionary from two arguments", broken(od + b"NN\x86R."), "calls collections.OrderedDict with 2 arguments"
    # What would run something.
    for label in ["os.system", "posix.system", "builtins.eval", "__builtin__.eval", "builtins.getattr", "torch.load",
                  "torch.hub.load", "torch.storage._load_from_bytes", "numpy.core.multiarray._reconstruct",
                  "collections.OrderedDict.__init__", "torch._utils._rebuild_tensor_v2.__globals__", "."]:
        yield f"a call of {label}", broken(name(label) + text("echo") + b"\x85R."), f"to run {label}; only tensors are read"
    yield "a name of protocol 4", broken(b"\x8c\x02os\x8c\x06system\x93\x8c\x04echo\x85R.", b"\x80\x04"), "to run os.system;"
    yield "a name that breaks lines", broken(b"\x8c\x03a\nb\x8c\x02\x1bc\x93."), "to run a\\nb.\\u{1B}c;"
    yield "a name made of numbers", broken(b"K\1K\2\x93."), "names something by an integer and an integer"
    yield "INST", broken(b"(" + text("echo") + b"ios\nsystem\n."), "to run os.system;"
    yield "protocol 0", packed(b"cos\nsystem\n(S'echo'\ntR."), "to run os.system;"
    yield "an extension", broken(b"\x82\1."), "to run an extension of copyreg;"
    yield "NEWOBJ", broken(name("torch.FloatStorage") + b")\x81."), "to run torch.FloatStorage;"
    yield "NEWOBJ_EX", broken(name("torch.Size") + b")}\x92."), "to run torch.Size;"
    yield "NEWOBJ of a dictionary", broken(od + b")\x81" + text("a") + tensor() + b"s."), None
    yield "a call of a class of storages", broken(name("torch.FloatStorage") + b")R."), "to run torch.FloatStorage;"
    yield "a call of a type", broken(name("torch.float32") + b")R."), "to run torch.float32;"
    yield "a call of Parameter", broken(name("torch.nn.parameter.Parameter") + tensor() + b"\x85R."), "to run torch.nn.parameter.Parameter;"
    yield "a call of a string", broken(text("eval") + b")R."), "calls a string with a tuple"
    yield "a call with a list", broken(od + b"]R."), "calls collections.OrderedDict with a list"
    yield "the state of a tensor", broken(tensor() + b"}b."), "to run __setstate__ of a tensor;"
    yield "the state of a list", broken(b"]}b."), "to run __setstate__ of a list;"
    yield "the state of a function", broken(od + b"}b."), "to run __setstate__ of collections.OrderedDict;"
    # Storages.
    bad = "refers to something that is not a storage"
    yield "a reference to None", broken(b"NQ."), bad
    yield "a reference to an empty tuple", broken(b")Q."), bad
    yield "a reference to a module", broken(b"(" + text("module") + name("torch.FloatStorage") + text("0") + text("") + b"NtQ."), bad
    yield "a storage of a function", packed(one(tensor(storage(of="torch.Size")))), "a storage of class torch.Size"
    yield "a storage of -1 elements", packed(one(tensor(storage(count=-1)))), "a storage of -1 elements"
    yield "a storage of 2^62 elements", packed(one(tensor(storage(count=2**62)))), "a storage of 4611686018427387904 elements of 4 bytes"
    yield "a storage of 2^80 elements", packed(one(tensor(storage(count=2**80)))), bad
    yield "a storage with a leading path", packed(one(tensor(storage(key="../0")))), 'the storage "../0", which the file does not have'
    yield "a storage whose name is not UTF-8", packed(one(tensor(storage(key=b"\xff")))), "which the file does not have"
    yield "bytes as floats", packed(one(tensor(storage(of="torch.storage.UntypedStorage", count=4)))), "has no type of elements"
    # Tensors.
    def shaped(**options):
        return packed(one(tensor(**options)))

    v3 = "torch._utils._rebuild_tensor_v3"
    hooks = b"\x89" + od + b")R"
    yield "a tensor of the third kind", packed(one(tensor(storage(of="torch.storage.UntypedStorage", count=4), function=v3, rest=hooks + name("torch.float32")))), None
    yield "a tensor of a kind that is no type", packed(one(tensor(function=v3, rest=hooks + b"N"))), "makes a tensor of None as its type"
    yield "a wider type over a storage", packed(one(tensor(function=v3, rest=hooks + name("torch.float64")))), "leaves its storage of 0 elements"
    yield "the first kind of tensor", shaped(function="torch._utils._rebuild_tensor", rest=b""), None
    yield "too few arguments", shaped(rest=b""), "calls torch._utils._rebuild_tensor_v2 with 4 arguments"
    yield "too many arguments", shaped(rest=b"N" * 9), "calls torch._utils._rebuild_tensor_v2 with 9 arguments"
    yield "a negated view", shaped(rest=hooks + b"}" + text("neg") + b"\x88s"), "is a lazy view"
    yield "a parameter of None", broken(name("torch._utils._rebuild_parameter") + b"NNN\x87R."), "makes a parameter of None"
    yield "a parameter of one argument", broken(name("torch._utils._rebuild_parameter") + tensor() + b"\x85R."), "_rebuild_parameter with 1 arguments"
    yield "a size of a list", broken(name("torch.Size") + b"]\x85R."), "makes a size of a list"
    yield "a tensor of a list", packed(one(name("torch._utils._rebuild_tensor") + b"(]NNNtR")), "makes a tensor of a list, None, None, None"
    whole = "are not whole numbers of at least 0"
    yield "a negative length", shaped(shape=(-1,)), whole
    yield "a negative stride", shaped(strides=(-1,)), whole
    yield "a length that is no number", packed(one(name("torch._utils._rebuild_tensor") + b"(" + storage() + b"K\0N\x85K\1\x85tR")), whole
    yield "a length of 2^80", shaped(shape=(2**80,)), whole
    yield "more lengths than strides", shaped(shape=(1, 1)), whole
    yield "64 dimensions", shaped(shape=(1,) * 64, strides=(1,) * 64), None
    yield "65 dimensions", shaped(shape=(1,) * 65, strides=(1,) * 65), whole
    yield "a shape that overflows", shaped(shape=(2**62, 2), strides=(0, 0)), 'the shape of tensor "a" is too large'
    yield "a shape that overflows to nothing", shaped(shape=(2**32, 2**32, 2), strides=(0, 0, 0)), "is too large"
    yield "a length beyond the storage", shaped(shape=(2,)), "leaves its storage of 1 elements"
    yield "an offset beyond the storage", shaped(offset=1), "leaves its storage of 1 elements"
    yield "a negative offset", shaped(offset=-1), "begins before its storage"
    yield "a huge offset", shaped(offset=2**63 - 1), "leaves its storage of 1 elements"
    yield "an offset that overflows", shaped(offset=2**63 - 1, shape=(2,), strides=(2**62,)), "leaves its storage of 1 elements"
    yield "a stride beyond the storage", shaped(shape=(1, 2), strides=(1, 1)), "leaves its storage of 1 elements"
    yield "a stride that overflows", shaped(shape=(3,), strides=(2**62 + 1,)), "leaves its storage of 1 elements"
    yield "a stride that matters nothing", shaped(shape=(1,), strides=(2**62,)), None
    yield "an empty tensor with huge lengths", shaped(shape=(0, 2**62), strides=(2**62, 1)), None
    yield "an empty tensor far away", shaped(shape=(0,), offset=2**62), 'None'
    yield "a small tensor repeated", shaped(shape=(1000,), strides=(0,)), None
    yield "a small tensor repeated very often", shaped(shape=(2**40,), strides=(0,)), "more than 64 elements for each byte"
    yield "a small tensor repeated 2^62 times", shaped(shape=(2**31, 2**31), strides=(0, 0)), "more than 64 elements for each byte"


def legacy_cases():
    sound = legacy()
    yield "a sound legacy file", sound, None
    yield "only the magic number", MAGIC, "the pickle ends in the middle"
    yield "another magic number", legacy(magic=MAGIC.replace(b"l\xfc", b"l\xfd")), "is not torch.save's magic number"
    yield "a small magic number", legacy(magic=b"\x80\x02K\1."), "is not torch.save's magic number"
    yield "another version", legacy(version=b"\x80\x02M\xe8\x03."), "the version of the format is not 1001"
    yield "a version that is no number", legacy(version=b"\x80\x02N."), "the version of the format is not 1001"
    yield "facts that are no dictionary", legacy(facts=b"\x80\x02N."), "the facts on the computer are not a dictionary"
    yield "a big-endian computer", legacy(facts=b"\x80\x02}" + text("little_endian") + b"\x89s."), "by a big-endian computer"
    yield "keys that are no list", legacy(keys=b"\x80\x02N."), "the storages' keys are not a list"
    yield "an unknown key", legacy(keys=b"\x80\x02]" + text("1") + b"a."), "have one that no tensor refers to"
    yield "a key that is no string", legacy(keys=b"\x80\x02]K\0a."), "have one that no tensor refers to"
    yield "no keys", legacy(keys=b"\x80\x02]."), 'refers to the storage "0", which the file does not have'
    twice = b"\x80\x02](" + text("0") * 2 + b"e."
    yield "a key twice", legacy(keys=twice, storages=(struct.pack("<q", 1) + ONE) * 2), 'the storage "0" stands twice'
    yield "no storage", legacy(storages=b""), "cut short"
    yield "half a count", legacy(storages=b"\1\0\0"), "cut short"
    yield "half a storage", legacy(storages=struct.pack("<q", 1) + ONE[:2]), "cut short"
    yield "a storage of -1 elements in the data", legacy(storages=struct.pack("<q", -1) + ONE), "the storage has -1 elements"
    yield "a storage of 2^62 elements in the data", legacy(storages=struct.pack("<q", 2**62) + ONE), "the storage has 4611686018427387904 elements"
    yield "a storage of 2^60 elements in the data", legacy(storages=struct.pack("<q", 2**60) + ONE), "bytes are announced"
    yield "a storage smaller than its reference", legacy(storages=struct.pack("<q", 0)), 'and "0" has 0 bytes'
    yield "a plain pickle that runs something", b"\x80\x03cos\nsystem\nX\4\0\0\0echo\x85R.", "to run os.system;"
    yield "a plain pickle of protocol 0", b"cos\nsystem\n(S'echo'\ntR.", "to run os.system;"
    yield "facts that run something", legacy(facts=b"\x80\x02cos\nsystem\n)R."), "to run os.system;"
    yield "keys that run something", legacy(keys=b"\x80\x02cos\nsystem\n)R."), "to run os.system;"

    def view(offset, size, count=3):
        return storage(count=count, more=b"(" + text("1") + integer(offset) + integer(size) + b"t")

    three = struct.pack("<q", 3) + struct.pack("<3f", 1, 2, 3)
    yield "a view of a storage", legacy(one(tensor(view(1, 2), shape=(2,))), storages=three), None
    yield "a view beyond its storage", legacy(one(tensor(view(2, 2), shape=(2,))), storages=three), "has a view that its storage does not hold"
    yield "a view before its storage", legacy(one(tensor(view(-1, 2), shape=(2,))), storages=three), "has a view that its storage does not hold"
    yield "a view of too little", legacy(one(tensor(view(1, 1), shape=(2,))), storages=three), "leaves its storage of 1 elements"
    yield "a view of a storage cut short", legacy(one(tensor(view(1, 2), shape=(2,))), storages=struct.pack("<q", 2) + ONE * 2), 'and "0" has 8 bytes'


def catalogue():
    for label, data, message in [*zip_cases(), *pickle_cases(), *legacy_cases()]:
        if message == "None":
            message = None
        case = {"name": label, "base64": base64.b64encode(data).decode(), "message": message}
        if message is None:
            case["values"] = loaded(label, data)
        yield case


# Where PyTorch refuses what is harmless, or needs more than the file: said by hand.
BY_HAND = {
    "a view of a storage": [2.0, 3.0],
    "a dictionary from pairs, as Python 2 has it": [1.0],
    "NEWOBJ of a dictionary": [1.0],
    "keys that are no names": [1.0],
}


def loaded(label, data):
    """The values of the tensor "a" as PyTorch reads them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = torch.load(io.BytesIO(data), weights_only=True)
        found = value["a"].to(torch.float32).flatten().tolist()
    except Exception as error:
        print(f"PyTorch refuses {label!r}: {str(error).splitlines()[0][:150]}")
        return BY_HAND.get(label, [1.0] if "empty" not in label else [])
    assert BY_HAND.get(label, found) == found, (label, found)
    return found
