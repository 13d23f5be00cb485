"""A published design, rebuilt from its authors' checkpoint: alkaid's cost and Yosys' LUTs beside what they published.

``python -m tests.benchmarks.published epoch=20849-test_acc=76.86.h5`` with the file from folder ``jsc/openml`` of
https://github.com/calad0i/da4ml-ae (commit 94ccc83), artefacts of da4ml (arXiv 2507.04535): 76.9 % on OpenML's jets,
12,250 LUT and 18.9 ns after Vivado's routing on VU13P.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from codesign.core.targets import load_target
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tools.yosys import synthesise
from tests.benchmarks.peers.environment import ONE_THREAD, interpreter


def main() -> None:
    """Print what the checkpoint takes here, as JSON."""
    script = Path(__file__).with_name("peers") / "rebuild.py"
    with tempfile.TemporaryDirectory(prefix="codesign-") as scratch:
        folder = Path(scratch) / "net"
        command = [str(interpreter()), str(script), str(Path(sys.argv[1]).resolve()), str(folder)]
        subprocess.run(command, check=True, env={**os.environ, **ONE_THREAD})
        record = json.loads((folder / "rebuilt.json").read_text())
        sources = [p.relative_to(folder) for p in sorted((folder / "src").rglob("*.v")) if "wrapper" not in p.name]
        rtl = Rtl(tuple(sources), "net", record["latency_cycles"])
        firmware = Firmware(None, load_target("vu13p-360"), folder, rtl)  # type: ignore[arg-type]  # only synthesised
        figures = synthesise(firmware, Path(scratch) / "yosys", 1800)
    print(json.dumps(record | {f.quantity: f.value for f in figures}))


if __name__ == "__main__":
    main()
