"""Regressors of images beside the LHC: a plasma channel from line-outs, and stopping power from proton radiographs.

``plasma``: a channel that guides a laser has the electron density n(r) = n0 + r^2 / (pi r_e w^4) within its wall, w the
matched spot (Esarey et al., Rev. Mod. Phys. 81 (2009) 1229, section V). An interferometer at 800 nm sees the phase
r_e lambda int n dl along chords (Hutchinson, Principles of Plasma Diagnostics, 4.2): 32 points, with noise and tilt.

``proton``: protons of 200 MeV cross a body of water with a ball of another stopping power in it. Their energy behind it
follows from Bethe's formula for water (Bethe, Ann. Phys. 397 (1930) 325; I = 75 eV, without corrections), blurred by
multiple scattering, with Bohr's straggling and a calorimeter's resolution. From 12 x 12 pixels the ball's relative
stopping power (RSP) and radius are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LinearRegression

from codesign import (
    BlockValues,
    Head,
    InputError,
    Layout,
    LossObjective,
    MeasuredProblem,
    Part,
    Plot,
    Sample,
    Series,
    Task,
)  # fmt: skip

ELECTRON_RADIUS, WAVELENGTH = 2.818e-15, 8e-7  # m
POINTS, PITCH, RADII = 32, 14e-6, np.arange(0.5, 24) * 14e-6  # of a line-out: number, m; shells of its inversion, m
PIXELS, SIDE, PROTONS = 12, 0.4, 25  # of a radiograph: number a side, cm, protons each
TARGETS = {"plasma": ("log_density", "matched_spot"), "proton": ("rsp", "radius")}
#: middle and half the range of each target: log(1e24 / m^3), um; 1, cm
SCALES = {"plasma": np.array([(0.0, 1.1), (42.0, 17.0)]), "proton": np.array([(1.2, 0.5), (1.3, 0.6)])}


def line_outs(rng: np.random.Generator, made: np.ndarray) -> np.ndarray:
    """Phases (events, POINTS) in rad of channels with these parameters (events, 2)."""
    events, (log_density, spot) = len(made), made.T
    wall, fall = rng.uniform(90e-6, 170e-6, events), rng.uniform(15e-6, 40e-6, events)
    off = rng.normal(0, 8e-6, events)
    places = (np.arange(POINTS) - (POINTS - 1) / 2) * PITCH
    along = np.linspace(0, 330e-6, 67)
    phases = np.empty((events, POINTS))
    for rows in np.array_split(np.arange(events), max(events // 2000, 1)):
        n0, w, edge, steep = (a[rows, None, None] for a in (1e24 * np.exp(log_density), spot * 1e-6, wall, fall))
        r = np.hypot((places - off[rows, None])[:, :, None], along)
        inner = n0 + np.minimum(r, edge) ** 2 / (np.pi * ELECTRON_RADIUS * w**4)
        density = inner * np.exp(-np.maximum(r - edge, 0) / steep)
        phases[rows] = 2 * ELECTRON_RADIUS * WAVELENGTH * density.sum(axis=2) * (along[1] - along[0])
    tilt = rng.normal(0, 0.08, (events, 2))
    return phases + tilt[:, :1] + tilt[:, 1:] * places / places.max() + rng.normal(0, 0.04, phases.shape)


@cache
def ranges() -> tuple[np.ndarray, np.ndarray]:
    """Kinetic energies in MeV and the ranges in cm of water that protons of them have, by Bethe's formula."""
    energy = np.linspace(1.0, 200.0, 2000)
    gamma = 1 + energy / 938.27
    beta2 = 1 - 1 / gamma**2
    most = 2 * 0.511 * beta2 * gamma**2  # MeV, twice, of an electron; its mass beside the proton's is left out
    stopping = 0.3071 * 0.5551 / beta2 * (np.log(most / 75e-6) - beta2)  # MeV / cm
    return energy, cumulative_trapezoid(1 / stopping, energy, initial=0.0)


