"""The teacher's confidence, max softmax at temperature 1, to the last bit as Swift computes it.

In double precision: s = Σ exp(z − max z) over the classes in order, with the C library's `exp`;
the confidence is 1/s, the doubt 1 − 1/s. NumPy's `exp` may differ in the last bit, so rows that
stand so near to a rounding border that it could matter are computed again one by one.
"""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

# Above the error of a sum of 65,535 exponentials, far below half a step of fp32 or fp16.
_MARGIN = 1e-11


def confidences(logits: np.ndarray) -> np.ndarray:
    """Max softmax of rows of fp32 logits, fp32."""
    return _rounded(logits, lambda sums: 1 / sums, lambda values: values.astype(np.float32))


def doubts(logits: np.ndarray) -> np.ndarray:
    """1 − max softmax of rows of fp32 logits, as the bits of halves (uint16)."""
    return _rounded(
        logits,
        lambda sums: 1 - 1 / sums,
        lambda values: np.maximum(values, 0).astype(np.float32).astype(np.float16).view(np.uint16),
    )


def _rounded(
    logits: np.ndarray,
    value: Callable[[np.ndarray], np.ndarray],
    rounded: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    near = value(np.exp(wide).sum(-1))
    result = rounded(near)
    unsure = rounded(near - _MARGIN) != rounded(near + _MARGIN)
    for index in zip(*np.nonzero(unsure)):
        total = 0.0
        for difference in wide[index].tolist():
            total += math.exp(difference)
        result[index] = rounded(value(np.array([total])))[0]
    return result
