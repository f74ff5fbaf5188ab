"""What random views draw: Philox4x32-10, and the choices that are made of its words.

A stream of 32-bit words belongs to (view seed, image id, kind, round): Philox4x32-10 with the view
seed as key, low word first, at the counters (b, image id, round, kind) for b = 0, 1, 2, …

* `below(n)` takes one word w: the result is (w·n) >> 32; if (w·n) mod 2³² < 2³² mod n, it takes
  the next word instead;
* `uniform()` takes two words a, b: ((a >> 5)·2²⁶ + (b >> 6))·2⁻⁵³.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .datasets import DatasetInfo

_WEAK, _STRONG = 0x76696501, 0x76696502
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

# In the order in which they are drawn: name, lowest and highest magnitude.
OPERATIONS = (
    ("AutoContrast", 0.0, 0.0),
    ("Brightness", 0.05, 0.95),
    ("Color", 0.05, 0.95),
    ("Contrast", 0.05, 0.95),
    ("Equalize", 0.0, 0.0),
    ("Identity", 0.0, 0.0),
    ("Posterize", 4.0, 8.0),
    ("Rotate", -30.0, 30.0),
    ("Sharpness", 0.05, 0.95),
    ("ShearX", -0.3, 0.3),
    ("ShearY", -0.3, 0.3),
    ("Solarize", 0.0, 256.0),
    ("TranslateX", -0.3, 0.3),
    ("TranslateY", -0.3, 0.3),
)


@dataclass(frozen=True)
class Distortion:
    """What a strong view does: its crop, two operations with magnitudes, the cutout."""

    crop: int
    operations: tuple[tuple[str, float], tuple[str, float]]
    cutout: tuple[float, float, float]  # side as a part of the width, centre x and y in pixels


def philox(
    seed: int, blocks: np.ndarray, images: np.ndarray, rounds: np.ndarray, kind: int
) -> np.ndarray:
    """N×4 words (uint64 below 2^32) at the counters (blocks, images, rounds, kind)."""
    counters = np.broadcast_arrays(blocks, images, rounds, kind)
    a, b, c, d = (np.array(counter, np.uint64) for counter in counters)
    low, high = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        first, second = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, c = (second >> _HALF) ^ b ^ np.uint64(low), (first >> _HALF) ^ d ^ np.uint64(high)
        b, d = second & _LOW, first & _LOW
        low, high = low + 0x9E3779B9 & 0xFFFFFFFF, high + 0xBB67AE85 & 0xFFFFFFFF
    return np.stack([a, b, c, d], axis=-1)


class _Stream:
    """The words of one (seed, image, kind, round); the first may be known already."""

    def __init__(self, seed: int, image: int, kind: int, round: int, words: list[int]):
        self._counter = (seed, image, kind, round)
        self._words = words
        self._used = 0

    def word(self) -> int:
        if self._used == len(self._words):
            seed, image, kind, round = self._counter
            block = np.array([self._used // 4])
            self._words += philox(seed, block, np.array([image]), np.array([round]), kind)[
                0
            ].tolist()
        self._used += 1
        return self._words[self._used - 1]

    def below(self, n: int) -> int:
        while True:
            product = self.word() * n
            if product & 0xFFFFFFFF >= (1 << 32) % n:
                return product >> 32

    def uniform(self) -> float:
        high, low = self.word() >> 5, self.word() >> 6
        return (high << 26 | low) * 2.0**-53


def weak_crops(
    images: np.ndarray, rounds: np.ndarray, seed: int, info: DatasetInfo
) -> np.ndarray:
    """The numbers of the crops that weak rounds draw."""
    words = philox(seed, np.array(0), images, rounds, _WEAK)
    products = words[:, 0] * np.uint64(info.crops)
    numbers = (products >> _HALF).astype(np.int64)
    for again in np.flatnonzero(products & _LOW < np.uint64((1 << 32) % info.crops)).tolist():
        stream = _Stream(
            seed, int(images[again]), _WEAK, int(rounds[again]), words[again].tolist()
        )
        numbers[again] = stream.below(info.crops)
    return numbers


def distortions(
    images: np.ndarray, rounds: np.ndarray, seed: int, info: DatasetInfo
) -> list[Distortion]:
    """What strong rounds draw."""
    # A strong view takes thirteen words, or more where `below` draws again.
    blocks = [philox(seed, np.array(b), images, rounds, _STRONG) for b in range(4)]
    words = np.concatenate(blocks, axis=1).tolist()
    return [
        _distortion(_Stream(seed, int(images[i]), _STRONG, int(rounds[i]), words[i]), info)
        for i in range(len(words))
    ]


def _distortion(stream: _Stream, info: DatasetInfo) -> Distortion:
    crop = stream.below(info.crops)
    operations = []
    for _ in range(2):
        name, low, high = OPERATIONS[stream.below(len(OPERATIONS))]
        operations.append((name, low + (high - low) * stream.uniform()))
    side = stream.uniform() * 0.5
    x = info.side + (1 - info.side) * stream.uniform()
    y = info.side + (1 - info.side) * stream.uniform()
    return Distortion(crop, (operations[0], operations[1]), (side, x, y))
