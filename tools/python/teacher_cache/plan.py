"""What a request still lacks, cut into units."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

import numpy as np

from .identity import CacheIdentity
from .manifest import TapShape, UnitEntry, ViewRanges
from .ranges import IndexRanges
from .views import View

LARGEST_WINDOW = 4096
SMALLEST_WINDOW = 16
WINDOW_BYTES = 1 << 30


@dataclass(frozen=True)
class ViewRequest:
    """What is wanted of one view of each image of a unit."""

    view: View
    needs_logits: bool
    taps: tuple[str, ...]


@dataclass(frozen=True)
class WorkUnit:
    """A piece of work that becomes one unit: the same requests for each image."""

    images: tuple[int, ...]  # ascending
    requests: tuple[ViewRequest, ...]  # in view order
    taps: tuple[TapShape, ...]  # those that the requests name

    def description(self, identity: CacheIdentity) -> str:
        """The fingerprint, the images, each view with what it needs, the taps' shapes."""
        views = (
            f"{r.view}{'+' if r.needs_logits else '-'}{'+'.join(r.taps)}" for r in self.requests
        )
        taps = (f"{s.tap}={s.height}x{s.width}x{s.channels}" for s in self.taps)
        images = str(IndexRanges.of(self.images))
        return "\n".join((identity.fingerprint, images, " ".join(views), " ".join(taps)))

    def name(self, identity: CacheIdentity) -> str:
        """Of the unit's directory: the first image id and a digest of all that its bytes depend on,
        so that another teacher's unit is never taken for it."""
        digest = hashlib.sha256(self.description(identity).encode()).hexdigest()[:16]
        return f"{self.images[0]:08}-{digest}"

    def entry(self, path: str = "", **sealed: Any) -> UnitEntry:
        """The entry that the unit has in the manifest.

        - sealed: what only sealing tells; without it that of a unit which is planned.
        """
        logits = [request.view for request in self.requests if request.needs_logits]
        features = tuple(
            (shape, ViewRanges.of([r.view for r in self.requests if shape.tap in r.taps]))
            for shape in self.taps
        )
        unsealed = dict(bytes=0, sha256="", content="", kernel_level="", logit_error=0.0)
        return UnitEntry(
            path=path,
            images=IndexRanges.of(self.images),
            logits=ViewRanges.of(logits),
            features=features,
            records=len(self.images) * len(logits),
            feature_records=len(self.images) * sum(len(views) for _, views in features),
            **{**unsealed, **sealed},
        )


def hold_all(identity: CacheIdentity, units: Sequence[UnitEntry], entry: UnitEntry) -> bool:
    """Whether the units hold all that another one holds, or held."""
    images = entry.images.numbers()
    units = [unit for unit in units if np.isin(images, unit.images.numbers()).any()]
    wanted = [(entry.logits.views(), [], [])] + [
        ([], [shape], views.views()) for shape, views in entry.features
    ]
    return not any(missing_work(identity, units, images, *part) for part in wanted)


def missing_work(
    identity: CacheIdentity,
    units: Sequence[UnitEntry],
    images: Iterable[int],
    views: Sequence[View],
    taps: Sequence[TapShape],
    feature_views: Sequence[View],
) -> list[WorkUnit]:
    """What must still be computed so that the units hold logits of `views` and features of `taps`
    × `feature_views` for each of `images`.

    Work is cut at multiples of a power of two of image ids — 4096, or less where a full window
    would decode to more than 1 GiB — and inside a window by what is missing, so that the same
    request gives the same units after any interruption.
    """
    logit_views, tap_views = set(views), set(feature_views) if taps else set()
    every = sorted(logit_views | tap_views)
    width = _window(identity.classes, len(logit_views), len(tap_views), taps)

    def lacking(holders: list[UnitEntry]) -> tuple[ViewRequest, ...]:
        requests = []
        for view in every:
            needs = view in logit_views and not any(unit.holds(view) for unit in holders)
            named = tuple(
                shape.tap
                for shape in (taps if view in tap_views else ())
                if not any(unit.holds(view, shape.tap) for unit in holders)
            )
            if needs or named:
                requests.append(ViewRequest(view, needs, named))
        return tuple(requests)

    ids = np.unique(np.fromiter(images, np.int64))
    members = np.stack([np.isin(ids, unit.images.numbers()) for unit in units], axis=1) \
        if units else np.zeros((ids.size, 0), bool)  # fmt: skip
    patterns, pattern_of = np.unique(members, axis=0, return_inverse=True)
    requests = [
        lacking([unit for unit, held in zip(units, pattern) if held]) for pattern in patterns
    ]
    groups: dict[tuple[int, tuple[ViewRequest, ...]], list[int]] = {}
    for image, pattern in zip(ids.tolist(), pattern_of.reshape(-1).tolist()):
        if requests[pattern]:
            groups.setdefault((image // width, requests[pattern]), []).append(image)
    work = []
    for (_, wanted), members_of in groups.items():
        named = {tap for request in wanted for tap in request.taps}
        shapes = tuple(shape for shape in taps if shape.tap in named)
        work.append(WorkUnit(tuple(members_of), wanted, shapes))
    return sorted(work, key=lambda unit: unit.images[0])


def _window(classes: int, logit_views: int, tap_views: int, taps: Sequence[TapShape]) -> int:
    """Images per unit: depends on what is asked, not on what is there."""
    image = logit_views * classes * 4 + tap_views * sum(shape.count * 4 for shape in taps)
    window = LARGEST_WINDOW
    while window > SMALLEST_WINDOW and window * image > WINDOW_BYTES:
        window //= 2
    return window