def radiographs(rng: np.random.Generator, made: np.ndarray) -> np.ndarray:
    """Mean energies lost (events, PIXELS, PIXELS) in MeV, of balls of these RSP and radii in cm (events, 2)."""
    events, (rsp, radius) = len(made), made.T
    place = (np.arange(PIXELS) - (PIXELS - 1) / 2) * SIDE
    y, x = np.meshgrid(place, place, indexing="ij")

    def squared(width: float) -> np.ndarray:
        shift = rng.normal(0, width, (2, events, 1, 1))
        return np.asarray((x - shift[0]) ** 2 + (y - shift[1]) ** 2)

    thick, half = rng.uniform(12, 19, (events, 1, 1)), rng.uniform(5, 9, (events, 1, 1))
    body = thick * np.sqrt(np.maximum(1 - squared(0.5) / half**2, 0.1))
    ball = 2 * np.sqrt(np.maximum(radius[:, None, None] ** 2 - squared(0.35), 0))
    water = body + (rsp[:, None, None] - 1) * ball  # cm, the water that would stop as much
    blurred = gaussian_filter(water, (0, 0.5, 0.5), mode="nearest")
    energy, reach = ranges()
    left = np.interp(np.maximum(reach[-1] - blurred, 0.0), reach, energy)
    spread = np.hypot(1.4 * np.sqrt(0.087 * blurred), 0.015 * left)  # MeV: straggling, resolution
    return 200 - left + spread / np.sqrt(PROTONS) * rng.standard_normal(left.shape)


def generate(problem: str, events: int, seed: int) -> Sample:
    """So many line-outs, or radiographs."""
    rng = np.random.default_rng(seed)
    middle, half = SCALES[problem].T
    drawn = rng.uniform(-1, 1, (events, 2))
    images = (line_outs if problem == "plasma" else radiographs)(rng, middle + half * drawn)
    field, unit, name = ("phase", "rad", "lineout") if problem == "plasma" else ("lost", "MeV", "image")
    values = images.astype(np.float32)[..., None]
    layout = Layout(name=name, shape=values.shape[1:], fields=(field,), units=(unit,))
    return Sample(
        features=images.reshape(events, -1).mean(axis=1, keepdims=True).astype(np.float32),
        labels=np.zeros(events, dtype=np.int64),
        feature_names=("mean",),
        units=(unit,),
        class_names=(problem,),
        blocks=(BlockValues(layout, values),),
        targets=drawn.astype(np.float32),
        target_names=TARGETS[problem],
        target_units=("1", "1"),
        provenance={"origin": f"simulated: {problem}", "seed": seed},
    )


def _image(part: Part) -> np.ndarray:
    (values,) = part.blocks.values()
    return np.asarray(values[..., 0], np.float64)


class ImageProblem(MeasuredProblem):
    """Squared error of two parameters; judged by half the central 68 % of what is found less what is true, in units of
    half the parameter's range, and by the mean of both."""

    def __init__(self, problem: str, events: int, seed: int) -> None:
        self._problem, self._events, self._seed = problem, events, seed
        self._names = TARGETS[problem]
        self.metrics = dict.fromkeys(("resolution", *(f"resolution_{n}" for n in self._names)), "minimise")

    @cached_property
    def sample(self) -> Sample:
        """The images."""
        return generate(self._problem, self._events, self._seed)

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """Both parameters."""
        return (Head("parameters", self._names, LossObjective("squared")),)

    def target(self, part: Part) -> dict[str, np.ndarray]:
        """In units of half their ranges."""
        assert part.targets is not None
        return {"parameters": part.targets}

    def measure(self, scores: np.ndarray, part: Part) -> object:
        """Widths by weights."""
        errors = scores - np.asarray(part.targets, np.float64)
        order = np.argsort(errors, axis=0)

        def measured(weights: np.ndarray, points: Mapping[str, float]) -> dict[str, float]:
            found = {}
            for number, name in enumerate(self._names):
                filled = np.cumsum(weights[order[:, number]])
                low, high = np.searchsorted(filled, np.array([0.16, 0.84]) * filled[-1])
                ends = errors[order[[low, min(high, len(errors) - 1)], number], number]
                found[f"resolution_{name}"] = float(ends[1] - ends[0]) / 2
            return {"resolution": float(np.mean(list(found.values())))} | found

        return measured

    def baselines(self, train: Part, seed: int) -> Sequence[object]:
        """What is done without a network: an inversion by formulas, and a linear regression of all points."""
        return [Calibrated(name, method, train) for name, method in METHODS[self._problem].items()]

    def plots(
        self, scores: np.ndarray, part: Part, baselines: Mapping[str, np.ndarray], points: Mapping[str, float]
    ) -> list[Plot]:
        """Found against true parameters: medians with the central 68 %."""
        drawn, true = [], np.asarray(part.targets, np.float64)
        for number, name in enumerate(self._names):
            middle, half = SCALES[self._problem][number]
            edges, series = np.linspace(-1, 1, 11), []
            where = np.digitize(true[:, number], edges[1:-1])
            for label, of in {"network": scores, **dict(list(baselines.items())[:1])}.items():
                each = [np.quantile(of[where == b, number], [0.16, 0.5, 0.84]) if (where == b).any() else np.zeros(3)
                        for b in range(10)]  # fmt: skip
                low, y, high = (middle + half * np.array(each).T).tolist()
                x = (middle + half * (edges[1:] + edges[:-1]) / 2).tolist()
                series.append(Series(label=label, x=x, y=y, low=low, high=high, dashed=label != "network"))
            title, caption = name.replace("_", " "), "Medians and central 68 % of the test split."
            drawn.append(Plot(name=name, title=f"Found and true {title}", x_label=f"true {title}", series=series,
                              y_label=f"found {title}", caption=caption))  # fmt: skip
        return drawn


