"""CRLD's strong views with Pillow: two random operations, always applied, then a cutout."""
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

NEAREST = Image.Resampling.NEAREST
AFFINE = Image.Transform.AFFINE


def _affine(matrix):
    return lambda image, v: image.transform(image.size, AFFINE, matrix(v, image.width), NEAREST)


# Operation and the range of its strength.
OPERATIONS = [
    (lambda image, v: ImageOps.autocontrast(image), 0, 1),
    (lambda image, v: ImageOps.equalize(image), 0, 1),
    (lambda image, v: image, 0, 1),
    (lambda image, v: ImageEnhance.Brightness(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageEnhance.Color(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageEnhance.Contrast(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageEnhance.Sharpness(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageOps.posterize(image, int(v)), 4, 8),
    (lambda image, v: ImageOps.solarize(image, v), 0, 256),
    (lambda image, v: image.rotate(v), -30, 30),
    (_affine(lambda v, side: (1, v, 0, 0, 1, 0)), -0.3, 0.3),
    (_affine(lambda v, side: (1, 0, 0, v, 1, 0)), -0.3, 0.3),
    (_affine(lambda v, side: (1, 0, v * side, 0, 1, 0)), -0.3, 0.3),
    (_affine(lambda v, side: (1, 0, 0, 0, 1, v * side)), -0.3, 0.3),
]


def strengthen(images, random):
    """N×H×W×3 bytes to strong views of the same shape."""
    source = images.numpy()
    n, height, width, _ = source.shape
    result = np.empty_like(source)
    chosen = random.integers(0, len(OPERATIONS), (n, 2))
    strengths = random.random((n, 2))
    holes = random.random((n, 3))
    for i in range(n):
        image = Image.fromarray(source[i])
        for which, strength in zip(chosen[i], strengths[i]):
            operation, low, high = OPERATIONS[which]
            image = operation(image, low + (high - low) * strength)
        side, x, y = holes[i] * (0.5 * width, width, height)
        left, top = max(0, x - side / 2), max(0, y - side / 2)
        corner = (min(width, left + side), min(height, top + side))
        ImageDraw.Draw(image).rectangle((left, top, *corner), (125, 123, 114))
        result[i] = image
    return torch.from_numpy(result)
