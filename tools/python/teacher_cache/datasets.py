"""The training images that views are made of, from the publisher's files."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Sequence, Union

import numpy as np

from .errors import DatasetError

_IMAGE_LIMIT = 100_000


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set before a file is opened."""

    name: str
    classes: int
    side: int  # images are side × side × 3 bytes
    padding: int  # black pixels around the image before a crop is cut
    flips: bool  # whether a weak view is mirrored with probability ½
    mean: tuple[float, float, float]  # normalisation for v/255
    std: tuple[float, float, float]

    @property
    def crops(self) -> int:
        """Distinct weak views of one image."""
        return (2 * self.padding + 1) ** 2 * (2 if self.flips else 1)

    @property
    def augmentations(self) -> dict[str, str]:
        """The versioned rule behind every kind of view."""
        weak = "cifar-crop-flip@1" if self.flips else "digits-crop@1"
        strong = "cifar-randaugment-cutout@1" if self.flips else "digits-randaugment-cutout@1"
        return {"plain": "plain@1", "weak": weak, "crop": weak, "strong": strong}


def _digits(name: str, mean: float, std: float) -> DatasetInfo:
    return DatasetInfo(name, 10, 28, 2, False, (mean,) * 3, (std,) * 3)


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            "cifar10", 10, 32, 4, True, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
        ),
        DatasetInfo(
            "cifar100", 100, 32, 4, True, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
        ),
        _digits("mnist", 0.1307, 0.3081),
        _digits("fashion-mnist", 0.2860, 0.3530),
    )
}


@dataclass(frozen=True)
class ImageSet:
    """The training images in the publisher's file order: position = image id."""

    info: DatasetInfo
    pixels: np.ndarray  # N×H×W×3 uint8
    labels: np.ndarray  # N int64

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of what a network can see of the set.

        Over the 12 bytes "image-set-1\\n"; count, height, width, channels and classes as u32; every
        label as u16; the pixels N×H×W×3; little-endian.
        """
        digest = hashlib.sha256(b"image-set-1\n")
        digest.update(struct.pack("<5I", *self.pixels.shape, self.info.classes))
        digest.update(self.labels.astype("<u2").tobytes())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()


def load_train(name: str, folder: Union[str, os.PathLike]) -> ImageSet:
    """The training images of a data set from the folder with the publisher's files, or its parent.

    CIFAR in the binary version, MNIST and Fashion-MNIST as IDX files, plain or gzip.
    """
    if name not in DATASETS:
        raise DatasetError(f'there is no data set "{name}"; there are {", ".join(DATASETS)}')
    info = DATASETS[name]
    path = os.fspath(folder)
    if name == "cifar10":
        files = [f"data_batch_{number}.bin" for number in range(1, 6)]
        return _read_cifar(info, _find(path, ["cifar-10-batches-bin"], files[:1]), files, 1)
    if name == "cifar100":
        place = _find(path, ["cifar-100-binary"], ["train.bin"])
        return _read_cifar(info, place, ["train.bin"], 2)
    inner = "MNIST" if name == "mnist" else "FashionMNIST"
    return _read_idx(info, path, ["raw", f"{inner}/raw", name])


def _find(folder: str, subfolders: Sequence[str], names: Sequence[str]) -> str:
    """The folder itself or its subfolder that has one of the files."""
    for place in [folder, *(os.path.join(folder, sub) for sub in subfolders)]:
        if any(os.path.exists(os.path.join(place, name)) for name in names):
            return place
    raise DatasetError(
        f"{folder} has no {names[0]}, and neither has its {', '.join(subfolders)}; "
        "give the folder with the publisher's files"
    )


def _read_cifar(
    info: DatasetInfo, folder: str, files: Sequence[str], label_bytes: int
) -> ImageSet:
    """Records of label bytes, of which the last counts, then red, green and blue planes."""
    records = 50_000 // len(files)
    size = label_bytes + 3 * info.side**2
    parts = []
    for name in files:
        data = _read(os.path.join(folder, name))
        if len(data) != records * size:
            raise DatasetError(
                f"{os.path.join(folder, name)} has {len(data)} bytes; expected {records} records "
                f"of {size} bytes; download it again"
            )
        parts.append(np.frombuffer(data, np.uint8).reshape(records, size))
    whole = np.concatenate(parts)
    planes = whole[:, label_bytes:].reshape(-1, 3, info.side, info.side)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return _checked(ImageSet(info, pixels, whole[:, label_bytes - 1].astype(np.int64)), folder)


def _read_idx(info: DatasetInfo, folder: str, subfolders: Sequence[str]) -> ImageSet:
    """A pair of IDX files: big-endian header, then a byte a pixel or label; gray becomes RGB."""
    images = _idx_names("images", "idx3-ubyte")
    place = _find(folder, subfolders, images)
    path = _first(place, images)
    header, gray = _idx(path, 0x803, 4)
    label_header, labels = _idx(_first(place, _idx_names("labels", "idx1-ubyte")), 0x801, 2)
    count = header[1]
    if header[2:] != (info.side, info.side) or gray.size != count * info.side**2:
        raise DatasetError(f"{path} is not {count} images of {info.side}×{info.side} bytes")
    if not 1 <= count <= _IMAGE_LIMIT or labels.size != count or label_header[1] != count:
        raise DatasetError(f"{path} has {count} images, its labels are {labels.size}")
    pixels = np.repeat(gray.reshape(count, info.side, info.side, 1), 3, axis=3)
    return _checked(ImageSet(info, pixels, labels.astype(np.int64)), path)


def _idx_names(what: str, kind: str) -> list[str]:
    return [f"train-{what}{mark}{kind}{end}" for mark in "-." for end in ("", ".gz")]


def _first(folder: str, names: Sequence[str]) -> str:
    paths = [os.path.join(folder, name) for name in names]
    return next((path for path in paths if os.path.exists(path)), paths[0])


def _idx(path: str, magic: int, integers: int) -> tuple[tuple[int, ...], np.ndarray]:
    data = _read(path)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f"{path} does not unpack ({error}); get it again") from error
    if len(data) < 4 * integers or struct.unpack_from(">I", data)[0] != magic:
        raise DatasetError(f"{path} is no IDX file that begins with {magic:#010x}; get it again")
    header = struct.unpack_from(f">{integers}I", data)
    return header, np.frombuffer(data, np.uint8, offset=4 * integers)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error


def _checked(images: ImageSet, path: str) -> ImageSet:
    if images.labels.max() >= images.info.classes:
        raise DatasetError(
            f"{path}: a label is {images.labels.max()}; expected 0…{images.info.classes - 1}"
        )
    return images
