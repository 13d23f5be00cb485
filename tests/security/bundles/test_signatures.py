"""Whose a bundle is: what is not signed by the key that was given is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import CodesignError
from tests.security.bundles.forging import check, hand_off, put, seal


def test_a_signature_says_whose_it_is(signed, keys, tmp_path):
    code, statements, _ = check(signed, "--key", keys / "ours.pub")
    assert code == 0
    assert statements["metrics"]["outcome"] == "signed"
    assert "ours@example.org" in statements["metrics"]["detail"]
    assert "SHA256:" in statements["signature"]["detail"]
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f"# ours\nalice@example.org,bob {(keys / 'ours.pub').read_text()}")
    _, statements, _ = check(signed, "--key", allowed)
    assert "alice@example.org" in statements["signature"]["detail"]


def test_the_same_key_signs_the_same_bytes(made, keys, tmp_path):
    run, trial, _ = made
    one, two = (hand_off(run, trial, tmp_path / name / "b.zip", keys / "ours") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert check(one, "--key", keys / "ours.pub")[0] == 0


@pytest.mark.parametrize("what", ["none", "others", "purpose", "another bundle", "empty", "link", "other allowed"])
def test_what_is_not_signed_by_the_key_is_refused(signed, bundle, keys, tmp_path, what):
    signature, key = signed / "manifest.json.sig", keys / "ours.pub"

    def sign(name, purpose, manifest):
        command = ["ssh-keygen", "-Y", "sign", "-n", purpose, "-f", str(keys / name)]
        done = subprocess.run(command, input=manifest.read_bytes(), capture_output=True, check=True)
        signature.write_bytes(done.stdout)

    match what:
        case "none":
            signature.unlink()
        case "others":
            sign("theirs", "codesign-bundle", signed / "manifest.json")
        case "purpose":
            sign("ours", "git", signed / "manifest.json")
        case "another bundle":
            seal(bundle, put("seed", value=7))
            sign("ours", "codesign-bundle", bundle / "manifest.json")
        case "empty":
            signature.write_bytes(b"")
        case "link":
            signature.rename(tmp_path / "elsewhere")
            signature.symlink_to(tmp_path / "elsewhere")
        case "other allowed":
            key = tmp_path / "allowed"
            key.write_text(f'alice namespaces="git" {(keys / "ours.pub").read_text()}')
    code, statements, said = check(signed, "--key", key)
    assert (code, statements) == (1, {})
    assert "sign" in said or "link" in said
    done = CliRunner().invoke(
        app, ["apply", str(signed), "events.root", "-o", str(tmp_path / "x.root"), "--key", str(key)]
    )
    assert isinstance(done.exception, CodesignError)
    assert str(done.exception) == said


@pytest.mark.parametrize("content", ["ssh-ed25519", "", "# nothing\n", "\0\1", "-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_a_file_of_keys_that_holds_none(signed, tmp_path, content):
    (tmp_path / "key").write_text(content)
    code, _, said = check(signed, "--key", tmp_path / "key")
    assert code == 1
    assert "key" in said


def test_names_that_look_like_options(made, keys, signed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-f", "-Y"):
        shutil.copyfile(keys / "ours", name)
        shutil.copyfile(keys / "ours.pub", f"{name}.pub")
        Path(name).chmod(0o600)
    run, trial, _ = made
    made_here = hand_off(run, trial, tmp_path / "again", "-f")
    assert (made_here / "manifest.json.sig").read_bytes() == (signed / "manifest.json.sig").read_bytes()
    assert check(signed, "--key=-Y.pub")[0] == 0


def test_without_ssh_keygen_it_is_said_how_to_get_it(signed, keys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, said = check(signed, "--key", keys / "ours.pub")
    assert code == 1
    assert "openssh-client" in said
