#!/usr/bin/env python3
"""Makes the images and expected values that tests/data_golden.rs compares with.

Needs the packages of requirements.txt; the versions used are recorded in expected.json.

    python3 crates/cyclr-engine/tests/data_golden/make.py
"""

import gzip
import json
import pathlib

import numpy
import PIL
from PIL import Image, ImageOps, features

HERE = pathlib.Path(__file__).parent
SUBSET = HERE.parents[1] / "data" / "fashion-mnist-subset"
HEIGHT, WIDTH = 13, 17
SIZES = [1, 5, 13, 17, 40]


def picture():
    """A smooth colour field with an edge, so that JPEG keeps it well."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    red = 40 + 12 * x
    green = 230 - 15 * y
    blue = 20 + 6 * (x + y)
    rgb = numpy.stack([red, green, blue], axis=-1)
    rgb[5:, 9:] = 255 - rgb[5:, 9:]
    return Image.fromarray(rgb.clip(0, 255).astype(numpy.uint8), "RGB")


def images():
    rgb = picture()
    alpha = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    palette = rgb.quantize(16)
    yield "rgb.png", rgb, {}
    yield "gray.png", rgb.convert("L"), {}
    yield "bits.png", rgb.convert("1"), {}
    yield "palette.png", palette, {}
    yield "palette_clear.png", palette, {"transparency": 3}
    yield "rgb_alpha.png", Image.merge("RGBA", (*rgb.split(), alpha)), {}
    yield "gray_alpha.png", Image.merge("LA", (rgb.convert("L"), alpha)), {}
    yield "full.jpg", rgb, {"quality": 92, "subsampling": 0}
    yield "half.jpg", rgb, {"quality": 92, "subsampling": 2}
    yield "progressive.jpg", rgb, {"quality": 92, "progressive": True}
    yield "gray.jpg", rgb.convert("L"), {"quality": 92}
    yield "cmyk.jpg", rgb.convert("CMYK"), {"quality": 92, "subsampling": 0}
    for orientation in range(1, 9):
        yield f"turned_{orientation}.jpg", rgb, {"quality": 92, "subsampling": 0, "exif": turned(orientation)}
    yield "turned_6.png", rgb, {"exif": turned(6)}


def turned(orientation):
    """EXIF data that say only how the image is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def values(image):
    return numpy.asarray(image).ravel().tolist()


def expected_image(name):
    stored = ImageOps.exif_transpose(Image.open(HERE / name))
    rgb, gray = stored.convert("RGB"), stored.convert("RGB").convert("L")
    resized = {}
    if name in ("rgb.png", "gray.png"):
        for size in SIZES:
            resized[size] = {
                "rgb": values(rgb.resize((size, size), Image.Resampling.BILINEAR)),
                "gray": values(gray.resize((size, size), Image.Resampling.BILINEAR)),
            }
    return {"rgb": values(rgb), "gray": values(gray), "resized": resized}


def expected_subset(part):
    pixels = numpy.frombuffer(gzip.decompress((SUBSET / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:], numpy.uint8)
    labels = numpy.frombuffer(gzip.decompress((SUBSET / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:], numpy.uint8)
    pixels = pixels.reshape(-1, 28 * 28)
    exact = pixels.astype(numpy.float64)
    return {
        "first_labels": labels[:50].tolist(),
        "class_sums": [int(pixels[labels == k].astype(numpy.int64).sum()) for k in range(10)],
        "mean": float(exact.mean()),
        "std": float(exact.std()),
        "pixel_mean": exact.mean(axis=0).tolist(),
        "pixel_std": exact.std(axis=0).tolist(),
    }


def main():
    for name, image, options in images():
        image.save(HERE / name, **options)
    expected = {
        "versions": {
            "numpy": numpy.__version__,
            "pillow": PIL.__version__,
            "libjpeg": features.version("jpg"),
        },
        "height": HEIGHT,
        "width": WIDTH,
        "images": {name: expected_image(name) for name, _, _ in images()},
        "subset": {part: expected_subset(part) for part in ("train", "t10k")},
    }
    (HERE / "expected.json").write_text(json.dumps(expected) + "\n")


main()