def abel_inversion(image: np.ndarray) -> np.ndarray:
    """Density in shells, smoothed, from the mean of both sides; a parabola within 90 um: both parameters."""
    phase = (image[:, (half := POINTS // 2) :] + image[:, half - 1 :: -1]) / 2
    ends, y = np.append(RADII - 7e-6, RADII[-1] + 7e-6), (np.arange(half) + 0.5)[:, None] * PITCH
    chords = np.sqrt(np.maximum(ends**2 - y**2, 0))
    lengths = 2 * ELECTRON_RADIUS * WAVELENGTH * 1e24 * np.diff(chords, axis=1)
    smooth = np.diff(np.eye(len(RADII)), 2, axis=0)
    inverse = np.linalg.solve(lengths.T @ lengths + 3e-4 * smooth.T @ smooth + 1e-6 * np.eye(len(RADII)), lengths.T)
    inner = RADII < 90e-6
    curve = np.linalg.pinv(np.column_stack([np.ones(inner.sum()), RADII[inner] ** 2]))
    n0, bend = curve @ (inverse @ phase.T)[inner]
    spot = (1 / (np.pi * ELECTRON_RADIUS * 1e24 * np.maximum(bend, 1e6))) ** 0.25 * 1e6
    return np.column_stack([np.log(np.maximum(n0, 0.05)), np.minimum(spot, 80)])


def ball_fit(image: np.ndarray) -> np.ndarray:
    """Water by Bethe's formula, less a paraboloid through the border: RSP and radius by the ball's height and area."""
    energy, reach = ranges()
    water = (reach[-1] - np.interp(200 - image, energy, reach)).reshape(len(image), -1)
    at = (np.arange(PIXELS) - (PIXELS - 1) / 2) * SIDE
    y, x = (a.ravel() for a in np.meshgrid(at, at, indexing="ij"))
    terms = np.column_stack([np.ones_like(x), x, y, x * x + y * y])
    border = x * x + y * y > 2.0**2
    rest = water - water[:, border] @ np.linalg.pinv(terms[border]).T @ terms.T
    core = rest[:, x * x + y * y < 0.5**2].mean(axis=1)
    area = (rest * np.sign(core)[:, None] > np.abs(core)[:, None] / 2).sum(axis=1) * SIDE**2
    radius = np.sqrt(np.maximum(area, SIDE**2) / np.pi)
    return np.column_stack([1 + core / (2 * radius), radius])


def points(image: np.ndarray) -> np.ndarray:
    """All as they are: what is calibrated of them is a linear regression."""
    return image.reshape(len(image), -1)


METHODS = {
    "plasma": {"Abel inversion and a parabola": abel_inversion, "linear regression": points},
    "proton": {"area and height of the ball": ball_fit, "linear regression": points},
}


class Calibrated:
    """A method without a network, whose answers are made right in the mean by a line of the training split."""

    def __init__(self, name: str, method: Callable[[np.ndarray], np.ndarray], train: Part) -> None:
        self.name, self._method = name, method
        self._lines = LinearRegression().fit(method(_image(train)), train.targets)

    def __call__(self, part: Part) -> np.ndarray:
        """Scores, (events, 2)."""
        return np.asarray(self._lines.predict(self._method(_image(part))), np.float64)


class BeamAndBody(Task):
    """``sample: {problem: plasma or proton, events: N}``."""

    name = "beam-and-body"

    def open(self, settings: Mapping[str, object], seed: int, progress: object = None) -> ImageProblem:
        """The images of one of both."""
        problem = str(settings.get("problem", "plasma"))
        if problem not in TARGETS or (set(settings) - {"problem", "events"}):
            raise InputError("sample: it takes events, and problem: plasma or proton")
        return ImageProblem(problem, int(str(settings.get("events", 20_000))), seed)
