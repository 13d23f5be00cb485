"""gzip in bounds: inflated piece by piece, and no further than it may."""

from __future__ import annotations

import zlib

from codesign.core.errors import InputError

__all__ = ("gunzip",)


def gunzip(content: bytes, source: str, most: int) -> bytes:
    """What a gzip file of one member holds; InputError: damaged, truncated, or more than ``most`` bytes."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(content, most + 1)
    except zlib.error as error:
        raise InputError(f"{source}: damaged gzip file ({error})") from None
    if len(inflated) > most:
        raise InputError(f"{source}: inflates to more than {most >> 20} MiB: refused")
    if not inflater.eof or inflater.unused_data:
        raise InputError(f"{source}: damaged gzip file ({'more follows' if inflater.eof else 'truncated'})")
    return inflated
