"""The fourteen operations of strong views and the cutout, on one image H×W×3 uint8.

Results are those of Pillow and of the Swift programs, bit for bit; where an operation is done in
fp32 or in double precision, the order of the arithmetic is part of its definition.
"""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

_ONE = np.float32(1)
_VALUES = np.arange(256)
CUTOUT_COLOUR = (125, 123, 114)


def apply(name: str, magnitude: float, image: np.ndarray) -> np.ndarray:
    """The image after one operation; the input is left alone."""
    return _EFFECTS[name](image, magnitude)


def cut(image: np.ndarray, cutout: tuple[float, float, float]) -> np.ndarray:
    """The image with a square of one colour, both of whose corners belong to it."""
    part, x, y = cutout
    if part <= 0:
        return image
    height, width = image.shape[:2]
    side = part * width
    left, top = int(max(0.0, x - side / 2)), int(max(0.0, y - side / 2))
    right = min(width - 1, int(min(float(width), left + side)))
    bottom = min(height - 1, int(min(float(height), top + side)))
    result = image.copy()
    if left <= right and top <= bottom:
        result[top : bottom + 1, left : right + 1] = CUTOUT_COLOUR
    return result


def _luma(image: np.ndarray) -> np.ndarray:
    """ITU-R 601-2 luma in integers, H×W."""
    red, green, blue = (image[..., channel].astype(np.int64) for channel in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def _blend(base: np.ndarray, values: np.ndarray, factor: float) -> np.ndarray:
    """base + factor·(values − base) in fp32, truncated."""
    start = base.astype(np.float32)
    difference = values.astype(np.float32) - start
    return (start + np.float32(factor) * difference).astype(np.uint8)


def _auto_contrast(image: np.ndarray, _: float) -> np.ndarray:
    result = image.copy()
    for channel in range(3):
        low, high = int(image[..., channel].min()), int(image[..., channel].max())
        if high > low:
            scale = 255 / (high - low)
            stretched = np.trunc(_VALUES * scale + -low * scale)
            table = np.clip(stretched, 0, 255).astype(np.uint8)
            result[..., channel] = table[image[..., channel]]
    return result


def _brightness(image: np.ndarray, factor: float) -> np.ndarray:
    return (np.float32(factor) * _VALUES.astype(np.float32)).astype(np.uint8)[image]


def _color(image: np.ndarray, factor: float) -> np.ndarray:
    return _blend(_luma(image)[..., None], image, factor)


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    gray = _luma(image)
    mean = int(int(gray.sum()) / gray.size + 0.5)
    return _blend(np.full(256, mean), _VALUES, factor)[image]


def _equalize(image: np.ndarray, _: float) -> np.ndarray:
    result = image.copy()
    for channel in range(3):
        histogram = np.bincount(image[..., channel].reshape(-1), minlength=256)
        highest = int(np.flatnonzero(histogram)[-1])
        step = (image[..., channel].size - int(histogram[highest])) // 255
        if step > 0:
            below = step // 2 + np.cumsum(histogram) - histogram
            table = np.minimum(255, below // step).astype(np.uint8)
            result[..., channel] = table[image[..., channel]]
    return result


def _posterize(image: np.ndarray, bits: float) -> np.ndarray:
    return image & np.uint8(0xFF << (8 - max(1, int(bits))) & 0xFF)


def _sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """The smoothed image, kernel [1 1 1; 1 5 1; 1 1 1]/13, blended with the image; no border."""
    edge, centre = _ONE / np.float32(13), np.float32(5) / np.float32(13)
    wide = image.astype(np.float32)

    def weighted(rows: np.ndarray, middle: np.float32) -> np.ndarray:
        return (rows[:, :-2] * edge + rows[:, 1:-1] * middle) + rows[:, 2:] * edge

    total = np.float32(0.5) + weighted(wide[2:], edge)
    total = total + weighted(wide[1:-1], centre)
    total = total + weighted(wide[:-2], edge)
    smooth = np.minimum(total, np.float32(255)).astype(np.uint8)
    result = image.copy()
    result[1:-1, 1:-1] = _blend(smooth, image[1:-1, 1:-1], factor)
    return result


def _solarize(image: np.ndarray, threshold: float) -> np.ndarray:
    return np.where(_VALUES < threshold, _VALUES, 255 - _VALUES).astype(np.uint8)[image]


def _rotate(image: np.ndarray, magnitude: float) -> np.ndarray:
    degrees = math.fmod(magnitude, 360)
    if degrees == 0:
        return image
    angle = -((degrees + 360 if degrees < 0 else degrees) * (math.pi / 180))
    height, width = image.shape[:2]
    x, y = width / 2, height / 2
    a, b = round(math.cos(angle), 15), round(math.sin(angle), 15)
    d, e = round(-math.sin(angle), 15), round(math.cos(angle), 15)
    return _move(image, (a, b, a * -x + b * -y + 0 + x), (d, e, d * -x + e * -y + 0 + y))


def _move(
    image: np.ndarray, across: tuple[float, float, float], down: tuple[float, float, float]
) -> np.ndarray:
    """Output (x, y) is the nearest input pixel of (a·x + b·y + c, d·x + e·y + f), or black.

    Pillow's two ways: pure scaling and moving adds up in double precision, everything else in
    16.16 fixed point.
    """
    (a, b, c), (d, e, f) = across, down
    height, width = image.shape[:2]
    if b == 0 and d == 0:
        # cumsum adds one after the other, as the definition does; −0.5 must not become 0.
        x = np.floor(np.cumsum(np.append(c + a * 0.5, np.full(width - 1, a)))).astype(np.int64)
        y = np.floor(np.cumsum(np.append(f + e * 0.5, np.full(height - 1, e)))).astype(np.int64)
        y = y[:, None]
    else:
        rows, columns = np.arange(height)[:, None], np.arange(width)
        x = _fixed(c + a * 0.5 + b * 0.5) + _fixed(b) * rows + _fixed(a) * columns >> 16
        y = _fixed(f + d * 0.5 + e * 0.5) + _fixed(e) * rows + _fixed(d) * columns >> 16
    # Where a number is negative, it is above all sides as an unsigned one.
    inside = (x.view(np.uint64) < width) & (y.view(np.uint64) < height)
    places = np.where(inside, y * width + x, height * width)
    black = np.zeros((height * width + 1, 3), np.uint8)
    black[:-1] = image.reshape(-1, 3)
    return black[places]


def _fixed(value: float) -> int:
    return math.floor(value * 65536 + 0.5)


_EFFECTS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "AutoContrast": _auto_contrast,
    "Brightness": _brightness,
    "Color": _color,
    "Contrast": _contrast,
    "Equalize": _equalize,
    "Identity": lambda image, _: image,
    "Posterize": _posterize,
    "Rotate": _rotate,
    "Sharpness": _sharpness,
    "ShearX": lambda image, v: _move(image, (1.0, v, 0.0), (0.0, 1.0, 0.0)),
    "ShearY": lambda image, v: _move(image, (1.0, 0.0, 0.0), (v, 1.0, 0.0)),
    "Solarize": _solarize,
    "TranslateX": lambda image, v: _move(
        image, (1.0, 0.0, v * image.shape[1]), (0.0, 1.0, 0.0)
    ),
    "TranslateY": lambda image, v: _move(
        image, (1.0, 0.0, 0.0), (0.0, 1.0, v * image.shape[0])
    ),
}
