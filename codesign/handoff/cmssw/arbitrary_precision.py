"""Numbers of Xilinx's arbitrary-precision types: ``ap_fixed<18,13,AP_RND_CONV,AP_SAT>`` and its relatives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from codesign.core.errors import ToolError

__all__ = ("HEADER_FILES", "NumberText", "PrecisionNumber", "headers")

_ROUNDINGS = ("AP_TRN", "AP_TRN_ZERO", "AP_RND", "AP_RND_ZERO", "AP_RND_MIN_INF", "AP_RND_INF", "AP_RND_CONV")
_OVERFLOWS = ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM", "AP_WRAP_SM")
_FORM = re.compile(r"ap_(u?)(fixed|int)<([0-9]{1,2})(?:,(-?[0-9]{1,2}))?(?:,(AP_[A-Z_]+))?(?:,(AP_[A-Z_]+))?(?:,0)?>")
#: the widest number: what any shift here makes of it fits 64 bits
_WIDEST = 48

#: the package that brings the headers along, and where
_PACKAGE, _PLACE = "alkaid", "codegen/hls/source/ap_types/include"
#: of the headers, those that numbers need
HEADER_FILES = (
    *("ap_common.h", "ap_decl.h", "ap_fixed.h", "ap_fixed_base.h", "ap_fixed_ref.h", "ap_fixed_special.h"),
    *("ap_int.h", "ap_int_base.h", "ap_int_ref.h", "ap_int_special.h", "etc/ap_private.h"),
)


@dataclass(frozen=True)
class PrecisionNumber:
    """A number of ``width`` bits whose value is ``raw * 2**-fraction_bits``; ``text`` is its type in C++."""

    text: str
    signed: bool
    width: int
    fraction_bits: int

    @property
    def low(self) -> int:
        """The smallest raw integer."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest raw integer."""
        return (1 << (self.width - int(self.signed))) - 1

    @classmethod
    def of(cls, text: str) -> PrecisionNumber:
        """Parse a type; ValueError where it is none of these types, or too wide."""
        match = _FORM.fullmatch(re.sub(r"\s", "", text))
        if match is None:
            raise ValueError(
                f"'{text[:60]}' is no number: expected ap_fixed<W,I>, ap_ufixed<W,I,Q,O>, ap_int<W> or ap_uint<W>"
            )
        unsigned, family, bits, integer, rounding, overflow = match.groups()
        width = int(bits)
        if not 1 <= width <= _WIDEST:
            raise ValueError(f"'{text}' has {width} bits: 1 to {_WIDEST} are written here")
        if (family == "int") != (integer is None) or (family == "int" and rounding):
            raise ValueError(f"'{text}': an ap_int has a width alone, an ap_fixed a width and integer bits")
        if rounding not in (None, *_ROUNDINGS) or overflow not in (None, *_OVERFLOWS):
            raise ValueError(f"'{text}': modes are {', '.join(_ROUNDINGS)} and {', '.join(_OVERFLOWS)}")
        whole = width if integer is None else int(integer)
        modes = "".join(f",{mode}" for mode in (rounding, overflow) if mode)
        spelled = f"ap_{unsigned}{family}<{width}{'' if integer is None else f',{whole}'}{modes}>"
        return cls(spelled, not unsigned, width, width - whole)


#: a type in a profile, in its one spelling
NumberText = Annotated[str, AfterValidator(lambda text: PrecisionNumber.of(text).text)]


def headers() -> tuple[str, str, Path]:
    """The package that brings the types' headers along, its version, and their folder; ToolError where it does not.

    The headers are Xilinx's, under Apache-2.0.
    """
    found = find_spec(_PACKAGE)
    for root in (found.submodule_search_locations or ()) if found else ():
        folder = Path(root) / _PLACE
        if all((folder / name).is_file() for name in HEADER_FILES):
            return _PACKAGE, version(_PACKAGE), folder
    raise ToolError(f"the ap_types headers come with {_PACKAGE}, and this one has none: install it again")
