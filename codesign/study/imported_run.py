"""What a run was made of: a study, or models that were imported. The second, ``import.json``, stands where the first
has ``study.yaml``."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from codesign.core.errors import InputError
from codesign.core.reading.limits import YAML_BYTES
from codesign.core.runfolder import IMPORT, RunFolder, TrialFolder
from codesign.study.definition import Constraint, FlowChoice, Goal, Study, Verification, parse_study

__all__ = (
    "IMPORTED",
    "REPORT",
    "EventsFile",
    "ImportedModel",
    "ImportedRun",
    "Origin",
    "made_of",
    "origin_of",
    "study_of",
)

#: what stands where a study names its task and its family
IMPORTED = "imported"
#: of each trial, what was done to its model on its way to the design
REPORT = "imported.json"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImportedModel(_Section):
    """One model of the run."""

    trial: int = Field(ge=0, description="its number in the run")
    name: str = Field(description="of its file, without the folder; of a module, its class")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="of its content; null of a module")


class EventsFile(_Section):
    """The events that the models were compared on, and judged where they have labels."""

    name: str = Field(description="of the file")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of its content")
    events: int = Field(gt=0, description="events in it")
    classes: tuple[str, ...] = Field(default=(), description="names of the labels; none where there are none")


class ImportedRun(_Section):
    """``import.json`` of a run that has one trial for each imported model, and no study."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100, description="of the run")
    description: str = Field(default="", description="a line for the report")
    seed: int = Field(default=1, ge=0, description="of the codes that are drawn")
    flow: FlowChoice = Field(default=FlowChoice(name="alkaid"), description="what made the firmware")
    target: str = Field(description="for which it was compiled")
    objectives: tuple[Goal, ...] = Field(min_length=1, description="the axes of its front")
    verification: Verification = Field(default=Verification(), description="on how many events each model is proven")
    models: tuple[ImportedModel, ...] = Field(min_length=1, description="a trial each")
    events: EventsFile | None = Field(default=None, description="null where none were given")

    @property
    def task(self) -> str:
        """No task: an imported model was trained for one that is not known here."""
        return IMPORTED

    @property
    def family(self) -> str:
        """No family."""
        return IMPORTED

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """None: nothing was searched."""
        return ()


Origin: TypeAlias = Study | ImportedRun


def origin_of(run: RunFolder) -> Origin:
    """What a run was made of; InputError where its record is damaged."""
    if run.has(IMPORT):
        found = run.read(IMPORT, ImportedRun)
        assert found is not None, "it is there"
        return found
    return parse_study(run.read_text("study.yaml", YAML_BYTES), str(run.path / "study.yaml"))


def made_of(origin: Origin, folder: TrialFolder) -> Origin:
    """What a trial was made of: in a study of several families that of its own."""
    if isinstance(origin, ImportedRun) or not origin.families:
        return origin
    return origin.of(folder.read_json("config.json") or {}, str(folder.path / "config.json"))


def study_of(run: RunFolder) -> Study:
    """The study of a run; InputError where it has none, as its models were imported."""
    found = origin_of(run)
    if isinstance(found, ImportedRun):
        raise InputError(f"{run.path} is of imported models: it has no study, no search and no sample")
    return found
