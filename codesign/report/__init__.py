"""The report of a run: one HTML file that explains itself, its plots as PDF, and a picture of the front."""

from codesign.report.compare import write_comparison
from codesign.report.figures_folder import write_figures
from codesign.report.html import write_report
from codesign.report.picture import front_picture

__all__ = ("front_picture", "write_comparison", "write_figures", "write_report")
