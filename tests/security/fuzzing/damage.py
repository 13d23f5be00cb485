"""A damaged file: bits flipped, cut, spliced, or a value replaced; within archives as well as outside."""

from __future__ import annotations

import gzip
import io
import re
import zipfile

import numpy as np

__all__ = ("TEXT", "damaged")

#: suffixes of files whose words are replaced
TEXT = (".json", ".yaml", ".v", ".sv", ".tcl", ".xdc", ".mem", ".arff")
_VALUES = (
    b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'""', b'"x"', b"0", b"1e300", b"9" * 5000, b"true",
    b"[" * 3000, b'"\\u0000"', b"18446744073709551616", b'"../../../etc/passwd"', b"&a [*a]", b"*b", b"{a: 1, a: 2}",
    b"!!python/object/apply:os.system [id]", b'"$(touch x)`touch x`[exec touch x]\\";\\n"', b"1e-320", b"2**63",
)  # fmt: skip
_WORDS = re.compile(rb'-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|"[^"\n]*"|true|false|null|(?<=: )[a-z][\w-]*')


def damaged(content: bytes, rng: np.random.Generator, text: bool) -> bytes:
    """A damaged file; of ``text`` mostly a value is another one."""
    if content[:4] == b"PK\x03\x04" and rng.random() < 0.6:
        return _within_zip(content, rng)
    if content[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        return gzip.compress(damaged(gzip.decompress(content), rng, True), mtime=0)
    found = bytearray(content)
    kind = int(rng.integers(0, 10))
    if text and kind < 6 and (words := list(_WORDS.finditer(content))):
        for word in sorted(rng.choice(len(words), min(len(words), int(rng.integers(1, 3))), replace=False))[::-1]:
            found[words[word].start() : words[word].end()] = _VALUES[int(rng.integers(len(_VALUES)))]
        return bytes(found)
    if not found:
        return bytes(rng.bytes(int(rng.integers(1, 100))))
    if kind == 6:
        return bytes(found[: int(rng.integers(0, len(found)))])
    if kind == 7:
        start, to = (int(v) for v in rng.integers(0, len(found), 2))
        found[to : to + 64] = found[start : start + int(rng.integers(1, 4096))]
    elif kind == 8:
        at = int(rng.integers(0, len(found)))
        found[at : at + 8] = [b"\xff" * 8, b"\x7f" + b"\xff" * 7, bytes(8), b"\xff" * 3 + b"\x7f"][int(rng.integers(4))]
    else:
        reach = len(found) if rng.random() < 0.6 else min(len(found), 512)
        for at in rng.integers(0, reach, int(rng.integers(1, 9))):
            found[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(found)


def _within_zip(content: bytes, rng: np.random.Generator) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(files)[int(rng.integers(len(files)))]
    files[name] = damaged(files[name], rng, name.endswith(TEXT))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, inner in files.items():
            archive.writestr(each, inner)
    return buffer.getvalue()
