#!/usr/bin/env python3
"""Makes the embedded subset of Fashion-MNIST out of Debian's package `dataset-fashion-mnist`.

Takes the first 1,000 training images and the first 200 test images of each class, in the order of the source, and
writes them as gzip-compressed IDX files beside this script. Needs Python 3 alone:

    apt-get install dataset-fashion-mnist
    python3 crates/cyclr-engine/data/make_fashion_mnist_subset.py

The compressed bytes can differ with the version of zlib; the SHA-256 of the contents, which is printed, does not.
"""

import gzip
import hashlib
import pathlib
import struct
import zlib

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")
TARGET = pathlib.Path(__file__).parent / "fashion-mnist-subset"
CLASSES = 10
SIDE = 28
PARTS = {"train": 1000, "t10k": 200}


def first_of_each_class(labels, per_class):
    taken = [0] * CLASSES
    for index, label in enumerate(labels):
        if taken[label] < per_class:
            taken[label] += 1
            yield index


def subset(part, per_class):
    images = gzip.decompress((SOURCE / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((SOURCE / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    magic, count, height, width = struct.unpack(">IIII", images[:16])
    assert (magic, height, width) == (0x803, SIDE, SIDE)
    assert struct.unpack(">II", labels[:8]) == (0x801, count)
    pixels, labels = images[16:], labels[8:]
    size = SIDE * SIDE
    picks = list(first_of_each_class(labels, per_class))
    assert len(picks) == per_class * CLASSES
    yield "images-idx3-ubyte", struct.pack(">IIII", 0x803, len(picks), SIDE, SIDE) + b"".join(
        pixels[i * size : (i + 1) * size] for i in picks
    )
    yield "labels-idx1-ubyte", struct.pack(">II", 0x801, len(picks)) + bytes(labels[i] for i in picks)


def main():
    TARGET.mkdir(exist_ok=True)
    print("zlib", zlib.ZLIB_RUNTIME_VERSION)
    for part, per_class in PARTS.items():
        for name, content in subset(part, per_class):
            path = TARGET / f"{part}-{name}.gz"
            path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
            print(hashlib.sha256(content).hexdigest(), path.stat().st_size, "bytes", path.name)


main()
