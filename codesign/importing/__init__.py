"""Models that others trained: files and modules, read into exact designs, or refused with all their obstacles."""

from codesign.importing.base import Imported, Importer, Question
from codesign.importing.import_model import import_model
from codesign.importing.import_report import ImportReport

__all__ = ("ImportReport", "Imported", "Importer", "Question", "import_model")
