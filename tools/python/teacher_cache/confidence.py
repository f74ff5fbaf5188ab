"""The teacher's confidence, max softmax at temperature 1, with the same bits on every machine.

In double precision: s = Σ exp(z − max z) over the classes in order; the confidence is 1/s, the
doubt 1 − 1/s. `exp` is the format's own, made of +, −, × and ÷ alone: the C library's and NumPy's
differ in the last bit from machine to machine.
"""

from __future__ import annotations

import math

import numpy as np

# ln 2 in two parts; the first has trailing zeros enough that products with it are exact.
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_ONE_OVER_LN2 = 1.4426950408889634
_SMALLEST = -745.14
_INVERSE_FACTORIALS = [1 / math.factorial(k) for k in range(14)]


def exponential(x: np.ndarray) -> np.ndarray:
    """eˣ of doubles x ≤ 0, within 2 units in the last place; 0 below −745.14.

    eˣ = 2ⁿ·eʳ with r = x − n·ln 2, eʳ by its Taylor polynomial.
    """
    inside = np.maximum(x, _SMALLEST)
    n = np.rint(inside * _ONE_OVER_LN2)
    r = (inside - n * _LN2_HIGH) - n * _LN2_LOW
    total = np.zeros_like(r)
    for k in range(13, 1, -1):
        total = total * r + _INVERSE_FACTORIALS[k]
    value = 1 + (r + r * r * total)
    exponent = n.astype(np.int64)
    # In two steps, as 2ⁿ alone may be too small to be a double; halves are rounded towards 0.
    half = np.trunc(exponent / 2).astype(np.int64)
    value = np.ldexp(np.ldexp(value, half), exponent - half)
    return np.where(x < _SMALLEST, 0.0, value)


def confidences(logits: np.ndarray) -> np.ndarray:
    """Max softmax of rows of fp32 logits, fp32."""
    return (1 / _sums(logits)).astype(np.float32)


def doubts(logits: np.ndarray) -> np.ndarray:
    """1 − max softmax of rows of fp32 logits, as the bits of halves (uint16)."""
    rounded = (1 - 1 / _sums(logits)).astype(np.float32)
    return rounded.astype(np.float16).view(np.uint16)


def _sums(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    # cumsum adds one after the other; sum would not.
    return np.cumsum(exponential(wide - wide.max(-1, keepdims=True)), axis=-1)[..., -1]
