"""What was found of a bundle: one statement for each thing it says, and what came of computing it again."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

__all__ = ("CheckReport", "Finding", "Statement", "checked", "not_checked", "wrong")


class Finding(StrEnum):
    """What came of a statement."""

    CHECKED = "checked"  # computed again here, or compared, and equal
    SIGNED = "signed"  # not computed again: the word of who holds the key
    NOT_CHECKED = "not checked"
    WRONG = "wrong"


class Statement(BaseModel):
    """One thing that a bundle says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    outcome: Finding
    events: int | None = Field(default=None, ge=0, description="events compared, where events were")
    detail: str = ""


def checked(name: str, detail: str, events: int | None = None) -> Statement:
    """A statement that holds."""
    return Statement(name=name, outcome=Finding.CHECKED, detail=detail, events=events)


def not_checked(name: str, detail: str) -> Statement:
    """A statement of which nothing is known here, and why."""
    return Statement(name=name, outcome=Finding.NOT_CHECKED, detail=detail)


def wrong(name: str, detail: str) -> Statement:
    """A statement that does not hold, and where."""
    return Statement(name=name, outcome=Finding.WRONG, detail=detail)


class CheckReport(BaseModel):
    """Everything that a bundle says, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signer: str | None = Field(description="who signed it, where a key was given")
    statements: tuple[Statement, ...]

    @property
    def wrong(self) -> tuple[Statement, ...]:
        """What is not as the bundle says."""
        return tuple(s for s in self.statements if s.outcome is Finding.WRONG)

    def of(self, name: str) -> Statement:
        """The statement of this name; KeyError where there is none."""
        for statement in self.statements:
            if statement.name == name:
                return statement
        raise KeyError(name)

    def summary(self) -> str:
        """How many statements came to what, in words."""
        counts = [(outcome, sum(s.outcome is outcome for s in self.statements)) for outcome in Finding]
        return ", ".join(f"{count} {outcome.value}" for outcome, count in counts if count or outcome is Finding.WRONG)
