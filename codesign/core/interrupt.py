"""Ctrl-C (or a batch system's SIGTERM): said in one line with what is kept and how to go on; the second ends at once.

The first one raises KeyboardInterrupt, so that whatever runs ends in order. A second one ends this process and all that
it started without waiting for anything, also where the first is stuck in a library that does not come back to Python:
a thread of its own counts the signals.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

__all__ = ("INTERRUPTED", "interruptible", "keeps", "tell_when_interrupted")

#: exit code of a command that was interrupted
INTERRUPTED = 130

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DEFAULT = "what was finished before is kept, and the same command begins again"

F = TypeVar("F", bound=Callable[..., Any])


class _Words:
    """What is to be said when the command is interrupted now."""

    kept = _DEFAULT


def keeps(text: str) -> None:
    """What is kept, and how to go on, should the command be interrupted from here on."""
    _Words.kept = text


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Run the body; interrupted, it says what is kept and ends the process with exit code 130."""
    _Words.kept = _DEFAULT
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # a shell that runs a command in the background has it ignore Ctrl-C: that stays so
    heard = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    handler = _interrupt_once()  # the second is the thread's
    before = {n: signal.signal(n, handler) for n in heard}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_at_the_second, args=(reader, os.getpid()), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {_Words.kept}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, earlier in before.items():
            signal.signal(number, earlier)
        os.close(writer)


def tell_when_interrupted(command: F) -> F:
    """A command that runs as :func:`interruptible`."""

    @functools.wraps(command)
    def run(*arguments: Any, **more: Any) -> Any:
        with interruptible():
            return command(*arguments, **more)

    return run  # type: ignore[return-value]


def _interrupt_once() -> Callable[[int, object], None]:
    raised = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise KeyboardInterrupt

    return interrupt


def _end_at_the_second(reader: int, process: int) -> None:
    heard = 0
    while numbers := os.read(reader, 64):
        heard += sum(n in _SIGNALS for n in numbers)
        if heard > 1 and os.getpid() == process:
            show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
            with contextlib.suppress(OSError):
                os.write(2, f"{show_cursor}interrupted again, ended at once; {_Words.kept}\n".encode())
            _end_children(process)
            os._exit(INTERRUPTED)
    os.close(reader)


def _end_children(process: int) -> None:
    """Kill what a process started, and what that started, as far as Linux says."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                _end_children(child)
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)


# a forked child inherits the pipe: what it is told must not count as told to its parent
os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
