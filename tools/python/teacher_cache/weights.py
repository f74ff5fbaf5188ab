"""Who the teacher is: its architecture, the hash of its weights, its normalisation."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from .errors import CacheError

_HEADER_LIMIT = 16 << 20
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Teacher:
    """What a cache says about its teacher."""

    architecture: str
    # `weight_hash` of its state dict.
    weights: str
    # Per channel, for v/255.
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of_state_dict(
        architecture: str,
        state: Mapping[str, Any],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> Teacher:
        """The teacher with a PyTorch state dict (or arrays by name).

        For a network that the Swift programs know, `architecture` is written as they write it
        (`resnet56`, `wrn_40_2`); a cache from there then has the same identity.
        """
        return Teacher(architecture, weight_hash(state), tuple(mean), tuple(std))

    @staticmethod
    def of_file(
        path: Union[str, os.PathLike],
        architecture: Optional[str] = None,
        mean: Optional[Sequence[float]] = None,
        std: Optional[Sequence[float]] = None,
    ) -> Teacher:
        """The teacher of a safetensors file; what is not given is taken from its metadata."""
        state, metadata = read_safetensors(path)
        architecture = architecture or metadata.get("architecture")
        channels = []
        for name, given in (("mean", mean), ("std", std)):
            if given is None and name in metadata:
                given = [float(number) for number in metadata[name].split(",")]
            channels.append(given)
        if architecture is None or channels[0] is None or channels[1] is None:
            raise CacheError(
                f"{path} does not say its architecture, mean and std; give what it lacks"
            )
        return Teacher.of_state_dict(architecture, state, channels[0], channels[1])


def weight_hash(state: Mapping[str, Any]) -> str:
    """SHA-256 (lower-case hex) of what decides a network's answers in inference.

    Over the floating-point arrays in order of their names' UTF-8 bytes, without the prefixes of
    DataParallel and torch.compile: the name, a zero byte, the shape as "16,3,3,3", a zero byte,
    the fp32 bytes (little-endian). Integers, such as batch counters, do not matter.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in state.items():
        array = _floats(value)
        if array is None:
            continue
        while wrapper := next((w for w in _WRAPPERS if name.startswith(w)), None):
            name = name[len(wrapper) :]
        if name in arrays:
            raise CacheError(f'"{name}" comes twice, with and without "module." before it')
        arrays[name] = array
    digest = hashlib.sha256()
    for name in sorted(arrays, key=str.encode):
        shape = ",".join(map(str, arrays[name].shape))
        digest.update(f"{name}\0{shape}\0".encode())
        digest.update(arrays[name].astype("<f4").tobytes())
    return digest.hexdigest()


def read_safetensors(
    path: Union[str, os.PathLike],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The floating-point arrays of a weight file, as fp32, and its metadata."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        size = struct.unpack_from("<Q", data)[0]
        if size > min(_HEADER_LIMIT, len(data) - 8):
            raise ValueError(f"its header should have {size} bytes")
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__", {})
        state = {}
        for name, entry in header.items():
            kind = _FLOATS.get(entry["dtype"])
            if kind is not None:
                begin, end = entry["data_offsets"]
                array = np.frombuffer(data[8 + size + begin : 8 + size + end], kind)
                if entry["dtype"] == "BF16":
                    array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
                state[name] = array.reshape(entry["shape"]).astype(np.float32)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise CacheError(
            f"{path} is not a sound safetensors file ({error}); a .pth file is converted by "
            "tools/convert-weights"
        ) from error
    return state, metadata


def _floats(value: Any) -> Optional[np.ndarray]:
    """A tensor's or an array's values as fp32, or None where they are no floating-point numbers."""
    if hasattr(value, "detach"):
        value = value.detach()
        return value.float().cpu().numpy() if value.is_floating_point() else None
    array = np.asarray(value)
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else None
