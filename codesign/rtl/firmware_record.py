"""``firmware.json``, a flow's record of the firmware that it wrote: checked before anything in it is used.

A record may come from a stranger's run folder. Names in it are plain, its files lie in its own folder, its numbers are
finite. Each flow adds what it records itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from codesign.core import quoting
from codesign.core.errors import InputError, ToolError
from codesign.core.reading.json import member_json
from codesign.core.validation import validate

__all__ = (
    "RECORD",
    "Count",
    "FirmwareRecord",
    "Identifier",
    "Inside",
    "Size",
    "Source",
    "Word",
    "own_files",
    "read_record",
    "source_path",
)

RECORD = "firmware.json"
_LARGEST = 1e12

#: what Verilator takes for Verilog; other files it compiles (.cpp), links (.o, .a, .so) or obeys (.vlt)
_VERILOG = (".v", ".sv", ".vh", ".svh")

R = TypeVar("R", bound="FirmwareRecord")


def source_path(text: str) -> str:
    """The path of a source of Verilog inside of its folder, as given; InputError for any other."""
    if not quoting.relative_path(text).endswith(_VERILOG):
        raise InputError(f"'{text}' is no source of Verilog: expected a name that ends in {', '.join(_VERILOG)}")
    return text


def _check(check: object) -> AfterValidator:
    def validator(text: str) -> str:
        try:
            return check(text)  # type: ignore[operator,no-any-return]
        except InputError as error:
            raise ValueError(str(error)) from None

    return AfterValidator(validator)


#: a file inside of the firmware's folder
Inside = Annotated[str, _check(quoting.relative_path)]
#: a source of Verilog inside of the firmware's folder
Source = Annotated[str, _check(source_path)]
#: an identifier of Verilog
Identifier = Annotated[str, _check(quoting.verilog_identifier)]
#: a word that no tool takes for anything else
Word = Annotated[str, _check(quoting.plain)]
Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Size = Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)]


class FirmwareRecord(BaseModel):
    """What the record of every flow holds; what a flow does not know is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    design: str = Field(pattern=r"^[0-9a-f]{64}$")
    target: str = Field(max_length=255)


def read_record(model: type[R], folder: Path, design: str, target: str, what: str) -> R:
    """The record in ``folder`` of the design with this hash for the target of this name.

    ``what`` the folder should hold, in words. ToolError where there is none, or one of another design or target;
    InputError names file and field of what is not valid.
    """
    path = folder / RECORD
    if not path.is_file():
        raise ToolError(f"{folder} holds no {what}")
    record = validate(model, member_json(folder, RECORD), str(path))
    if (record.design, record.target) != (design, target):
        raise ToolError(f"{folder} holds {what} of another design or target: compile again")
    return record


def own_files(folder: Path, names: Iterable[Path]) -> list[Path]:
    """Whole paths of files that lie in ``folder`` itself.

    ToolError where one is missing, InputError where one is reached through a symbolic link or lies outside.
    """
    root, found = folder.resolve(), []
    for name in names:
        path = root / quoting.relative_path(name.as_posix())
        if not path.is_file():
            raise ToolError(f"{folder} lacks its file {name}: compile again")
        if path.resolve() != path:
            raise InputError(
                f"{folder / name} is reached through a symbolic link: firmware is of files in its folder only"
            )
        found.append(path)
    return found
