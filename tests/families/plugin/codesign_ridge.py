"""A family of scikit-learn and a task, as a user's own package would bring them. In a worker there is no torch."""

import json
import multiprocessing
import os
import sys
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, Field
from sklearn.linear_model import RidgeClassifier

from codesign.core.errors import InputError
from codesign.core.reading.json import json_of
from codesign.core.records import Metric
from codesign.core.space import IntDimension
from codesign.data.sample import Sample
from codesign.families.base import Candidate, Family
from codesign.families.trained import Trained
from codesign.graph.ports import design_of_graph
from codesign.tasks.base import Problem, Task
from codesign.tasks.heads import Head, LossObjective

if multiprocessing.parent_process() is not None:
    for name in ("torch", "brevitas"):
        assert name not in sys.modules, f"{name} was imported before any family was asked"
        sys.modules[name] = None  # an import of it fails from here on

CLASSES = ("left", "middle", "right")


class Blobs(Task):
    """Three Gaussian classes, of which the first is seen three times as often as it shall count."""

    name = "blobs"

    def open(self, settings, seed, progress=None):
        return BlobsProblem(settings, seed)


class BlobsProblem(Problem):
    objective = LossObjective("cross-entropy")

    def __init__(self, chosen, seed):
        self.metrics, self.chosen, self.seed = {"accuracy": "maximise"}, chosen, seed

    @cached_property
    def sample(self):
        rng = np.random.default_rng(self.seed)
        y = rng.choice(3, self.chosen["events"], p=[0.6, 0.2, 0.2])
        x = rng.normal(size=(len(y), 4)) + 1.5 * np.eye(4)[y]
        return Sample(x.astype(np.float32), y, tuple("abcd"), ("GeV",) * 4, CLASSES)

    def heads(self, sample):
        return (Head("classes", sample.class_names, self.objective),)

    def target(self, part):
        return {"classes": part.y}

    def weights(self, part):
        return np.array([1 / 3, 1, 1])[part.y]

    def judge(self, scores, part, points):
        right = scores.argmax(axis=1) == part.y
        return {"accuracy": Metric(value=float(right.mean()), error=float(right.std() / len(right) ** 0.5))}

    def baselines(self, train, seed):
        return []

    def plots(self, scores, part, baselines, points):
        return []


class RidgeSpace(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    weight_bits: IntDimension
    input_bits: IntDimension


class RidgeConfig(Candidate):
    weight_bits: int = Field(ge=2, le=12)
    input_bits: int = Field(ge=2, le=12)

    def input_width(self):
        return self.input_bits

    def cost(self, inputs, outputs):
        return float(inputs * outputs * self.weight_bits * self.input_bits)


class Rounded(Trained):
    """A linear classifier whose coefficients are integers times a power of two."""

    def __init__(self, coefficients, step, design):
        self._coefficients, self._step = coefficients, step
        self._design = design

    @classmethod
    def of(cls, content, design=None):
        try:
            plain = json_of(content, "model.json")
            found = np.array(plain["coefficients"]), float(plain["step"])
            whole = found[0].ndim == 2 and found[0].dtype.kind == "i" and np.log2(found[1]) % 1 == 0
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"model.json: no linear classifier ({error})") from None
        if not whole or (design and found[0].shape != (design.inputs.size + 1, design.outputs.size)):
            raise InputError("model.json: coefficients of another model")
        return cls(*found, design)

    def named(self, lesson):
        self._design = design_of_graph(
            self._graph(), lesson.quantisation, lesson.subject.outputs, lesson.subject.trigger
        )
        return self

    def design(self):
        return self._design

    def _graph(self):
        values = (self._coefficients * self._step).astype(np.float32)
        (inputs, outputs), names = (len(values) - 1, values.shape[1]), ("weight", "bias")
        constants = [numpy_helper.from_array(v, n) for v, n in zip((values[:-1], values[-1]), names, strict=True)]
        nodes = [helper.make_node("MatMul", ["x", "weight"], ["sum"]), helper.make_node("Add", ["sum", "bias"], ["y"])]
        ports = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", size])
            for name, size in (("x", inputs), ("y", outputs))
        ]
        graph = helper.make_graph(nodes, "ridge", ports[:1], ports[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        return model.SerializeToString(deterministic=True)

    def references(self):
        def own(codes):
            model = RidgeClassifier()
            model.coef_, model.intercept_ = (
                (self._coefficients[:-1] * self._step).T,
                self._coefficients[-1] * self._step,
            )
            return self._design.outputs.codes(model.decision_function(self._design.inputs.values(codes)))

        return {"scikit-learn": own}

    def files(self):
        return {"model.json": written(self._coefficients, self._step)}

    def tools(self):
        return {"scikit-learn": version("scikit-learn")}


def written(coefficients, step):
    return json.dumps({"coefficients": coefficients.tolist(), "step": step}).encode()


class Ridge(Family):
    name = "ridge"
    space = RidgeSpace
    config = RidgeConfig
    tools = MappingProxyType({"sklearn": "scikit-learn"})
    files = ("model.json",)

    def suggest(self, space, choose):
        return RidgeConfig(
            weight_bits=choose("weight_bits", space.weight_bits), input_bits=choose("input_bits", space.input_bits)
        )

    def can(self, subject):
        wanted = [head.objective.name for head in subject.heads]
        return None if wanted == ["cross-entropy"] else f"it classifies, and the objective is '{', '.join(wanted)}'"

    def fit(self, candidate, lesson, budget, seed, device="cpu", progress=None):
        if "RIDGE_LOG" in os.environ:
            with Path(os.environ["RIDGE_LOG"]).open("a") as log:
                log.write(f"torch is {sys.modules.get('torch')}, weights {lesson.train.weights is not None}\n")
        (target,) = lesson.train.target.values()
        model = RidgeClassifier().fit(lesson.train.x, target, sample_weight=lesson.train.weights)
        found = np.vstack([model.coef_.T, model.intercept_])
        most = 2 ** (candidate.weight_bits - 1) - 1
        step = 2.0 ** np.ceil(np.log2(np.abs(found).max() / most))
        return {"model.json": written(np.rint(found / step).astype(int), step)}

    def pick(self, files, candidate, lesson):
        return Rounded.of(files["model.json"]).named(lesson)

    def load(self, files, candidate, design):
        return Rounded.of(files["model.json"], design)
