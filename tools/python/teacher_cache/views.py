"""Views of an image by name: `plain`, `weak:3`, `strong:0`, `crop:161`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple, Optional, Sequence, Union

import numpy as np

KINDS = ("plain", "weak", "strong", "crop")
PLAIN, WEAK, STRONG, CROP = range(4)
ROUND_LIMIT = 1_000_000


class View(NamedTuple):
    """What a network sees of an image. Views are ordered by kind, then by round."""

    kind: int
    round: int = 0

    @staticmethod
    @functools.lru_cache(maxsize=65536)
    def parse(text: str) -> View:
        """The view of a text such as `weak:3`; ValueError for anything not written exactly so."""
        if text == "plain":
            return View(PLAIN)
        match = re.fullmatch(r"(weak|strong|crop):([0-9]{1,9})", text, re.ASCII)
        if match is None:
            raise ValueError(
                f'"{text}" is not a view; write plain, weak:ROUND, strong:ROUND or crop:NUMBER, '
                "for example weak:3"
            )
        number = int(match[2])
        if number >= ROUND_LIMIT:
            raise ValueError(f'"{text}": the number of a view must be below {ROUND_LIMIT}')
        return View(KINDS.index(match[1]), number)

    @staticmethod
    def of(view: AnyView) -> View:
        """The view itself, or that of a text."""
        return view if isinstance(view, View) else View.parse(view)

    @property
    def code(self) -> int:
        """The low half of a record key: kind << 24 | round."""
        return self.kind << 24 | self.round

    def __str__(self) -> str:
        return "plain" if self.kind == PLAIN else f"{KINDS[self.kind]}:{self.round}"


AnyView = Union[View, str]
AnyViews = Union[AnyView, Sequence[AnyView]]
ImageIds = Union[Sequence[int], np.ndarray]


@dataclass(frozen=True)
class ViewSet:
    """Views that every image of a set has, as in `plain,weak:16,strong:16,weak:all`.

    Weak and strong rounds are 0 up to the number given; `crops` says that every distinct weak
    view (`weak:all`) belongs to the set.
    """

    plain: bool = False
    weak: int = 0
    strong: int = 0
    crops: bool = False

    @staticmethod
    def parse(text: str) -> ViewSet:
        """The set of a list such as `weak:16,strong:16`; ValueError names what is wrong."""
        found: dict[str, int] = {}
        for item in (part.strip(" ") for part in text.split(",")):
            match = re.fullmatch(r"(weak|strong):([0-9]{1,9})", item, re.ASCII)
            if item == "plain":
                name, value = "plain", 1
            elif item == "weak:all":
                name, value = "crops", 1
            elif match and 1 <= int(match[2]) <= ROUND_LIMIT:
                name, value = match[1], int(match[2])
            else:
                raise ValueError(
                    f'"{item}" names no views; write a list of plain, weak:ROUNDS, strong:ROUNDS '
                    "and weak:all, for example weak:16,strong:16"
                )
            if name in found:
                raise ValueError(f'the views "{text}" name {item} twice; name it once')
            found[name] = value
        return ViewSet(
            bool(found.get("plain")), found.get("weak", 0), found.get("strong", 0),
            bool(found.get("crops")),
        )  # fmt: skip

    @staticmethod
    def of(views: Union[ViewSet, str]) -> ViewSet:
        """The set itself, or that of a text."""
        return views if isinstance(views, ViewSet) else ViewSet.parse(views)

    def views(self, crops: int) -> list[View]:
        """The views in stable order, where an image has that many crops."""
        return (
            [View(PLAIN)] * self.plain
            + [View(WEAK, number) for number in range(self.weak)]
            + [View(STRONG, number) for number in range(self.strong)]
            + [View(CROP, number) for number in range(crops if self.crops else 0)]
        )

    def __str__(self) -> str:
        items = ["plain"] * self.plain
        items += [f"weak:{self.weak}"] * (self.weak > 0)
        items += [f"strong:{self.strong}"] * (self.strong > 0)
        return ",".join(items + ["weak:all"] * self.crops)


def image_ids(images: ImageIds, count: Optional[int] = None) -> np.ndarray:
    """Ids (int64) of images in the original training set, which has `count` of them.

    A mask or a number with a fraction is no id: TypeError. One outside the set: ValueError.
    """
    ids = np.asarray(images).reshape(-1)
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(
            f"ids of images are integers, not {ids.dtype}; of a mask take numpy.flatnonzero(mask)"
        )
    ids = ids.astype(np.int64)
    wrong = ids[(ids < 0) | (ids >= count)] if count is not None else ids[:0]
    if wrong.size:
        raise ValueError(f"image {wrong[0]}: the training set has the images 0…{count - 1}")
    return ids


def view_codes(views: AnyViews, count: int) -> np.ndarray:
    """The codes (int64) of `count` views, given one for each image or one for all."""
    if isinstance(views, (str, View)):
        return np.full(count, View.of(views).code, np.int64)
    codes = np.array([View.of(view).code for view in views], np.int64)
    if codes.size != count:
        raise ValueError(f"{codes.size} views for {count} images; give one view or as many")
    return codes


def view_of_code(code: int) -> View:
    """The view of a code."""
    return View(int(code) >> 24, int(code) & 0xFFFFFF)
