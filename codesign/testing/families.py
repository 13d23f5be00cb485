"""The suite that every family of networks passes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ValidationError

from codesign import export
from codesign.design import Design
from codesign.fixedpoint import InputQuantisation
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.hardware.alkaid import probe_codes
from codesign.models.base import Family
from codesign.models.network import Network
from codesign.testing.cases import untrained
from codesign.testing.drawing import Draw, Recorded, at_random, highest, lowest
from codesign.testing.nonconformity import must

__all__ = ("FamilyTests",)


class FamilyTests:
    """Derive from it, and give the fixtures ``family``, yours, and ``space``: a study's section of that name for it, of
    small networks, with ranges of bits. The rest has defaults.

    Attributes
    ----------
    inputs, outputs: of the networks that are built.
    reproduces: whether its networks learn to reproduce their inputs, whatever their outputs are.
    counts_before: whether :meth:`Family.ebops` knows before training what a network costs; a family that learns its
        bits may say 0.
    """

    inputs: ClassVar[int] = 6
    outputs: ClassVar[int] = 3
    reproduces: ClassVar[bool] = False
    counts_before: ClassVar[bool] = True

    def test_suggest_draws_valid_configurations(self, family: Family, space: Mapping[str, Any]) -> None:
        """The smallest, the largest and any other candidate is a valid configuration, which reads back as it is."""
        for draw in (lowest, highest, *map(at_random, range(20))):
            config, _ = self._drawn(family, space, draw)
            must(isinstance(config, family.config), f"{family.name}: draws a {type(config).__name__}, not its config")
            try:
                again = family.config.model_validate(config.model_dump(mode="json"))
            except ValidationError as error:
                words = " ".join(str(error).split())
                raise AssertionError(f"{family.name}: draws a configuration that is not valid: {words}") from error
            must(again == config, f"{family.name}: a configuration that is written and read is another: {again!r}")

    def test_suggest_is_decided_by_what_is_drawn(self, family: Family, space: Mapping[str, Any]) -> None:
        """The same values give the same candidate, in the same order of the same names."""
        for seed in range(5):
            (one, drawn), (other, again) = (self._drawn(family, space, at_random(seed)) for _ in range(2))
            must(list(drawn.items()) == list(again.items()), f"{family.name}: asks for other dimensions later")
            must(one == other, f"{family.name}: the same values drawn gave {one!r} and {other!r}")

    def test_parameter_finds_what_was_drawn(self, family: Family, space: Mapping[str, Any]) -> None:
        """A configuration that a study wants tried first becomes the values that give it (``search.seeds``)."""
        for draw in (lowest, highest, *map(at_random, range(20))):
            config, drawn = self._drawn(family, space, draw)
            written = json.loads(config.model_dump_json())
            for name, value in drawn.items():
                try:
                    found = family.parameter(written, name)
                except (KeyError, IndexError) as error:
                    raise AssertionError(f"{family.name}: cannot tell what '{name}' was in {written}") from error
                must(found == value, f"{family.name}: '{name}' was drawn as {value!r}, and its candidate has {found!r}")

    def test_networks_are_exact(self, family: Family, space: Mapping[str, Any]) -> None:
        """Calibrated, folded and exported: Brevitas, QONNX and exact arithmetic give the same integers."""
        for draw in (lowest, highest):
            config, _ = self._drawn(family, space, draw)
            network, design = untrained(family, config, self.outputs, self.inputs)
            self._exact(family, network, design)
            learned = network.ebops() is not None
            widths = {t.width for t in design.inputs.types}
            bits = family.input_bits(config)
            must(learned or widths == {bits}, f"{family.name}: says {bits} bits of input, and has {sorted(widths)}")

    def test_networks_are_trained(self, family: Family, space: Mapping[str, Any]) -> None:
        """A few steps of training give the same network for the same seed, and leave it folded and exact."""
        from codesign.training import train

        config, _ = self._drawn(family, space, highest)
        x, quantisation = self._events(family, config)
        wanted = x if self.reproduces else x[:, : self.outputs]
        trained = []
        for _ in range(2):
            torch.manual_seed(3)
            network = family.build(config, self.inputs, self.outputs)
            how = {"epochs": 2, "batch": 64, "learning_rate": 0.02, "sparsity": family.sparsity(config), "seed": 3}
            train(network, x, wanted.astype(np.float32), torch.nn.functional.mse_loss, **how)  # type: ignore[arg-type]
            trained.append(network)
        must(_same(*(n.state_dict() for n in trained)), f"{family.name}: the same seed trains two networks")
        network = trained[0]
        names = tuple(f"y{i}" for i in range(self.outputs))
        self._exact(family, network, export.export(network, network.input_quantisation(quantisation), names))

    def test_fewer_bits_cost_less(self, family: Family, space: Mapping[str, Any]) -> None:
        """Effective bit operations are positive and fall with the bits of a candidate that is otherwise the same."""
        for seed in range(5):
            few, many = (self._ebops(family, self._bits(family, space, end, seed)) for end in (lowest, highest))
            for value in (few, many):
                good = np.isfinite(value) and (value > 0 or (value == 0 and not self.counts_before))
                must(bool(good), f"{family.name}: expects {value} effective bit operations")
            must(not self.counts_before or few < many, f"{family.name}: with fewer bits {few:g}, with more {many:g}")

    def test_candidates_of_one_training_are_picked_from_it(self, family: Family, space: Mapping[str, Any]) -> None:
        """``shared`` is the same for all that share, ``front`` gives plain files, ``pick`` a folded, exact network."""
        config, _ = self._drawn(family, space, highest)
        shared = family.shared(config)
        if shared is None:
            return
        must(isinstance(shared, family.config), f"{family.name}: what is shared is no configuration of the family")
        must(family.shared(shared) == shared, f"{family.name}: what is shared by what is shared is another")
        x, quantisation = self._events(family, config)
        y = np.abs(x[:, : self.outputs]).argmax(axis=1)
        files = family.front(
            shared, (x[:150], x[150:]), (y[:150], y[150:]), torch.nn.functional.cross_entropy,
            outputs=self.outputs, epochs=4, batch=50, learning_rate=0.02, seed=2,
        )  # fmt: skip
        plain = all(isinstance(name, str) and isinstance(content, bytes) for name, content in files.items())
        must(plain and bool(files), f"{family.name}: a front is files, names with bytes")
        network = family.pick(config, files, self.inputs, self.outputs)
        design = export.export(
            network, network.input_quantisation(quantisation), tuple(f"y{i}" for i in range(self.outputs))
        )
        self._exact(family, network, design)

    # -------------------------------------------------------------------------------------------------------- how
    @staticmethod
    def _drawn(family: Family, space: Mapping[str, Any], draw: Draw) -> tuple[BaseModel, dict[str, Any]]:
        choose = Recorded(draw, family.name)
        config = family.suggest(family.space.model_validate(dict(space)), choose)
        return config, choose.drawn

    def _bits(self, family: Family, space: Mapping[str, Any], end: Draw, seed: int) -> BaseModel:
        """A candidate with all bits at one end, and all else as the seed has it."""
        found = family.space.model_validate(dict(space))
        _, rest = self._drawn(family, space, at_random(seed))

        def choose(name: str, dimension: Any) -> Any:
            return end(dimension) if "bits" in name else rest.get(name, lowest(dimension))

        return family.suggest(found, choose)

    def _ebops(self, family: Family, config: BaseModel) -> float:
        return family.ebops(config, self.inputs, self.outputs)

    def _events(self, family: Family, config: BaseModel) -> tuple[np.ndarray[Any, Any], InputQuantisation]:
        x = np.random.default_rng(4).normal(size=(200, self.inputs))
        names = tuple(f"x{i}" for i in range(self.inputs))
        quantisation = InputQuantisation.fit(x, names, ("1",) * self.inputs, family.input_bits(config))
        return quantisation.port.values(quantisation.codes(x)), quantisation

    def _exact(self, family: Family, network: Network, design: Design) -> None:
        must(network.folded, f"{family.name}: a network that was folded does not say so")
        must(design.outputs.size == self.outputs, f"{family.name}: has {design.outputs.size} outputs, not those asked")
        codes = probe_codes(design.inputs, 200)
        truth = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
        for tool, found in (
            ("Brevitas", export.brevitas_codes(network, design, codes)),
            ("QONNX", export.qonnx_codes(design, codes)),
        ):
            wrong = int((found != truth).any(axis=1).sum())
            must(wrong == 0, f"{family.name}: {tool} differs from exact arithmetic on {wrong} of {len(codes)} events")
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.fold()
        must(_same(before, network.state_dict()), f"{family.name}: folded a second time it is another network")


def _same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
