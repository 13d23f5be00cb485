"""``python -m tests.replay.trained [--base COMMIT]``: small searches at another commit and now, compared.

Both run here, one after the other, on the same machine with the same packages: one worker, no store. Every metric,
figure, verdict and design hash of every trial must be equal, ``==``. ``--base`` is by default the last commit that
meant to change them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from codesign.core.errors import CodesignError
from tests.trees import Tree, both

_MADE = Path(__file__).resolve().parents[1] / "frozen" / "7957331" / "made.zip"

_STUDY: dict[str, Any] = {
    "seed": 5,
    "task": "jet-tagging",
    "sample": {"file": "jets.parquet"},
    "splits": {"train": 0.3, "validation": 0.15, "test": 0.55},
    "flow": "alkaid",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
}
_BITS = {"low": 2, "high": 4}
STUDIES: dict[str, dict[str, Any]] = {
    "mlp": _STUDY
    | {
        "family": "mlp",
        "space": {"depth": 1, "width": [4, 6, 8], "weight_bits": _BITS, "activation_bits": _BITS}
        | {"input_bits": {"low": 4, "high": 6}, "sparsity": {"low": 0.2, "high": 0.8}},
        "training": {"epochs": 12, "batch": 64, "learning_rate": 0.02},
        "search": {"trials": 4, "population": 2},
    },
    "mlp-learned": _STUDY
    | {
        "family": "mlp-learned",
        "space": {"depth": 1, "width": 8, "beta_low": 1e-5, "beta_high": 3e-2}
        | {"budget": {"low": 400.0, "high": 3000.0, "log": True}},
        "training": {"epochs": 60, "batch": 64, "learning_rate": 0.01},
        "search": {"trials": 2, "sampler": "random"},
    },
}
#: the last commit that meant to change what these searches give: named anew by the next one that means to
_BASE = "3ffdf5d5"
#: records of a trial that hold what was measured
_RECORDS = ("config.json", "metrics.json", "figures.json", "test.json", "verify.json", "inputs.json", "layers.json")


def search(tree: Tree, name: str, work: Path) -> dict[str, Any]:
    """Run a study in a tree; by path, every value in the records of its trials and of its front."""
    folder = work / f"{tree.name}-{name}"
    folder.mkdir()
    with zipfile.ZipFile(_MADE) as archive:
        archive.extract("jets.parquet", folder)
    (folder / "study.yaml").write_text(yaml.safe_dump({"name": name, **STUDIES[name]}), encoding="utf-8")
    tree.codesign("run", "study.yaml", "--run", "run", "--workers", 1, "--store", "none", cwd=folder)
    found: dict[str, Any] = {}
    for trial in sorted((folder / "run" / "trials").iterdir()):
        status = json.loads((trial / "status.json").read_text(encoding="utf-8"))
        found |= _values(f"{name}/{trial.name}", {key: status.get(key) for key in ("state", "reason", "design")})
        for record in _RECORDS:
            if (trial / record).is_file():
                content = json.loads((trial / record).read_text(encoding="utf-8"))
                found |= _values(f"{name}/{trial.name}/{record.removesuffix('.json')}", content)
    front = json.loads((folder / "run" / "front.json").read_text(encoding="utf-8"))
    return found | {f"{name}/front": [point["trial"] for point in front["points"]]}


def _values(path: str, content: Any) -> dict[str, Any]:
    """Every plain value in a record by its path; a figure by its quantity and fidelity, not by its place."""
    if isinstance(content, dict):
        return {k: v for key, inner in content.items() for k, v in _values(f"{path}/{key}", inner).items()}
    if isinstance(content, list) and all(isinstance(e, dict) for e in content):
        named = {f"{e['quantity']} ({e['fidelity']})" if "fidelity" in e else str(i): e for i, e in enumerate(content)}
        return _values(path, named)
    return {path: content}


def differences(base: dict[str, Any], present: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Path, value at the base and value now, of all that is not equal; "absent" where there is none."""
    paths = sorted(base.keys() | present.keys())
    pairs = [(path, base.get(path, "absent"), present.get(path, "absent")) for path in paths]
    return [(path, before, now) for path, before, now in pairs if before != now]


def main() -> int:
    """Train in both, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="commit to compare with")
    options = parser.parse_args()
    try:
        with both(options.base or _BASE) as trees, tempfile.TemporaryDirectory(prefix="codesign-trained-") as work:
            found: list[dict[str, Any]] = [{}, {}]
            for name in STUDIES:
                for tree, values in zip(trees, found, strict=True):
                    values |= search(tree, name, Path(work))
            commits = " and ".join(tree.commit[:7] + "+" * tree.commit.endswith("+") for tree in trees)
    except CodesignError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    changed = differences(*found)
    equal = len(found[0].keys() & found[1].keys()) - sum("absent" not in change[1:] for change in changed)
    print(f"{commits}: {equal} values equal, {len(changed)} not equal")
    for path, before, now in changed:
        print(f"{path:60} {before!s:>20} {now!s:>20}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
