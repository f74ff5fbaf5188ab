"""Sets of small numbers as sorted ranges, written `0-4095,5000,6001-6002`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable

import numpy as np

# Above every image id and round.
LIMIT = 1 << 24


@dataclass(frozen=True)
class IndexRanges:
    """Ascending ranges (first, last) that do not touch."""

    ranges: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(numbers: Iterable[int]) -> IndexRanges:
        """The set of `numbers`, in any order."""
        values = np.unique(np.fromiter(numbers, np.int64))
        if values.size == 0:
            return IndexRanges()
        breaks = np.flatnonzero(np.diff(values) > 1)
        firsts = values[np.concatenate([[0], breaks + 1])]
        lasts = values[np.concatenate([breaks, [values.size - 1]])]
        return IndexRanges(tuple(zip(firsts.tolist(), lasts.tolist())))

    @staticmethod
    def parse(text: str) -> IndexRanges:
        """The set of a text; ValueError unless it is written exactly as `str` writes it."""
        ranges = []
        for part in text.split(",") if text else []:
            match = re.fullmatch(r"([0-9]{1,8})(?:-([0-9]{1,8}))?", part, re.ASCII)
            if match is None:
                raise ValueError(f'"{text}" is not a list of ranges such as 0-4095,5000')
            ranges.append((int(match[1]), int(match[2] or match[1])))
        result = IndexRanges(tuple(ranges))
        rising = all(a[1] + 1 < b[0] for a, b in zip(ranges, ranges[1:]))
        inside = all(first <= last < LIMIT for first, last in ranges)
        if not rising or not inside or str(result) != text:
            raise ValueError(f'"{text}" are not ascending ranges such as 0-4095,5000')
        return result

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)

    def numbers(self) -> np.ndarray:
        """All numbers, ascending."""
        parts = [np.arange(first, last + 1) for first, last in self.ranges]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def __str__(self) -> str:
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.ranges)
