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
from importlib.metadata import version
from pathlib import Path

from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tools.yosys import synthesise
from tests.benchmarks.peers.environment import ONE_THREAD, interpreter
from tests.trees import ROOT

OUTPUT = ROOT / "reports" / "reference" / "published.json"
CHECKPOINT = "jsc/openml/epoch=20849-test_acc=76.86.h5 of https://github.com/calad0i/da4ml-ae at 94ccc83"
PUBLISHED = {"lut": 12250, "latency_ns": 18.9, "accuracy": 0.769, "source": "arXiv 2507.04535, Vivado, routed, VU13P"}


def main() -> None:
    """Write what the checkpoint takes here."""
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
    found = {"checkpoint": CHECKPOINT, "published": PUBLISHED, "target": "vu13p-360"} | record
    found |= {f.quantity: f.value for f in figures}
    found |= {"versions": {"alkaid": version("alkaid"), "pyosys": version("pyosys")}}
    write_atomically(OUTPUT, (json.dumps(found, indent=1) + "\n").encode())
    print(f"{OUTPUT}: {json.dumps(found)}")


if __name__ == "__main__":
    main()
