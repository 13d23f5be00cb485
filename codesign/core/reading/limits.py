"""Every bound on what is read from elsewhere. Ours are far below; what is above is damaged, or meant to harm."""

from __future__ import annotations

__all__ = (
    "ARRAY_BYTES", "DIGITS", "ENTRIES", "FILE_BYTES", "GRAPH_NODES", "GRAPH_PRODUCTS", "GRAPH_VALUES", "HEADER_BYTES",
    "JSON_BYTES", "JSON_DEPTH", "MODEL_BYTES", "PACKED_BYTES", "PROGRAM_BYTES", "RATIO", "YAML_BYTES", "YAML_DEPTH",
    "YAML_NODES",
)  # fmt: skip

#: a file that is read whole
FILE_BYTES = 1 << 30
#: a record; the largest of ours (what plots are drawn from) has a few MB
JSON_BYTES = 64 << 20
JSON_DEPTH = 64
#: digits of one number in a record or a study
DIGITS = 400
#: a study, a target, a card, a cluster file
YAML_BYTES = 1 << 20
YAML_DEPTH = 40
#: values of a YAML file, those that its aliases repeat counted as often as they are repeated
YAML_NODES = 50_000
#: files in a zip (.npz, store entry, bundle), and what they may inflate to
ENTRIES = 10_000
PACKED_BYTES = 1 << 30
#: arrays of one archive or data set
ARRAY_BYTES = 16 << 30
#: bytes out of one byte of a compressed file: deflate cannot give more than 1,032
RATIO = 1100
#: the header of a NumPy array, or of a safetensors file
HEADER_BYTES = 1 << 20
#: a model file
MODEL_BYTES = 256 << 20
#: of a model: nodes, elements of all its tensors for one event, and products for one event
GRAPH_NODES = 20_000
GRAPH_VALUES = 1 << 24
GRAPH_PRODUCTS = 1 << 26
#: alkaid's program, inflated
PROGRAM_BYTES = 256 << 20
