"""A PyTorch network as a teacher function for `Writer.fill`."""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Sequence

import numpy as np
import torch

from .replay import normalize


def torch_teacher(
    model: torch.nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    device: str = "cpu",
    taps: Optional[Mapping[str, str]] = None,
) -> Callable[[np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The function from views N×H×W×3 uint8 to logits and features.

    - model: takes N×3×H×W and gives logits N×C, or a tuple or list that begins with them; it is
      moved to `device`. Each call puts it into evaluation mode and gives its modules their modes
      back.
    - taps: by name in the cache the submodule whose output N×C×H×W is stored, as
      `model.get_submodule` finds it. The Swift students compare outputs of stages after the
      activation.
    """
    model = model.to(device)
    caught: dict[str, np.ndarray] = {}

    def keep(tap: str) -> Callable[..., None]:
        def hook(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            # Copied here: a module behind may change its input in place.
            caught[tap] = output.permute(0, 2, 3, 1).float().cpu().numpy().copy()

        return hook

    for tap, name in (taps or {}).items():
        model.get_submodule(name).register_forward_hook(keep(tap))

    @torch.inference_mode()
    def teacher(pixels: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        planes = normalize(pixels, mean, std).transpose(0, 3, 1, 2)
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            output = model(torch.from_numpy(np.ascontiguousarray(planes)).to(device))
        finally:
            for module, is_training in modes:
                module.training = is_training
        logits = output[0] if isinstance(output, (tuple, list)) else output
        features = dict(caught)
        caught.clear()
        return logits.float().cpu().numpy(), features

    return teacher
