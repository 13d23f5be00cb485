"""How bundles are forged here, with fresh checksums, and checked through the command line, as a user would."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import CodesignError
from codesign.handoff.check import checksum


def check(bundle, *options):
    """Exit code of ``codesign check``, its statements by name, and what it said where there is no report."""
    done = CliRunner().invoke(app, ["check", str(bundle), "--json", *map(str, options)])
    if isinstance(done.exception, CodesignError):
        assert "\n" not in str(done.exception)
        return 1, {}, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    report = json.loads(done.stdout)
    return done.exit_code, {s["name"]: s for s in report.get("statements", ())}, ""


def is_wrong(bundle, name, *options):
    """The check finds just this statement wrong; its detail."""
    code, statements, said = check(bundle, *options)
    assert code == 1, "it passed"
    assert [s["name"] for s in statements.values() if s["outcome"] == "wrong"] == [name], said or statements
    return statements[name]["detail"]


def is_refused(bundle, *options):
    """The check refuses the bundle in one line, or says that its files or design are wrong; the line."""
    code, statements, said = check(bundle, *options)
    assert code == 1, "it passed"
    return said or next(s["detail"] for s in statements.values() if s["outcome"] == "wrong")


def seal(bundle, change=None):
    """Write the manifest as one who means harm would: changed, and with the checksums of the files as they are now."""
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    if change is not None:
        change(manifest)
    files = sorted(p for p in bundle.rglob("*") if p.is_file() and p.name not in ("manifest.json", "manifest.json.sig"))
    manifest["files"] = [
        {"path": f.relative_to(bundle).as_posix(), "size": f.stat().st_size, "sha256": checksum(f)} for f in files
    ]
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def text_of(bundle):
    return (bundle / "manifest.json").read_text()


def rewritten(bundle, text):
    """The manifest with ``text`` in place of what stands there as a string of that name."""
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"@"', text))


def put(*keys, value):
    """A change of one value, deep in a manifest."""

    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value(data[keys[-1]]) if callable(value) else value

    return change


def hand_off(run, trial, output, key):
    """Pack and sign, as a user would."""
    output.parent.mkdir(exist_ok=True)
    done = CliRunner().invoke(app, ["handoff", str(run.path), str(trial), "-o", str(output), "--sign", str(key)])
    assert done.exit_code == 0, (done.output, done.exception)
    return output
