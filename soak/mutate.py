"""Damages files of every kind that cyclr reads, and looks at what the command that reads each of them does.

    python3 soak/mutate.py [--files 4000] [--seed 1] [--cyclr target/release/cyclr] [--only KIND] [--messages]

A command must end within 10 seconds and without a panic. If it fails, its message must name the file and say what to do.
It ends with 0 if all do. `--messages` prints an example of each message, for a person to read. Linux only.
"""

import argparse
import collections
import copy
import csv
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CHILD = ["--", sys.executable, str(HERE / "child.py")]
POLICY = ["--policy", "triangular(base=0.003, max=0.03, step=50)"]
LIMIT = 10.0
MEMORY = 4 << 30
# A message says what to do with one of these words. What is possible and the place of a wrong character also say it.
ADVICE = re.compile(
    r"\b(give|make|remove|restore|use|start|resume|put|must|should|say|download|get|install|rename|shorten|set|choose|needs?|export|keep|"
    r"add|try|replace|leave|save|convert|begin|is driven|write|name (?:it|one|them)|take|takes|did you mean|there are|at line \d+|missing field|expected|"
    r"unknown field|are finite|record at least)\b",
    re.IGNORECASE,
)


class Kind:
    """A kind of file: where an example of it lies, how it is written, and the command that reads it."""

    def __init__(self, name, template, file, form, command):
        self.name, self.template, self.file, self.form, self.command = name, template, file, form, command


JUDGED = ["--reference", "PR 122", "--metric", "seconds", "--margin", "0.5", "--unpaired"]

UNIT = "tuning/1/1-fixed-x0.250000-seed1001"

