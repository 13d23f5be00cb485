"""Decompression that cannot give more than its header claims.

uproot 5.7 takes the size in a compressed block's header as a hint, and inflates whatever the block holds: 16 MB of zstd
can become hundreds of GB. Each block's true size is at most 16 MB (its header has three bytes for it), so that the
decompressors of zlib, xz and zstd are replaced by ones that stop there. (LZ4 stops by itself.) The results are the same
for every file that is whole.
"""

from __future__ import annotations

import lzma
import zlib
from typing import Any

import numpy as np

__all__ = ("bound_decompression",)


def bound_decompression() -> None:
    """Have uproot, in this process, inflate no block beyond the size in its header. Once is enough."""
    from uproot import compression

    for name, decompress in (("_decompress_ZLIB", _zlib), ("_decompress_LZMA", _lzma), ("_decompress_ZSTD", _zstd)):
        decompressor = getattr(compression, name)
        if decompressor.decompress is not decompress:
            decompressor.decompress = decompress


def _beyond(size: int) -> ValueError:
    return ValueError(f"a compressed block inflates beyond the {size} bytes that its header claims")


def _zlib(data: Any, uncompressed_bytes: int) -> Any:
    content = zlib.decompressobj().decompress(data, uncompressed_bytes + 1)
    if len(content) > uncompressed_bytes:
        raise _beyond(uncompressed_bytes)
    return content


def _lzma(data: Any, uncompressed_bytes: int) -> Any:
    content = lzma.LZMADecompressor().decompress(data, uncompressed_bytes + 1)
    if len(content) > uncompressed_bytes:
        raise _beyond(uncompressed_bytes)
    return content


def _zstd(data: Any, uncompressed_bytes: int) -> Any:
    import cramjam

    buffer: Any = np.empty(uncompressed_bytes, dtype=np.uint8)
    try:
        filled = cramjam.zstd.decompress_into(data, buffer)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            raise _beyond(uncompressed_bytes) from None
        raise
    return buffer[:filled]
