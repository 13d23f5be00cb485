"""The suite that every importer passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from codesign.core.errors import CodesignError
from codesign.core.quoting import relative_path
from codesign.importing.base import Imported, Importer, Question
from codesign.importing.declared import DeclaredInputs
from codesign.importing.source_agreement import compare, exact_codes
from codesign.testing.nonconformity import Nonconformity, must

__all__ = ("ImporterTests",)

#: files that are of no kind of model
_NOTHING = {"empty": b"", "text": b"no model", "zeros": bytes(4096), "noise": np.random.default_rng(0).bytes(4096)}
_DAMAGED = 25


class ImporterTests:
    """Derive from it, and give two fixtures: ``importer``, and ``sample``, a small file that it takes.

    Attributes
    ----------
    inputs: the types of the file's inputs, where it does not say them.
    seconds: that one reading may take.
    """

    inputs: DeclaredInputs | None = None
    seconds: float = 60.0

    def _read(self, importer: Importer, path: Path) -> Imported:
        return importer.read(path, Question(self.inputs, seconds=self.seconds))

    def test_it_tells_its_files_by_their_content(self, importer: Importer, sample: Path, tmp_path: Path) -> None:
        """Under any name, and no other."""
        renamed = tmp_path / "renamed.bin"
        renamed.write_bytes(sample.read_bytes())
        must(importer.takes(renamed), f"{importer.name} does not take its file under another name")
        for name, content in _NOTHING.items():
            (tmp_path / name).write_bytes(content)
            must(not importer.takes(tmp_path / name), f"{importer.name} takes a file of {name}")
        must(not importer.takes(tmp_path), f"{importer.name} takes a folder that holds no model of its kind")
        must(not importer.takes(tmp_path / "nothing"), f"{importer.name} takes a file that is not there")

    def test_the_design_is_the_source(self, importer: Importer, sample: Path) -> None:
        """Row by row, on codes at the edges and random ones; the same file gives the same design."""
        imported = self._read(importer, sample)
        report = compare(imported, drawn=300).imported.report
        must(bool(report.agreement), f"{importer.name} has nothing that runs the source here")
        for agreement in report.agreement:
            must(agreement.whole, f"{agreement.runner}: {agreement.equal} of {agreement.tried} rows are equal")
        design = imported.design()
        low, high = design.inputs.bounds
        exact_codes(design, np.stack([low, high]))
        must(self._read(importer, sample).design().hash == design.hash, "the same file gave another design")

    def test_the_report_says_what_was_read(self, importer: Importer, sample: Path) -> None:
        """Layers, types, and the file itself, under plain names."""
        imported = self._read(importer, sample)
        must(bool(imported.report.layers), "the report names no layer")
        must(bool(imported.report.inputs and imported.report.outputs), "the report names no types at the boundary")
        files: Mapping[str, bytes] = imported.files()
        must(sample.read_bytes() in files.values(), "files() does not hold the source as it was given")
        for name in files:
            relative_path(name)
        must(bool(imported.tools()), "tools() names nothing that had a part in it")

    def test_damage_is_one_line(self, importer: Importer, sample: Path, tmp_path: Path) -> None:
        """A file that was cut or changed is read as the model that it now is, or refused in one line."""
        whole, rng = sample.read_bytes(), np.random.default_rng(1)
        for number in range(_DAMAGED):
            content = bytearray(whole[: int(rng.integers(1, len(whole)))] if number % 2 else whole)
            for place in rng.integers(0, len(content), 3):
                content[place] = int(rng.integers(0, 256))
            path = tmp_path / f"damaged-{number}"
            path.write_bytes(bytes(content))
            if not importer.takes(path):
                continue
            try:
                self._read(importer, path)
            except CodesignError as error:
                must("\n" not in str(error), f"{importer.name} says of a damaged file more than one line: {error}")
            except Exception as error:
                raise Nonconformity(
                    f"{importer.name} ends with {type(error).__name__} on a damaged file: {error}"
                ) from error