# Each command works in a copy of its template.
KINDS = [
    Kind("run.json", "stopped", "run/run.json", "json", ["resume", "run"]),
    Kind("run.json of a child", "stopped-child", "run/run.json", "json", ["resume", "run"]),
    Kind("run.json, finished", "finished", "run/run.json", "json", ["resume", "run"]),
    Kind("result.json", "finished", "run/result.json", "json", ["resume", "run"]),
    Kind("result.json, extended", "finished", "run/result.json", "json", ["resume", "run", "--updates", "200", "--stretch"]),
    Kind("events.jsonl", "stopped", "run/events.jsonl", "lines", ["resume", "run"]),
    Kind("checkpoint", "stopped", "run/checkpoints/*.ckpt", "checkpoint", ["resume", "run"]),
    Kind("checkpoint of a child", "stopped-child", "run/checkpoints/*.ckpt", "checkpoint", ["resume", "run"]),
    Kind("model", "finished", "run/model.safetensors", "safetensors", ["predict", "run", "image.png"]),
    Kind("weights", "finished", "run/model.safetensors", "safetensors",
         ["train", "--data", "idx", "--updates", "20", "--policy", "fixed(lr=0.01)", "--weights", "run/model.safetensors", "--out", "new"]),
    Kind("IDX images", "finished", "idx/train-images-idx3-ubyte", "binary", ["data", "idx"]),
    Kind("IDX labels", "finished", "idx/train-labels-idx1-ubyte", "binary", ["data", "idx"]),
    Kind("IDX, compressed", "finished", "idx-gz/train-images-idx3-ubyte.gz", "binary", ["data", "idx-gz"]),
    Kind("CIFAR-10", "finished", "cifar10/data_batch_2.bin", "binary", ["data", "cifar10"]),
    Kind("CIFAR-100", "finished", "cifar100/train.bin", "binary", ["data", "cifar100"]),
    Kind("PNG", "finished", "images/train/a/0.png", "binary", ["data", "images"]),
    Kind("JPEG", "finished", "images/train/b/0.jpg", "binary", ["data", "images"]),
    Kind("image to predict", "finished", "image.png", "binary", ["predict", "run", "image.png"]),
    Kind("spec", "finished", "spec.txt", "spec", ["schedule", "SPEC", "--updates", "300", "--at", "0,1,150,299"]),
    Kind("curve", "curves", "raw.csv", "csv", ["find", "--from", "raw.csv"]),
    Kind("pair of curves", "curves", "loss.csv", "csv", ["find", "--from", "lr.csv", "loss.csv"]),
    Kind("smoothed curve", "curves", "torch.csv", "csv", ["find", "--from", "torch.csv", "--smoothed", "torch-lr-finder"]),
    Kind("JSON curve", "curves", "history.json", "json", ["find", "--from", "history.json", "--smoothed", "0"]),
    Kind("judged table", "curves", "judged.csv", "csv", ["judge", "judged.csv", *JUDGED]),
    Kind("judged JSON", "curves", "judged.json", "json", ["judge", "judged.json", *JUDGED]),
    Kind("study", "compared", "study.toml", "toml", ["compare", "--study", "study.toml", "--plan"]),
    Kind("winner.toml", "compared", "cmp/winner.toml", "toml", ["train", "--policy", "cmp/winner.toml", "--plan"]),
    Kind("comparison.json", "compared", "cmp/comparison.json", "json", ["resume", "cmp"]),
    Kind("comparison.json, report", "compared", "cmp/comparison.json", "json", ["report", "cmp"]),
    Kind("result of a comparison", "compared", "cmp/result.json", "json", ["report", "cmp"]),
    Kind("result of version 1", "compared", "v1/result.json", "json", ["report", "v1"]),
    Kind("comparison.json, stopped", "stopped-comparison", "cmp/comparison.json", "json", ["resume", "cmp"]),
    Kind("begin.json", "stopped-comparison", "cmp/begin.json", "json", ["resume", "cmp"]),
    Kind("range.json", "stopped-comparison", "cmp/range.json", "json", ["resume", "cmp"]),
    Kind("run of a comparison", "stopped-comparison", "cmp/tuning/*/*/result.json", "json", ["resume", "cmp"]),
    Kind("plan of a run of a comparison", "stopped-comparison", "cmp/tuning/*/*/run.json", "json", ["resume", "cmp"]),
    Kind("model of an ensemble", "averaged", "run/ensemble-*.safetensors", "safetensors", ["predict", "run", "image.png"]),
    Kind("found.json", "curves", "found.json", "json", ["compare", "--from", "found.json", "--data", "idx", "--plan"]),
    Kind("kept sweep", "stopped-test", "cmp/sweeps/.sweep.csv", "csv", ["resume", "cmp"]),
    Kind("kept probes", "stopped-test", "cmp/sweeps/.probes.jsonl", "lines", ["resume", "cmp"]),
    Kind("figures.json", "compared", "cmp/figures.json", "json", ["report", "cmp"]),
    Kind("work.json", "launched", "cmp/work.json", "json", ["work", "cmp", UNIT]),
    Kind("begin.json, launched", "launched", "cmp/begin.json", "json", ["work", "cmp", "begin"]),
    Kind("plan of a unit", "launched", f"cmp/{UNIT}/run.json", "json", ["work", "cmp", UNIT]),
    Kind("failed.json", "launched", f"cmp/{UNIT}/failed.json", "json", ["watch", "cmp", "--once"]),
    Kind("run.json, watched", "stopped", "run/run.json", "json", ["watch", "run", "--once"]),
    Kind("events.jsonl, watched", "stopped", "run/events.jsonl", "lines", ["watch", "run", "--once"]),
    Kind("result.json, watched", "finished", "run/result.json", "json", ["watch", "run", "--once"]),
]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=4000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cyclr", default=str(ROOT / "target/release/cyclr"))
    options.add_argument("--only", help="files of this kind alone")
    options.add_argument("--messages", action="store_true", help="print an example of each message")
    options = options.parse_args()
    kinds = [kind for kind in KINDS if options.only in (None, kind.name)]
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        mutation = Mutation(os.path.abspath(options.cyclr), Path(folder), options.seed)
        Material(mutation.cyclr, mutation.folder).make()
        for n in range(options.files):
            mutation.try_one(kinds[n % len(kinds)], n)
        sys.exit(mutation.report(options.messages))


