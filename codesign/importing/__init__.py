"""Models that others trained: files and modules, read into exact designs, or refused with all their obstacles."""

from codesign.importing.base import Imported, Importer, Question
from codesign.importing.import_report import ImportReport
from codesign.importing.imports import import_model

__all__ = ("ImportReport", "Imported", "Importer", "Question", "import_model")
