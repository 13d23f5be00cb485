"""What a place in CMSSW expects of an emulator, as data: types, names, units, and the commit that was read for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.printing import visible
from codesign.core.reading.yaml import read_yaml
from codesign.core.validation import validate
from codesign.handoff.cmssw.arbitrary_precision import NumberText, PrecisionNumber

__all__ = ("InputField", "InputGroup", "Profile", "ProfileInput", "ResultPart", "load_profile", "shipped_profiles")

_FOLDER = Path(__file__).resolve().parent / "profiles"
_MOST_ELEMENTS = 1 << 14
_LONGEST = 100
#: C++17, 5.11, with the alternative spellings
_CXX_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
    const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false
    float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
    while xor xor_eq std
"""
_CXX_KEYWORDS = frozenset(_CXX_WORDS.split())


def _identifier(text: str) -> str:
    """A name that C++, a Makefile and a file system take as it is, and that nobody reserves."""
    if (
        not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text)
        or "__" in text
        or len(text) > _LONGEST
        or text in _CXX_KEYWORDS
    ):
        raise ValueError(f"'{text[:_LONGEST]}' is no name in C++: letters, digits and single underscores, no keyword")
    return text


def _qualified(text: str) -> str:
    for part in text.split("::"):
        _identifier(part)
    return text


def _versioned(text: str) -> str:
    _identifier(text.replace("{version}", "v0"))
    return text


CxxName = Annotated[str, AfterValidator(_identifier)]
#: with ``{version}`` where the version stands
VersionedName = Annotated[str, AfterValidator(_versioned)]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Followed(_Described):
    """A public file whose types and casts the profile takes."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=_LONGEST, description="owner/name on GitHub"
    )
    commit: str = Field(pattern=r"^[0-9a-f]{7,40}$", description="at which it was read")
    file: str = Field(pattern=r"^[A-Za-z0-9_./-]+$", max_length=300, description="path in the repository")
    lines: str = Field(default="", pattern=r"^[0-9, -]*$", max_length=_LONGEST, description="those of its casts")


class InputField(_Described):
    """One number of an item: ``feature = value * factor``, the value brought into half of ``wrap`` about 0 before."""

    name: CxxName = Field(description="of the number")
    factor: float = Field(default=1.0, gt=0, description="of the trial's input for a value of 1")
    unit: str | None = Field(default=None, max_length=_LONGEST, description="that the trial's input must have")
    wrap: int | None = Field(default=None, gt=0, description="values of a full turn, such as 144")
    type: NumberText | None = Field(default=None, description="in a struct: its own type")


class InputGroup(_Described):
    """So many items, one after another, each of these fields."""

    count: int = Field(gt=0, le=_MOST_ELEMENTS, description="items")
    fields: tuple[InputField, ...] = Field(
        min_length=1, max_length=_MOST_ELEMENTS, description="of each item, in their order"
    )


class ProfileInput(_Described):
    """What ``prepare_input`` is given a pointer to: the first of numbers of one type, or of structs of fields."""

    type: NumberText | None = Field(default=None, description="of each number, such as ap_fixed<16,6>; null of structs")
    struct: Annotated[str, AfterValidator(_qualified)] | None = Field(
        default=None, max_length=_LONGEST, description="name of the struct; null of plain numbers"
    )
    groups: tuple[InputGroup, ...] = Field(min_length=1, max_length=100, description="of items, one after another")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        own = [field.type is not None for group in self.groups for field in group.fields]
        if self.struct is None and (self.type is None or any(own)):
            raise ValueError("numbers have one type, that of the input; only members of a struct have their own")
        if self.struct is not None and (self.type is not None or not all(own) or len(self.groups) > 1):
            raise ValueError("a struct is one group, each of whose fields has a type, and the input none")
        names = [field.name for field in self.groups[0].fields]
        if self.struct is not None and len(set(names)) < len(names):
            raise ValueError("two members of a struct have one name")
        if self.size > _MOST_ELEMENTS:
            raise ValueError(f"{self.size} numbers: at most {_MOST_ELEMENTS}")
        return self

    @property
    def size(self) -> int:
        """Numbers of an event."""
        return sum(group.count * len(group.fields) for group in self.groups)

    @property
    def elements(self) -> tuple[tuple[InputField, PrecisionNumber], ...]:
        """Field and type of each number, in their order."""
        return tuple(
            (field, PrecisionNumber.of(field.type or self.type or ""))
            for group in self.groups
            for _ in range(group.count)
            for field in group.fields
        )

    @property
    def cxx(self) -> str:
        """The C++ type that the pointer points to."""
        return self.struct or self.type or ""


class ResultPart(_Described):
    """One number or array of what ``read_result`` fills, and the trial's outputs that it takes, by their places."""

    type: NumberText = Field(description="such as ap_fixed<16,6>")
    count: int | None = Field(default=None, gt=0, le=_MOST_ELEMENTS, description="of a std::array; null: one number")
    outputs: tuple[Annotated[int, Field(ge=0, lt=_MOST_ELEMENTS)], ...] = Field(
        min_length=1, description="places of the trial's outputs that it takes"
    )
    holds: Literal["value", "code"] = Field(
        default="value", description="the output's value, or its integer code as the number's own integer"
    )
    absent: Literal["refuse", "zero"] = Field(
        default="refuse", description="what becomes of it where the trial has none of these outputs"
    )

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.outputs) != (self.count or 1):
            raise ValueError(f"{self.count or 1} numbers, and {len(self.outputs)} outputs")
        return self

    @property
    def cxx(self) -> str:
        """Its C++ type."""
        return self.type if self.count is None else f"std::array<{self.type}, {self.count}>"


