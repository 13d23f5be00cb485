"""A PostgreSQL server of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.processes import PATIENCE


def binary(name):
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    return str(found[0]) if found[0] else None


class Server:
    """A server that only a Unix socket in its own folder leads to; as root, run by the user nobody."""

    def __init__(self, root):
        self.root = root
        self.user = "nobody" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(root, self.user)
        self._run("initdb", "-D", root / "data", "-U", "codesign", "-A", "trust", "--no-sync")
        self.url = f"postgresql+psycopg://codesign@/postgres?host={root}"

    def _run(self, name, *arguments):
        command = [binary(name), *map(str, arguments)]
        more = {"user": self.user, "cwd": self.root, "stdout": subprocess.DEVNULL, "timeout": 2 * PATIENCE}
        subprocess.run(command, check=True, **more)

    def start(self):
        options = f"-k {self.root} -c listen_addresses='' -c fsync=off"
        self._control("-l", self.root / "log", "-o", options, "start")

    def stop(self):
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments):
        self._run("pg_ctl", "-D", self.root / "data", "-w", "-t", int(PATIENCE), *arguments)
