"""The shipped importer of ONNX files keeps its contract, and one that lies is caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import InputError
from codesign.importing.base import Imported, Importer, Question, Source
from codesign.importing.onnx_file import OnnxFile
from codesign.testing import ImporterTests, Nonconformity
from tests.importing.small import mlp, saved


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return saved(mlp(), tmp_path / "sample.onnx")


class TestOnnx(ImporterTests):
    @pytest.fixture
    def importer(self) -> Importer:
        return OnnxFile()


class _Anything(OnnxFile):
    def takes(self, source: Source) -> bool:
        return True


class _Crash(OnnxFile):
    def read(self, source: Source, question: Question) -> Imported:
        try:
            return super().read(source, question)
        except InputError as error:
            raise KeyError("damaged") from error


class _Forgets(OnnxFile):
    def read(self, source: Source, question: Question) -> Imported:
        return replace(super().read(source, question), source_files={"../evil": b""})


class _Alone(OnnxFile):
    def read(self, source: Source, question: Question) -> Imported:
        return replace(super().read(source, question), runners={})


def test_liars_are_caught(sample: Path, tmp_path: Path) -> None:
    suite, folder = ImporterTests(), tmp_path / "scratch"
    folder.mkdir()
    with pytest.raises(Nonconformity, match="takes a file of empty"):
        suite.test_it_tells_its_files_by_their_content(_Anything(), sample, folder)
    with pytest.raises(Nonconformity, match="ends with KeyError"):
        suite.test_damage_is_one_line(_Crash(), sample, folder)
    with pytest.raises(Nonconformity, match="as it was given"):
        suite.test_the_report_says_what_was_read(_Forgets(), sample)
    with pytest.raises(Nonconformity, match="nothing that runs the source"):
        suite.test_the_design_is_the_source(_Alone(), sample)
