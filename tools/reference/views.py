#!/usr/bin/env python3
"""From a view key to its pixels, a second time: plain Python for the draws, Pillow for the pixels.

Writes Tests/DatasetsTests/Fixtures/views.json (choices and pixel hashes of some keys) and
operations.json (hashes of every operation at several magnitudes). The Swift tests read both; a
change of either is a change of the augmentation's version.

    pip install numpy pillow xxhash
    python3 tools/reference/views.py
"""

import json
import os

import numpy as np
import xxhash
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

FIXTURES = os.path.join(os.path.dirname(__file__), "../../Tests/DatasetsTests/Fixtures")

# name: (side, padding, flips)
DATASETS = {"cifar100": (32, 4, True), "mnist": (28, 2, False)}
KINDS = {"weak": 0x76696501, "strong": 0x76696502}


def philox(key, counter):
    """Philox4x32-10."""
    c, k = list(counter), [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


class Stream:
    """The words of (seed, image, kind, round), and the two draws made of them."""

    def __init__(self, seed, image, kind, number):
        self.key, self.tail = seed, (image, number, KINDS[kind])
        self.block, self.words = 0, []

    def word(self):
        if not self.words:
            self.words = philox(self.key, (self.block, *self.tail))
            self.block += 1
        return self.words.pop(0)

    def below(self, n):
        while True:
            product = self.word() * n
            if product & 0xFFFFFFFF >= 2**32 % n:
                return product >> 32

    def uniform(self):
        high, low = self.word() >> 5, self.word() >> 6
        return (high * 2**26 + low) / 2**53


def transform(image, data):
    return image.transform(image.size, Image.Transform.AFFINE, data)


# In the order in which they are drawn: name, lowest and highest magnitude, effect.
OPERATIONS = [
    ("AutoContrast", 0, 0, lambda i, v: ImageOps.autocontrast(i)),
    ("Brightness", 0.05, 0.95, lambda i, v: ImageEnhance.Brightness(i).enhance(v)),
    ("Color", 0.05, 0.95, lambda i, v: ImageEnhance.Color(i).enhance(v)),
    ("Contrast", 0.05, 0.95, lambda i, v: ImageEnhance.Contrast(i).enhance(v)),
    ("Equalize", 0, 0, lambda i, v: ImageOps.equalize(i)),
    ("Identity", 0, 0, lambda i, v: i),
    ("Posterize", 4, 8, lambda i, v: ImageOps.posterize(i, max(1, int(v)))),
    ("Rotate", -30, 30, lambda i, v: i.rotate(v)),
    ("Sharpness", 0.05, 0.95, lambda i, v: ImageEnhance.Sharpness(i).enhance(v)),
    ("ShearX", -0.3, 0.3, lambda i, v: transform(i, (1, v, 0, 0, 1, 0))),
    ("ShearY", -0.3, 0.3, lambda i, v: transform(i, (1, 0, 0, v, 1, 0))),
    ("Solarize", 0, 256, lambda i, v: ImageOps.solarize(i, v)),
    ("TranslateX", -0.3, 0.3, lambda i, v: transform(i, (1, 0, v * i.size[0], 0, 1, 0))),
    ("TranslateY", -0.3, 0.3, lambda i, v: transform(i, (1, 0, 0, 0, 1, v * i.size[1]))),
]
EFFECTS = {name: effect for name, _, _, effect in OPERATIONS}


def numbered_crop(number, dataset):
    _, padding, flips = DATASETS[dataset]
    place, flip = divmod(number, 2) if flips else (number, 0)
    dy, dx = divmod(place, 2 * padding + 1)
    return dict(dy=dy, dx=dx, flip=bool(flip))


def choose(dataset, seed, image, view):
    """What the view does, as a value."""
    side, padding, flips = DATASETS[dataset]
    crops = (2 * padding + 1) ** 2 * (2 if flips else 1)
    kind, _, number = view.partition(":")
    if kind == "plain":
        return dict(crop=dict(dy=padding, dx=padding, flip=False))
    if kind == "crop":
        return dict(crop=numbered_crop(int(number), dataset))
    stream = Stream(seed, image, kind, int(number))
    choice = dict(crop=numbered_crop(stream.below(crops), dataset))
    if kind == "weak":
        return choice
    operations = []
    for _ in range(2):
        name, low, high, _ = OPERATIONS[stream.below(14)]
        operations.append(dict(kind=name, magnitude=low + (high - low) * stream.uniform()))
    cutout = dict(side=stream.uniform() * 0.5)
    cutout["x"] = side + (1 - side) * stream.uniform()
    cutout["y"] = side + (1 - side) * stream.uniform()
    choice["distortion"] = dict(first=operations[0], second=operations[1], cutout=cutout)
    return choice


def draw_cutout(image, cutout):
    width, height = image.size
    side = cutout["side"] * width
    if side <= 0:
        return image
    x0, y0 = int(max(0, cutout["x"] - side / 2)), int(max(0, cutout["y"] - side / 2))
    corner = (min(width, x0 + side), min(height, y0 + side))
    image = image.copy()
    ImageDraw.Draw(image).rectangle((x0, y0, *corner), (125, 123, 114))
    return image


def render(pixels, choice, padding):
    """pixels: HxWx3 uint8."""
    side, crop = pixels.shape[0], choice["crop"]
    padded = np.pad(pixels, ((padding, padding), (padding, padding), (0, 0)))
    cut = padded[crop["dy"]:crop["dy"] + side, crop["dx"]:crop["dx"] + side]
    image = Image.fromarray(np.ascontiguousarray(cut[:, ::-1] if crop["flip"] else cut))
    if "distortion" in choice:
        for step in (choice["distortion"]["first"], choice["distortion"]["second"]):
            image = EFFECTS[step["kind"]](image, step["magnitude"])
        image = draw_cutout(image, choice["distortion"]["cutout"])
    return np.asarray(image)


def source(image, side):
    """The pictures of the fixtures: three smooth patterns, a flat one, one of two colours."""
    y, x = np.mgrid[0:side, 0:side]
    if image == 3:
        return np.full((side, side, 3), 77, dtype=np.uint8)
    if image == 4:
        return np.where(((x // 5 + y // 3) % 2)[..., None] == 0, [10, 200, 90], [60, 201, 255]).astype(np.uint8)
    red = (7 * x + 3 * y + 31 * image) & 255
    green = (x * y // 3 + 40 + 17 * image) & 255
    blue = (x * x + 5 * y + 90 + image) % 211
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def digest(pixels):
    return format(xxhash.xxh3_64_intdigest(np.ascontiguousarray(pixels).tobytes()), "016x")


def write(name, rows):
    with open(os.path.join(FIXTURES, name), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main():
    rows, drawn = [], set()
    for dataset, (side, padding, _) in DATASETS.items():
        views = ["plain", "weak:0", "weak:1", "weak:999999", "crop:0", "crop:7", "crop:24"]
        views += [f"strong:{number}" for number in range(8)] + ["strong:999999"]
        for seed, images in ((0, range(5)), (7, (0, 1)), (2**64 - 1, (2,))):
            for image in images:
                for view in views:
                    choice = choose(dataset, seed, image, view)
                    if "distortion" in choice:
                        drawn |= {choice["distortion"][step]["kind"] for step in ("first", "second")}
                    pixels = render(source(image, side), choice, padding)
                    rows.append(dict(dataset=dataset, seed=str(seed), image=image, view=view,
                                     choice=choice, hash=digest(pixels)))
    assert len(drawn) == 14, drawn
    write("views.json", rows)

    rows = []
    for name, low, high, effect in OPERATIONS:
        parts = (0.0,) if low == high else (0.0, 0.13, 0.25, 0.5, 0.6, 0.77, 1.0)
        for part in parts:
            magnitude = low + (high - low) * part
            hashes = [digest(np.asarray(effect(Image.fromarray(source(image, 32)), magnitude)))
                      for image in range(5)]
            rows.append(dict(operation=name, magnitude=magnitude, hashes=hashes))
    write("operations.json", rows)


if __name__ == "__main__":
    main()