class Profile(_Described):
    """How a design becomes ``<model>_<version>.so``, and what its ``prepare_input`` and ``read_result`` are given."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", max_length=_LONGEST, description="by which --profile knows it"
    )
    description: str = Field(default="", max_length=1000, description="whose interface it is")
    follows: tuple[Followed, ...] = Field(
        min_length=1, max_length=20, description="public files that it was written from"
    )
    package: CxxName = Field(description="of its repository; the folder is <package>_<version>")
    model: CxxName = Field(description="the library is <model>_<version>.so")
    version: CxxName = Field(max_length=40, description="in the names of library, folder and class")
    emulator: VersionedName = Field(description="name of the class")
    namespace: VersionedName = Field(description="of the class, with {version}")
    input: ProfileInput = Field(description="what prepare_input is given")
    result: tuple[ResultPart, ...] = Field(min_length=1, max_length=2, description="one, or the two of a std::pair")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if "{version}" not in self.namespace:
            raise ValueError("the namespace holds {version}: two versions in one process must not be one namespace")
        for text in (self.library, self.folder, self.class_name, self.space):
            _identifier(text)
        return self

    @property
    def library(self) -> str:
        """Name of the library, without its suffix."""
        return f"{self.model}_{self.version}"

    @property
    def folder(self) -> str:
        """Name of the folder of its sources."""
        return f"{self.package}_{self.version}"

    @property
    def class_name(self) -> str:
        """Name of the class."""
        return self.emulator.replace("{version}", self.version)

    @property
    def space(self) -> str:
        """Its namespace."""
        return self.namespace.replace("{version}", self.version)

    @property
    def result_cxx(self) -> str:
        """The C++ type that ``read_result`` is given a pointer to."""
        parts = [part.cxx for part in self.result]
        return parts[0] if len(parts) == 1 else f"std::pair<{', '.join(parts)}>"


def shipped_profiles() -> list[str]:
    """Names of the profiles that come along."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_profile(name: str, version: str | None = None) -> Profile:
    """A profile by the name under which it comes along, or a YAML file; ``version`` in place of its own.

    InputError where there is none, or one that says what cannot be.
    """
    path = _FOLDER / f"{name}.yaml" if name in shipped_profiles() else Path(name)
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        known = shipped_profiles()
        raise InputError(
            f"no profile '{visible(name)}'{nearest(name, known)}; there are {', '.join(known)}, or give a .yaml file"
        )
    data: Any = read_yaml(path)
    if version is not None and isinstance(data, dict):
        data = data | {"version": version}
    return validate(Profile, data, str(path))
