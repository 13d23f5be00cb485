"""What inference services take: standard ONNX, and a Triton model repository around it."""

from codesign.handoff.inference.model import Session, codes_model, features_model, heads_of
from codesign.handoff.inference.triton import write_repository

__all__ = ("Session", "codes_model", "features_model", "heads_of", "write_repository")
