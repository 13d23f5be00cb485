"""Rungs of measurement: what of a search is synthesised and placed, and the front at each of these fidelities.

The compiler's cost is an estimate. A candidate that it puts behind another by less than its error may be before it on
the chip. So after a search with ``search.ladder.measured`` more than its front climbs: at the rung ``synthesised``
(Yosys) all candidates are measured that none surely dominates at fidelity ``compiled``, at ``placed`` (nextpnr, on the
study's own target) all that none surely dominates one rung below.

"Surely" is that of :mod:`codesign.search.ladder`: better by one standard deviation of the difference in all that is
uncertain, not worse in the rest. A metric has its own error. A figure below the last rung has the error that the run's
own measurements of its family show (:mod:`codesign.search.predictors`), and until there are enough of them the
calibrated band of :mod:`codesign.flows.expected` for its compiled value, as a share of it; of a synthesised figure,
which lies between what was calibrated, this is an upper bound. A figure that nobody calibrated, and one of the last
rung, has no error. Where all families have been learned, their figures are compared as they are predicted: a LUT of one
family's compiler is not that of another's.

At each rung a front is made of what was measured there, by value; it never mixes fidelities: each objective is of one
fidelity for all (:func:`compare`). A design that cannot be synthesised, placed or routed loses its place on that front
only, with the reason, and holds nobody back: what it dominated is measured instead. One that is placed and misses the
target's clock is on no front of placed figures, because its latency in ns does not hold there.

Types: :class:`~codesign.core.records.FidelityFront` is the record of one rung, in ``front.json``; a
:class:`~codesign.search.messages.Measure` is one measurement still to be made; a
:class:`~codesign.search.ladder.Rung` holds a candidate's objectives at one fidelity. What was measured lies in the
trial's ``figures.json``, so that a search that was killed measures nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt

from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, Figure, find
from codesign.core.records import FidelityFront, Figures, LearnedFigure, Metrics, Objective
from codesign.core.runfolder import RunFolder
from codesign.core.targets import Target
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score, score
from codesign.pipeline.stages import MEASUREMENTS
from codesign.search import messages
from codesign.search.ladder import Rung, surely_dominated
from codesign.search.predictors import Predictors, learn
from codesign.study.definition import Study

__all__ = ("Climb", "at_fidelity", "compare", "standing")

#: what is measured at each rung, of all that a search compiles
_MEASURED = ("lut", "ff", "carry", "dsp", "bram")


def at_fidelity(study: Study, fidelity: Fidelity) -> Study:
    """The study with the objectives that a rung compares: compiled figures as they are measured there, if they are."""
    known = _MEASURED if fidelity in MEASUREMENTS else ()
    objectives = tuple(
        o.model_copy(update={"fidelity": fidelity}) if o.fidelity is Fidelity.COMPILED and o.name in known else o
        for o in study.objectives
    )
    return study.model_copy(update={"objectives": objectives})


def compare(study: Study) -> list[Objective]:
    """The objectives of a study, as the records name them."""
    return [Objective(name=o.name, direction=o.direction, fidelity=o.fidelity) for o in study.objectives]


def standing(
    study: Study, metrics: Metrics, figures: Figures, learned: Mapping[str, LearnedFigure] | None = None
) -> Rung:
    """A trained candidate's objectives with their errors; CodesignError where one is missing.

    Of a figure the value and the error are those that were ``learned`` of its quantity, else as they stand, with the
    calibrated error.
    """
    found = score(0, study, metrics.metrics, figures.figures).values
    values, errors = [], []
    for objective, value in zip(study.objectives, found, strict=True):
        own = (learned or {}).get(objective.name) if objective.fidelity is not None else None
        values.append(value if own is None else value * own.factor)
        if objective.fidelity is None:
            errors.append(metrics.metrics[objective.name].error)
        else:
            errors.append(values[-1] * (_band(figures.figures, objective.name) if own is None else own.error))
    return Rung(tuple(values), tuple(errors))


def _band(figures: list[Figure], quantity: str) -> float:
    """Half-width of the calibrated band of a compiled figure, as a share of it; 0 where there is none."""
    figure = find(figures, quantity, Fidelity.COMPILED)
    if figure is None or figure.expected is None or figure.expected.low <= 0:
        return 0.0
    return sqrt(figure.expected.high / figure.expected.low) - 1


class Climb:
    """How far the candidates of a search have climbed: what is still to be measured, and the fronts of what was.

    ``trials`` gives the trials that are complete now; ``failed`` holds, by trial and fidelity, what could not be
    measured and why, and may be added to.
    """

    def __init__(self, run: RunFolder, study: Study, target: Target, trials: Callable[[], Iterable[int]]) -> None:
        self._run, self._study, self._target, self._trials = run, study, target, trials
        ladder = study.search.ladder
        self._rungs = tuple(Fidelity(f) for f in ladder.measured) if ladder else ()
        self.failed: dict[tuple[int, Fidelity], str] = {}
        self._known: dict[int, tuple[Metrics, Figures]] = {}
        self._families: dict[int, str] = {}

    def forget(self, trial: int) -> None:
        """Its figures may have changed: they are read again."""
        self._known.pop(trial, None)

    def open(self) -> list[messages.Measure]:
        """Measurements that the lowest unfinished rung still lacks."""
        return self._climb()[1]

    def fronts(self) -> list[FidelityFront]:
        """The search's own front and that of each rung; none of a study without such rungs."""
        return self._climb()[0]

    def _climb(self) -> tuple[list[FidelityFront], list[messages.Measure]]:
        if not self._rungs:
            return [], []
        entered = sorted(self._trials())
        fronts = [self._front(Fidelity.COMPILED, self._study, entered)]
        below = self._study
        for fidelity in self._rungs:
            study = at_fidelity(self._study, fidelity)
            failed = {t: self.failed[t, fidelity] for t in entered if (t, fidelity) in self.failed}
            learned = self._learn(below, fidelity, entered)
            dominated = self._dominates(below, [t for t in entered if t not in failed], learned)
            climbing = [t for t in entered if t not in failed and t not in dominated]
            measured = [s.trial for s in self._scores(study, climbing)]
            fronts.append(self._front(fidelity, study, measured, dominated, failed, list(learned.values())))
            if missing := [t for t in climbing if t not in measured]:
                return fronts, [messages.Measure(t, fidelity) for t in missing]
            entered, below = measured, study
        return fronts, []

    def _learn(self, below: Study, fidelity: Fidelity, trials: list[int]) -> Predictors:
        """What the run's own measurements say of the step to this fidelity; none until every family has enough."""
        names = [o.name for o in below.objectives if o.fidelity is not None and o.name in _MEASURED]
        lower = next((o.fidelity for o in below.objectives if o.name in names), None)
        if lower is None or lower is fidelity:
            return {}
        found = learn(((self._family(t), self._records(t)[1].figures) for t in trials), names, lower, fidelity)
        wanted = {(self._family(t), name) for t in trials for name in names}
        return found if found.keys() == wanted else {}

    def _family(self, trial: int) -> str:
        if trial not in self._families:
            folder = self._run.trial(trial)
            source = str(folder.path / "config.json")
            several = bool(self._study.families)
            config = (folder.read_json("config.json") or {}) if several else {}
            self._families[trial] = self._study.of(config, source).family
        return self._families[trial]

    def _dominates(self, study: Study, trials: list[int], learned: Predictors) -> dict[int, int]:
        """Of these trials, those that another one surely dominates, and the first that does."""
        directions = [o.direction for o in study.objectives]
        own = [{q: figure for (f, q), figure in learned.items() if f == self._family(t)} for t in trials]
        rungs = [standing(study, *self._records(t), known) for t, known in zip(trials, own, strict=True)]
        by = (row for block in surely_dominated(rungs, directions) for row in block)
        return {trial: trials[int(row.argmax())] for trial, row in zip(trials, by, strict=True) if row.any()}

    def _front(
        self,
        fidelity: Fidelity,
        study: Study,
        measured: list[int],
        dominated: dict[int, int] | None = None,
        failed: dict[int, str] | None = None,
        learned: list[LearnedFigure] | None = None,
    ) -> FidelityFront:
        missed = self._miss(measured) if fidelity is Fidelity.PLACED else {}
        scores = self._scores(study, [t for t in measured if t not in missed])
        return FidelityFront(
            fidelity=fidelity,
            objectives=compare(study),
            measured=measured,
            trials=[s.trial for s in pareto(scores, [o.direction for o in study.objectives])],
            dominated=dominated or {},
            failed=failed or {},
            missed=missed,
            learned=learned or [],
        )

    def _miss(self, trials: list[int]) -> dict[int, float]:
        """Of placed trials, those that do not reach the target's clock, and what they reach in MHz."""
        reached = {t: find(self._records(t)[1].figures, "fmax", Fidelity.PLACED) for t in trials}
        return {t: f.value for t, f in reached.items() if f is not None and f.value < self._target.clock_mhz}

    def _scores(self, study: Study, trials: list[int]) -> list[Score]:
        """Scores of the trials that have all the figures which the study compares."""
        found = []
        for trial in trials:
            metrics, figures = self._records(trial)
            try:
                found.append(score(trial, study, metrics.metrics, figures.figures))
            except CodesignError:
                continue  # not measured there: no stand-in
        return found

    def _records(self, trial: int) -> tuple[Metrics, Figures]:
        """Read once until :meth:`forget`: every message of a worker asks for those of all trials."""
        if trial not in self._known:
            folder = self._run.trial(trial)
            metrics, figures = folder.read("metrics.json", Metrics), folder.read("figures.json", Figures)
            assert metrics is not None, "only complete trials climb"
            assert figures is not None
            self._known[trial] = metrics, figures
        return self._known[trial]
