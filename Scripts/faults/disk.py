"""A disk whose power is cut: replays the system calls of a program (strace), and builds what could be left at any moment.

The method is that of ALICE (Pillai and others, OSDI 2014). What a program has not synced may be lost, there in part, or there in
another order:

- Bytes of a file are certain once the file was synced. What was written or cut off since may be there up to any byte; or in any of
  its blocks of 4,096 or 512 bytes, with zeros where a block is missing, and with the length that the file had at any moment since.
- Names (create, rename, exchange, remove, make or remove a folder) are certain once their folder was synced, and each change of
  names is there whole or not at all. Those since may be there up to any one, as a journal keeps them, or in any choice, each folder
  by itself. Syncing a file does not make its name certain, and a name may be certain before the bytes behind it.

That is more than ext4 (data=ordered, without auto_da_alloc) and XFS do to a program, and no more than POSIX lets them.
"""

import os
import re

STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)", re.DOTALL)
UNFINISHED = re.compile(r"^(\d+) +(\w+\(.*) <unfinished \.\.\.>$", re.DOTALL)
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$", re.DOTALL)
CALLS = ("open,openat,creat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fsync,fdatasync,sync,syncfs,rename,"
         "renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,mmap,fallocate,copy_file_range,"
         "sendfile,dup,dup2,dup3")


def strace(trace, command):
    """The command line that runs `command` and writes its system calls to the file `trace`."""
    return ["strace", "-f", "-y", "-xx", "-s", "1000000000", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace, *command]


def unquote(hexadecimal):
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def calls(trace):
    """The system calls that succeeded: name, arguments as strace writes them, result."""
    waiting = {}
    with open(trace) as file:
        for line in file:
            line = line.rstrip("\n")
            if match := UNFINISHED.match(line):
                waiting[match[1]] = match[2]
                continue
            if match := RESUMED.match(line):
                line = f"{match[1]} {waiting.pop(match[1])}{match[2]}"
            if (match := CALL.match(line)) and match[4] != "?" and int(match[4]) >= 0:
                yield match[2], match[3], int(match[4])


class File:
    def __init__(self, content=b""):
        self.versions = [content]  # the first is certain, the last is what the program sees

    def change(self, content):
        self.versions.append(content)

    def sync(self):
        self.versions = self.versions[-1:]


class Folder:
    def __init__(self):
        self.seen = {}
        self.certain = {}


class Change:
    """A change of names, which is on the disk whole or not at all."""

    def __init__(self, names):
        self.names = names  # (folder, name, file or folder or None)

    def touches(self, other):
        return any(f is g and n == m for f, n, _ in self.names for g, m, _ in other.names)


def load(path):
    """A folder of the real disk, all of it certain."""
    folder = Folder()
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            node = load(entry.path)
        else:
            with open(entry.path, "rb") as file:
                node = File(file.read())
        folder.seen[entry.name] = folder.certain[entry.name] = node
    return folder


def tree(folder, names, content, path="", result=None):
    """Every path below a folder with its bytes, None for folders; `names` and `content` say what is there."""
    result = {} if result is None else result
    for name, node in names(folder).items():
        if isinstance(node, Folder):
            result[path + name + "/"] = None
            tree(node, names, content, path + name + "/", result)
        else:
            result[path + name] = content(node)
    return result


