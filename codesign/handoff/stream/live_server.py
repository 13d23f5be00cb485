"""A stream under way, for a browser and Prometheus on this machine alone: ``/``, ``/metrics``, ``/stream.json``."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from codesign.core.errors import InputError
from codesign.handoff.stream.prometheus import CONTENT_TYPE, prometheus_text
from codesign.handoff.stream.stream_page import stream_page
from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("LiveServer",)

_HOSTS = ("localhost", "127.0.0.1")
#: nothing is loaded, nothing runs
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_ANSWERS: dict[str, tuple[str, Callable[[StreamRecord], str]]] = {
    "/": ("text/html; charset=utf-8", lambda record: stream_page(record, live=True)),
    "/metrics": (CONTENT_TYPE, prometheus_text),
    "/stream.json": ("application/json", lambda record: record.model_dump_json()),
}


class LiveServer:
    """A context manager that serves the record it was shown last.

    ``port`` 0: any that is free. InputError where it cannot be had.
    """

    def __init__(self, port: int) -> None:
        self._record: StreamRecord | None = None
        live = self

        class Handler(_Handler):
            def latest(self) -> StreamRecord | None:
                return live._record

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"--live: port {port} cannot be had ({error}); give another, or 0 for any") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def show(self, record: StreamRecord) -> None:
        """Serve this from now on."""
        self._record = record

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *stopped: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler, ABC):
    server_version, sys_version = "codesign", ""
    timeout = 10

    @abstractmethod
    def latest(self) -> StreamRecord | None:
        """The record that is served."""

    def do_GET(self) -> None:
        """Answer one request; by another name than this machine's own it is refused: a page from elsewhere that has
        its name point here must not read it."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        found, record = _ANSWERS.get(self.path), self.latest()
        if host not in _HOSTS:
            self._answer(403, "text/plain", "only as localhost\n")
        elif found is None:
            self._answer(404, "text/plain", "there are / and /metrics and /stream.json\n")
        elif record is None:
            self._answer(503, "text/plain", "the first second is not simulated yet\n")
        else:
            self._answer(200, found[0], found[1](record))

    def _answer(self, status: int, kind: str, text: str) -> None:
        content = text.encode(errors="replace")
        self.send_response(status)
        headers = {
            "Content-Type": kind, "Content-Length": str(len(content)), "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the terminal is the stream's."""
