"""The search as it runs, in optuna-dashboard, on this machine only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from codesign.core.errors import InputError
from codesign.core.records import SearchName
from codesign.core.runfolder import RunFolder
from codesign.search.storage import open_storage
from codesign.study.imported_run import study_of

__all__ = ("HOST", "serve")

HOST = "127.0.0.1"
#: how long a request that is being answered may take once the dashboard was interrupted
_SECONDS_TO_END = 5.0


def serve(run: RunFolder, port: int, url: str | None, ready: Callable[[str], None]) -> None:
    """Serve the run's search until interrupted; ``ready`` is told the address once it answers there.

    Port 0 is one that is free. InputError: the extra or the search is absent, or the port is taken.
    """
    try:
        import optuna_dashboard
    except ImportError:
        raise InputError("optuna-dashboard is not installed: pip install 'codesign[dashboard]'") from None
    study_of(run)
    if run.read("search.json", SearchName) is None:
        raise InputError(f"{run.path} has no search yet: start 'codesign run' first")
    _answer(optuna_dashboard.wsgi(open_storage(run, url)), port, ready)


class _Silent(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _answer(application: Any, port: int, ready: Callable[[str], None]) -> None:
    """Answer in a thread of its own: wsgiref takes an interrupt that comes within a request for an error of it."""
    try:
        server = make_server(HOST, port, application, handler_class=_Silent)
    except OSError as error:
        raise InputError(f"cannot serve on {HOST}:{port} ({error.strerror}): give another --port") from None
    answering = threading.Thread(target=server.serve_forever, daemon=True)
    answering.start()
    try:
        ready(f"http://{HOST}:{server.server_port}/")
        answering.join()
    finally:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for the request without a limit
        answering.join(_SECONDS_TO_END)
        server.server_close()