class Mutation:
    def __init__(self, cyclr, folder, seed):
        self.cyclr, self.folder, self.seed = cyclr, folder, seed
        self.faults = collections.defaultdict(list)
        self.ends = collections.Counter()
        self.messages = {}
        self.tried = collections.Counter()
        self.kept = None

    def try_one(self, kind, n):
        chance = random.Random(f"{self.seed}-{n}")
        place = self.folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder / kind.template, place)
        file = chance.choice(sorted(place.glob(kind.file)))
        good = file.read_bytes()
        damaged, how = damage(good, kind.form, chance)
        file.write_bytes(damaged)
        command = [damaged.decode(errors="replace").replace("\0", "?") if a == "SPEC" else a for a in kind.command]
        code, seconds, said = self.run(command, place)
        self.tried[kind.name] += 1
        self.ends[code] += 1
        for fault in self.faults_of(kind, file, code, seconds, said):
            self.keep(kind, n, file, damaged, fault, how, said)

    def run(self, command, place):
        began = time.monotonic()
        process = subprocess.Popen(
            [self.cyclr, *command], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        try:
            _, said = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _, said = process.communicate()
        return process.returncode, time.monotonic() - began, said.decode(errors="replace")

    def faults_of(self, kind, file, code, seconds, said):
        if "panicked" in said or code == 101 or (code < 0 and seconds < LIMIT):
            yield "PANIC"
        elif seconds >= LIMIT:
            yield "HANG"
        elif code not in (0, 1, 2, 3, 130):
            yield f"CODE {code}"
        elif code in (1, 2):
            # Progress and notes come before the message.
            message = message_of(said)
            self.messages.setdefault((kind.name, shape_of(message)), message.strip())
            if kind.form != "spec" and file.name not in message:
                yield "NO FILE NAMED"
            if not ADVICE.search(message):
                yield "NO ADVICE"

    def keep(self, kind, n, file, damaged, fault, how, said):
        self.faults[kind.name, fault].append(n)
        if self.kept is None:
            self.kept = Path(tempfile.mkdtemp(prefix="mutate-kept-"))
        name = self.kept / f"{n}-{file.name}"
        name.write_bytes(damaged)
        message = message_of(said).strip().replace("\n", "\n    ")
        print(f"{fault}: {kind.name}, {how}, kept as {name}\n    {message[:600]}", flush=True)

    def report(self, show_messages):
        if show_messages:
            for (kind, _), message in sorted(self.messages.items()):
                print(f"--- {kind}\n{message[:700]}")
        print(f"{sum(self.tried.values())} damaged files of {len(self.tried)} kinds; exit codes {dict(sorted(self.ends.items()))}")
        for (kind, fault), files in sorted(self.faults.items()):
            print(f"  {fault}: {len(files)} of {self.tried[kind]} of {kind}")
        print("no faults" if not self.faults else f"{sum(map(len, self.faults.values()))} faults")
        return int(bool(self.faults))


def message_of(said):
    """What was said from the error on; all of it if there is none."""
    error = re.search(r"^error: ", said, re.MULTILINE)
    return said[error.start() :] if error else said


def shape_of(message):
    """The message without what differs from file to file."""
    return re.sub(r"`[^`]*`|\d[\d.e+-]*|[0-9a-f]{8,}", "_", message)[:160]


# How files are damaged.

EXTREMES = ["0", "-1", "1", "1e308", "1e-320", "-0.0", "0.1", "9007199254740993", "18446744073709551615",
            "18446744073709551616", "1e400", "NaN", "inf", "null", '""', "[]", "{}", "true", "1000000000000", "4294967296"]
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def damage(good, form, chance):
    """The damaged bytes, and how they were damaged."""
    for _ in range(100):
        how, ways = chance.choice(ways_of(form))
        try:
            damaged = ways(good, chance)
        except (ValueError, IndexError):
            # Nothing in it can be damaged so.
            continue
        if damaged != good:
            return damaged, how
    return b"", "emptied"


def ways_of(form):
    bytewise = [("bits flipped", flip), ("cut short", cut), ("a piece missing", drop), ("a piece twice", double),
                ("bytes inserted", insert), ("bytes zeroed", zero), ("emptied", lambda good, chance: b"")]
    text = [("numbers swapped", swap_numbers), ("a number replaced", replace_number), ("a line missing", drop_line),
            ("a line twice", double_line)]
    return {
        "binary": bytewise,
        "csv": bytewise[:5] + 2 * text,
        "lines": bytewise + text,
        "spec": bytewise[:5] + 2 * text[:2],
        "toml": bytewise[:5] + 3 * text + [("another version", another_version)],
        "json": bytewise[:4] + text[:2] + 4 * [("a key missing", drop_key), ("a value replaced", replace_value)]
        + [("another version", another_version)],
        "safetensors": bytewise + 3 * [("header damaged", damaged_header)],
        "checkpoint": bytewise + 4 * [("sealed again", resealed)],
    }[form]


def place_in(data, chance):
    if not data:
        raise ValueError("nothing is in it")
    # Headers are at the start.
    return chance.randrange(min(len(data), 64)) if chance.random() < 0.4 else chance.randrange(len(data))


def flip(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        data[place_in(data, chance)] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(data, chance):
    return data[: place_in(data, chance)]


def piece(data, chance):
    start = place_in(data, chance)
    return start, start + chance.choice([1, 2, 4, 16, 100, 1000])


def drop(data, chance):
    start, end = piece(data, chance)
    return data[:start] + data[end:]


def double(data, chance):
    start, end = piece(data, chance)
    return data[:end] + data[start:]


def insert(data, chance):
    start = place_in(data, chance)
    return data[:start] + chance.randbytes(chance.choice([1, 2, 8, 100])) + data[start:]


def zero(data, chance):
    start, end = piece(data, chance)
    return data[:start] + bytes(len(data[start:end])) + data[end:]


def swap_numbers(data, chance):
    numbers = list(NUMBER.finditer(data))
    a, b = sorted(chance.sample(numbers, 2), key=lambda number: number.start())
    return data[: a.start()] + b.group() + data[a.end() : b.start()] + a.group() + data[b.end() :]


def replace_number(data, chance):
    number = chance.choice(list(NUMBER.finditer(data)))
    return data[: number.start()] + chance.choice(EXTREMES).encode() + data[number.end() :]


def drop_line(data, chance):
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def double_line(data, chance):
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"".join(lines)


def another_version(data, chance):
    version = re.search(rb'"?version"? ?[=:] ?\d+', data)
    if version is None:
        raise ValueError("it has no version")
    other = re.sub(rb"\d+$", chance.choice([b"0", b"1", b"3", b"99", b"4294967296", b'"2"']), version.group())
    return data[: version.start()] + other + data[version.end() :]


def places(value, path=()):
    """Every place in a JSON document."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


def changed(data, chance, change):
    document = copy.deepcopy(json.loads(data))
    # Long lists of numbers have most of the places: each depth gets its turn.
    by_depth = collections.defaultdict(list)
    for path in places(document):
        by_depth[len(path)].append(path)
    path = chance.choice(by_depth[chance.choice(sorted(by_depth))])
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return json.dumps(document, indent=2).encode()


def drop_key(data, chance):
    return changed(data, chance, lambda holder, key: holder.pop(key))


def replace_value(data, chance):
    strange = chance.choice([0, -1, 1, 0.5, 1e308, 1e-320, 2**53 + 1, 2**64 - 1, 10**12, None, "", "x", "fixed(lr=1)", "../x",
                             "/nonexistent", "\x1b[31m", True, [], {}, [1], float("nan")])

    def change(holder, key):
        holder[key] = strange

    return changed(data, chance, change)


def damaged_header(data, chance):
    """The JSON header of safetensors, damaged, with the right length before it."""
    (length,) = struct.unpack_from("<Q", data)
    way = chance.choice([drop_key, replace_value, swap_numbers, replace_number, flip])
    header = way(data[8 : 8 + length], chance)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def resealed(data, chance):
    """A checkpoint with a damaged header or state, or of another version, and the right lengths and checksum."""
    name, (version,), rest = data[:8], struct.unpack_from("<I", data, 8), data[12:-4]
    (length,) = struct.unpack_from("<Q", rest)
    header, rest = rest[8 : 8 + length], rest[8 + length :]
    (length,) = struct.unpack_from("<Q", rest)
    state = rest[8 : 8 + length]
    part = chance.choice(["header", "header", "header", "state", "version"])
    if part == "header":
        header = chance.choice([drop_key, replace_value, swap_numbers, replace_number, flip])(header, chance)
    elif part == "state":
        state = chance.choice([flip, cut, drop, zero, insert])(state, chance)
    else:
        version = chance.choice([0, 1, 3, 2**32 - 1])
    body = name + struct.pack("<I", version)
    for part in (header, state):
        body += struct.pack("<Q", len(part)) + part
    return body + struct.pack("<I", crc32c(body))


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Material:
    """Good files of every kind, made by cyclr itself where it writes them."""

    def __init__(self, cyclr, folder):
        self.cyclr, self.folder = cyclr, folder

    def make(self):
        self.make_finished()
        self.make_stopped("stopped", ["--data", "idx", "--updates", "400"])
        self.make_stopped("stopped-child", ["--updates", "400"], CHILD)
        self.make_curves()
        self.make_compared()
        self.make_stopped_comparison()
        self.make_averaged()
        self.make_stopped_test()
        self.make_launched()

    def place(self, name):
        place = self.folder / name
        place.mkdir()
        make_data(place)
        return place

    def done(self, place, *command):
        subprocess.run([self.cyclr, *command], cwd=place, check=True, capture_output=True)

    def make_finished(self):
        place = self.place("finished")
        self.done(place, "train", "--data", "idx", "--updates", "100", *POLICY, "--out", "run")
        (place / "spec.txt").write_text("warmup(5%) then triangular2(base=0.001, max=0.006, step=20) for 100 then cosine(lr=0.01)")

    def make_stopped(self, name, options, child=()):
        """A run that was stopped once it had a checkpoint."""
        place = self.place(name)
        process = subprocess.Popen(
            [self.cyclr, "train", *options, *POLICY, "--out", "run", *child], cwd=place, stderr=subprocess.DEVNULL
        )
        stop_when(process, lambda: lines_of(place / "run/events.jsonl") > 100)
        if not list((place / "run/checkpoints").glob("*.ckpt")) or (place / "run/result.json").exists():
            raise RuntimeError("the run was not stopped in its middle")

    def make_curves(self):
        place = self.place("curves")
        recorded = ROOT / "testdata/curves-of-other-tools"
        for name, source in (("raw", "raw-0"), ("lr", "tensorboard-lr"), ("loss", "tensorboard-loss"), ("torch", "torch-lr-finder-0")):
            shutil.copy(recorded / f"{source}.csv", place / f"{name}.csv")
        rows = [line.split(",") for line in (place / "raw.csv").read_text().split()]
        columns = {name: rows[0].index(name) for name in ("lr", "loss")}
        history = {name: [float(row[at]) for row in rows[1:]] for name, at in columns.items()}
        (place / "history.json").write_text(json.dumps(history))
        found = subprocess.run([self.cyclr, "find", "--from", "raw.csv", "--json"], cwd=place, check=True, capture_output=True)
        (place / "found.json").write_bytes(found.stdout)
        table = ROOT / "testdata/judge/nanogpt.csv"
        shutil.copy(table, place / "judged.csv")
        with table.open() as lines:
            (place / "judged.json").write_text(json.dumps(list(csv.DictReader(lines))))

    def make_compared(self):
        place = self.place("compared")
        compare = ["compare", "--arm", "fixed", "--arm", "linear", "--seeds", "2", "--margin", "0.01"]
        self.done(place, *compare, "--budget", "60", "--out", "cmp", *CHILD)
        shutil.copytree(ROOT / "testdata/comparison-v1", place / "v1")
        shutil.copy(ROOT / "studies/demo.toml", place / "study.toml")
        if not (place / "cmp/winner.toml").exists():
            raise RuntimeError("the comparison has no winner")

    def make_stopped_comparison(self):
        place = self.place("stopped-comparison")
        compare = ["compare", "--arm", "fixed", "--arm", "linear", "--seeds", "2", "--budget", "40", "--data", "idx"]
        process = subprocess.Popen([self.cyclr, *compare, "--out", "cmp"], cwd=place, stderr=subprocess.DEVNULL)
        stop_when(process, lambda: len(list(place.glob("cmp/tuning/*/*/result.json"))) > 1)
        if (place / "cmp/result.json").exists():
            raise RuntimeError("the comparison was not stopped in its middle")


    def make_averaged(self):
        place = self.place("averaged")
        self.done(place, "train", "--data", "idx", "--updates", "100", "--ensemble", "2", *POLICY, "--out", "run")

    def make_stopped_test(self):
        """A comparison that was stopped in its range test, whose finished parts are kept."""
        place = self.place("stopped-test")
        compare = ["compare", "--arm", "fixed", "--arm", "linear", "--seeds", "2", "--budget", "60", "--data", "idx"]
        process = subprocess.Popen([self.cyclr, *compare, "--out", "cmp"], cwd=place, stderr=subprocess.DEVNULL)
        stop_when(process, lambda: (place / "cmp/sweeps/.probes.jsonl").exists())
        if (place / "cmp/range.json").exists():
            raise RuntimeError("the comparison was not stopped in its range test")

    def make_launched(self):
        """A comparison whose launcher makes no run. Its units are declared, and one of them has failed before."""
        place = self.place("launched")
        launcher = place / "launcher"
        launcher.write_text(f'#!/bin/sh\n[ "$2" != begin ] || exec {self.cyclr} work "$1" begin\n')
        launcher.chmod(0o755)
        compare = ["compare", "--arm", "fixed", "--arm", "linear", "--bounds", "0.01..0.1", "--seeds", "2", "--budget", "20"]
        # Without a run it ends with an error.
        subprocess.run([self.cyclr, *compare, "--data", "idx", "--on", "./launcher", "--out", "cmp"], cwd=place, capture_output=True)
        (place / "cmp" / UNIT / "failed.json").write_text('{"version": 2, "reason": "no memory", "refused": false}')


def stop_when(process, reached):
    while process.poll() is None and not reached():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.wait()


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def make_data(place):
    """Small data sets in every format; a class is a brightness, with noise."""
    chance = random.Random(0)
    golden = ROOT / "crates/cyclr-engine/tests/data_golden"
    for folder, packed in (("idx", False), ("idx-gz", True)):
        (place / folder).mkdir()
        for part, count in (("train", 300), ("t10k", 60)):
            labels = [n % 4 for n in range(count)]
            pixels = bytes(chance.randrange(60) + 50 * label for label in labels for _ in range(64))
            files = {"images-idx3": struct.pack(">IIII", 0x803, count, 8, 8) + pixels,
                     "labels-idx1": struct.pack(">II", 0x801, count) + bytes(labels)}
            for name, content in files.items():
                content, end = (gzip.compress(content), ".gz") if packed else (content, "")
                (place / folder / f"{part}-{name}-ubyte{end}").write_bytes(content)
    for folder, names, head in (
        ("cifar10", [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"], lambda n: bytes([n])),
        ("cifar100", ["train.bin", "test.bin"], lambda n: bytes([n, n])),
    ):
        (place / folder).mkdir()
        for name in names:
            records = (head(n) + chance.randbytes(3072) for n in range(4))
            (place / folder / name).write_bytes(b"".join(records))
    for label, image in (("a", "rgb.png"), ("b", "full.jpg")):
        for n in range(6):
            target = place / f"images/train/{label}/{n}{Path(image).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(golden / image, target)
    shutil.copy(golden / "gray.png", place / "image.png")


if __name__ == "__main__":
    main()