class Disk:
    """What a program saw of the folder `root`, call by call, and what is certain of it."""

    def __init__(self, root):
        self.path = root
        self.root = load(root)
        self.pending = []
        self.floor = 0  # changes of names before this one are in the journal
        self.open = {}

    def seen(self):
        return tree(self.root, lambda folder: folder.seen, lambda file: file.versions[-1])

    def place(self, path):
        """The folder that a path is in, and its name there; None outside the root."""
        path = os.path.normpath(path)
        if not path.startswith(self.path + "/"):
            return None
        folder = self.root
        *above, name = path[len(self.path) + 1:].split("/")
        for part in above:
            folder = folder.seen.get(part)
            if not isinstance(folder, Folder):
                return None
        return folder, name

    def node(self, path):
        if os.path.normpath(path) == self.path:
            return self.root
        place = self.place(path)
        return place and place[0].seen.get(place[1])

    def rename(self, *names):
        change = Change([(place[0], place[1], node) for place, node in names if place])
        for folder, name, node in change.names:
            if node is None:
                folder.seen.pop(name, None)
            else:
                folder.seen[name] = node
        self.pending.append(change)

    def sync(self, node):
        self.floor = len(self.pending)
        if isinstance(node, File):
            node.sync()
            return
        certain = [any(folder is node for folder, _, _ in change.names) for change in self.pending]
        for index in reversed(range(len(certain))):
            if certain[index]:
                for earlier in range(index):
                    certain[earlier] = certain[earlier] or self.pending[earlier].touches(self.pending[index])
        rest = []
        for change, is_certain in zip(self.pending, certain):
            if not is_certain:
                rest.append(change)
                continue
            for folder, name, target in change.names:
                if target is None:
                    folder.certain.pop(name, None)
                else:
                    folder.certain[name] = target
        self.pending = rest
        self.floor = len(rest)

    def run(self, trace):
        """Replays a trace; after each call that matters gives what it was, and for output that is seen its bytes."""
        for name, arguments, result in calls(trace):
            strings = [unquote(text) for text in STRING.findall(arguments)]
            number = re.match(r"(\d+)<", arguments)
            node = self.open.get(int(number[1])) if number else None
            folders = [unquote(text).decode() for text in re.findall(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>", arguments)]
            is_at = name.endswith("at") or name == "renameat2"
            paths = [] if name in ("write", "pwrite64", "writev") else [
                os.path.join(folders[min(i, len(folders) - 1)] if is_at and folders else "/", text.decode())
                for i, text in enumerate(strings)]
            if self.call(name, arguments, result, node, strings, paths):
                yield name, None
            elif name == "write" and number and number[1] == "1":
                yield "said", strings[0]

    def call(self, name, arguments, result, node, strings, paths):
        """Replays one call; tells whether it matters."""
        if name in ("open", "openat", "creat"):
            return self.opened(arguments if name != "creat" else "O_CREAT|O_TRUNC", result, paths[0])
        if name == "close":
            self.open.pop(int(arguments.split("<")[0].split("(")[0]), None)
            return False
        if name in ("write", "writev") and isinstance(node, File):
            old = node.versions[-1]
            data = b"".join(strings)[:result]
            at = len(old) if node.appends.get(self.number(arguments)) else node.offsets[self.number(arguments)]
            node.change(old[:at].ljust(at, b"\0") + data + old[at + len(data):])
            node.offsets[self.number(arguments)] = at + len(data)
            return True
        if name == "ftruncate" and isinstance(node, File):
            size = int(arguments.split(",")[-1])
            if size == len(node.versions[-1]):
                return False
            node.change(node.versions[-1][:size].ljust(size, b"\0"))
            return True
        if name in ("fsync", "fdatasync") and node is not None:
            self.sync(node)
            return True
        places = [self.place(path) for path in paths]
        if name in ("mkdir", "mkdirat") and places[0]:
            self.rename((places[0], Folder()))
            return True
        if name in ("unlink", "unlinkat", "rmdir") and places[0]:
            self.rename((places[0], None))
            return True
        if name.startswith("rename") and any(places):
            first, second = self.node(paths[0]), self.node(paths[1])
            self.rename((places[0], second if "EXCHANGE" in arguments else None), (places[1], first))
            return True
        if name == "mmap" and not ("MAP_SHARED" in arguments and "PROT_WRITE" in arguments):
            return False
        if node is not None or any(places):
            raise SystemExit(f"power-cut does not know what {name}({arguments[:200]}) leaves on a disk")
        return False

    @staticmethod
    def number(arguments):
        return int(re.match(r"\d+", arguments)[0])

    def opened(self, arguments, result, path):
        node = self.node(path)
        matters = False
        if node is None:
            place = self.place(path)
            if not place or "O_CREAT" not in arguments:
                self.open.pop(result, None)
                return False
            node = File()
            self.rename((place, node))
            matters = True
        elif "O_TRUNC" in arguments and node.versions[-1]:
            node.change(b"")
            matters = True
        self.open[result] = node
        if isinstance(node, File):
            node.offsets = {**getattr(node, "offsets", {}), result: 0}
            node.appends = {**getattr(node, "appends", {}), result: "O_APPEND" in arguments}
        return matters

    def states(self, rng):
        """What the disk may hold now: first the plain cases, then any number of others. Each is a function that gives a tree."""
        everything = len(self.pending)
        names = [[], list(range(everything)), list(range(self.floor))]
        names += [list(range(count)) for count in range(self.floor, everything)]
        names += [[index for index in range(everything) if index != one] for one in range(everything)]
        names += [[one] for one in range(everything)]
        plain = [(chosen, bytes_) for chosen in names for bytes_ in ("none", "all", "torn", "blocks")]
        rng.shuffle(plain)
        # A power cut that loses all or nothing comes first.
        for chosen, bytes_ in [([], "none"), (list(range(everything)), "all")] + plain:
            yield self.state(chosen, bytes_, rng)
        while True:
            share = rng.random()
            chosen = [index for index in range(everything) if rng.random() < share]
            yield self.state(chosen, "any", rng)

    def state(self, chosen, kind, rng):
        entries = {}

        def names(folder):
            if id(folder) not in entries:
                entries[id(folder)] = dict(folder.certain)
            return entries[id(folder)]

        for index in chosen:
            for folder, name, node in self.pending[index].names:
                if node is None:
                    names(folder).pop(name, None)
                else:
                    names(folder)[name] = node
        return tree(self.root, names, lambda file: content(file, kind, rng))


def content(file, kind, rng):
    """What may be on the disk of a file."""
    versions = file.versions
    if kind == "any":
        kind = rng.choice(["none", "all", "torn", "blocks"])
    if kind == "none" or len(versions) == 1:
        return versions[0]
    if kind == "all":
        return versions[-1]
    new = rng.randrange(1, len(versions))
    before, after = versions[new - 1], versions[new]
    if kind == "torn":
        if len(after) <= len(before):
            return rng.choice([before, after])
        return after[:rng.choice([len(before) + 1, len(after) - 1, rng.randint(len(before), len(after))])]
    size = len(rng.choice(versions[1:]))
    block = rng.choice([512, 4096])
    sources = [versions[0], versions[-1], rng.choice(versions)]
    parts = [rng.choice(sources)[start:start + block].ljust(block, b"\0") for start in range(0, size, block)]
    return b"".join(parts)[:size]
