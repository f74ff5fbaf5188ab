"""A PyTorch network as a teacher function for `Writer.fill`."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Mapping, Optional

import numpy as np
import torch

from .errors import CacheError
from .replay import normalize
from .weights import Teacher


def torch_teacher(
    model: torch.nn.Module,
    teacher: Teacher,
    device: str = "cpu",
    taps: Optional[Mapping[str, str]] = None,
) -> Callable[[np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The function from views N×H×W×3 uint8 to logits and features.

    - model: takes N×3×H×W, normalised, in the type of its first parameter, and gives logits N×C, a
      tuple or list that begins with them, or a mapping that has them as `logits`. It is moved to
      `device`. Each call puts it into evaluation mode and gives its modules their modes back.
    - teacher: what the cache says about it; its mean and std are applied.
    - taps: by name in the cache the submodule whose output N×C×H×W is stored, as
      `model.get_submodule` finds it. The Swift students compare outputs of stages after the
      activation.
    """
    model = model.to(device)
    modules = {tap: model.get_submodule(name) for tap, name in (taps or {}).items()}
    weights = next(model.parameters(), torch.empty(0))

    @torch.inference_mode()
    def answer(pixels: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        planes = normalize(pixels, teacher.mean, teacher.std).transpose(0, 3, 1, 2)
        inputs = torch.from_numpy(np.ascontiguousarray(planes)).to(device, weights.dtype)
        features: dict[str, np.ndarray] = {}
        with contextlib.ExitStack() as stack:
            for module in model.modules():
                stack.callback(setattr, module, "training", module.training)
            for tap, module in modules.items():
                stack.callback(module.register_forward_hook(_keeping(tap, features)).remove)
            model.eval()
            logits = _logits(model(inputs))
        return logits.float().cpu().numpy(), features

    return answer


def _keeping(tap: str, features: dict[str, np.ndarray]) -> Callable[..., None]:
    """A hook that keeps the output of a module."""

    def hook(_module: torch.nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            found = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output)
            raise CacheError(
                f"the module at tap {tap} gave {found}, not N×C×H×W; name another module"
            )
        # Copied here: a module behind may change its input in place.
        features[tap] = output.permute(0, 2, 3, 1).float().cpu().numpy().copy()

    return hook


def _logits(output: Any) -> torch.Tensor:
    if isinstance(output, Mapping):
        return output["logits"]
    return output[0] if isinstance(output, (tuple, list)) else output
