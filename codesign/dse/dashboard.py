"""The search as it runs, in optuna-dashboard, on this machine only."""

from __future__ import annotations

from codesign.dse.storage import open_storage
from codesign.errors import InputError
from codesign.imported_run import study_of
from codesign.records import SearchName
from codesign.runfolder import RunFolder

__all__ = ("HOST", "serve")

HOST = "127.0.0.1"


def serve(run: RunFolder, port: int, url: str | None = None) -> None:
    """Serve the run's search until interrupted; InputError: the extra or the search is absent, or the port is taken."""
    try:
        import optuna_dashboard
    except ImportError:
        raise InputError("optuna-dashboard is not installed: pip install 'codesign[dashboard]'") from None
    study_of(run)
    if run.read("search.json", SearchName) is None:
        raise InputError(f"{run.path} has no search yet: start 'codesign run' first")
    try:
        optuna_dashboard.run_server(open_storage(run, url), host=HOST, port=port)
    except OSError as error:
        raise InputError(f"cannot serve on {HOST}:{port} ({error.strerror}): give another --port") from None
