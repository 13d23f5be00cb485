"""The device that a study names, as PyTorch calls it."""

from __future__ import annotations

from codesign.core.errors import InputError

__all__ = ("device_named",)


def device_named(name: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` is the GPU where there is one. InputError for a GPU that is not there."""
    if name in ("cpu", "cpu:0"):
        return name
    import torch

    there = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if there else "cpu"
    if name != "cuda" or not there:
        raise InputError(
            f"device: {name}: PyTorch finds no GPU here: give 'device: cpu' or 'auto', or install a PyTorch for CUDA"
        )
    return name
