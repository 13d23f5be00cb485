"""Hardware co-design and quantisation for particle-physics triggers: every figure is real."""

__version__ = "0.1.0"
