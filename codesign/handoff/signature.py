"""Sign a bundle, and see who signed one: an SSH signature of its manifest, which lists the SHA-256 of every file.

OpenSSH's own format (``ssh-keygen -Y``, ``PROTOCOL.sshsig``), so that a key that is there already signs, and nobody
needs codesign to verify one. Ed25519 signs the same bytes with the same bytes.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codesign.core.errors import InputError, ToolError
from codesign.core.printing import visible
from codesign.core.reading.plain import given_text, member_bytes
from codesign.core.runfolder import write_atomically
from codesign.handoff.check import MANIFEST, SIGNATURE

__all__ = ("NAMESPACE", "Signer", "sign", "signer")

#: what a signature is for: one for another purpose does not hold for a bundle
NAMESPACE = "codesign-bundle"
#: seconds; whoever signs may have to type a passphrase
_LONGEST = 120.0
_MOST_BYTES, _MOST_SIGNATURE, _MOST_KEYS = 16 << 20, 64 << 10, 1 << 20
#: how a line with a public key begins; a line of allowed signers begins with who it is
_KEY = re.compile(r"(?P<key>(?:sk-)?(?:ssh|ecdsa)-[\w@.-]+ [A-Za-z0-9+/=]+)(?: +(?P<comment>.*))?")
_GOOD = re.compile(r"^Good \"[^\"]*\" signature for .* with (?P<kind>\S+) key (?P<print>\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Signer:
    """Who signed: the name that the file of allowed signers, or the key's comment, gives; and the key's fingerprint."""

    name: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint})"


def sign(folder: Path, key: Path) -> Path:
    """Sign the bundle in ``folder`` with the SSH key in file ``key`` and return the signature's file.

    A public key signs through the running ssh-agent. InputError where there is no key; ToolError where ssh-keygen is
    missing or cannot sign with it.
    """
    key = Path(key)
    if not key.is_file():
        raise InputError(f"{key} is no key: give the file of an SSH key, such as one of 'ssh-keygen -t ed25519'")
    path = folder / SIGNATURE
    arguments = ["-Y", "sign", "-n", NAMESPACE, "-f", str(key.resolve())]
    code, content, said = _ssh_keygen(arguments, (folder / MANIFEST).read_bytes())
    if code or not content.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise ToolError(f"ssh-keygen cannot sign with {key}: {said}")
    write_atomically(path, content)
    return path


def signer(folder: Path, allowed: Path) -> Signer:
    """Who of those ``allowed`` signed the bundle in ``folder``.

    ``allowed`` is a file with public keys, or one of allowed signers (``ssh-keygen(1)``). InputError where the bundle
    is not signed, was changed since, or is signed by somebody else; ToolError where ssh-keygen is missing.
    """
    folder = Path(folder)
    signature, manifest = folder / SIGNATURE, folder / MANIFEST
    names, lines = _allow(Path(allowed))
    for path, what in ((manifest, "a bundle"), (signature, "signed")):
        if not os.path.lexists(path):
            raise InputError(f"{folder} is not {what}: it has no {path.name}")
    signed = member_bytes(folder, MANIFEST, _MOST_BYTES)
    with tempfile.TemporaryDirectory(prefix="codesign-key-") as scratch:
        file = Path(scratch) / "allowed_signers"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        copy = Path(scratch) / SIGNATURE
        copy.write_bytes(member_bytes(folder, SIGNATURE, _MOST_SIGNATURE))
        given = ["-f", str(file), "-s", str(copy)]
        code, found, said = _ssh_keygen(["-Y", "find-principals", *given])
        principals = [line for line in found.decode("utf-8", errors="replace").splitlines() if line]
        if code or not principals:
            raise InputError(f"{folder} is not signed by a key in {allowed} ({_why(said, file, allowed)})")
        for principal in principals:
            code, found, said = _ssh_keygen(["-Y", "verify", "-n", NAMESPACE, "-I", principal, *given], signed)
            good = _GOOD.search(found.decode("utf-8", errors="replace"))
            if not code and good is not None:
                return Signer(visible(names.get(principal, principal)), f"{good['kind']} {good['print']}")
    raise InputError(f"{folder}: the signature is not one of this manifest ({_why(said, file, allowed)})")


def _why(said: str, file: Path, allowed: Path) -> str:
    """What ssh-keygen complained of, in the file that the user gave."""
    return said.replace(str(file), str(allowed)).rstrip(".") or "no key matched"


def _allow(path: Path) -> tuple[dict[str, str], list[str]]:
    """Names by principal, and lines of allowed signers, of a file of either kind."""
    if not path.is_file():
        raise InputError(f"{path} does not exist: give the signer's public key, or a file of allowed signers")
    text = given_text(path, _MOST_KEYS)
    if "PRIVATE KEY-----" in text:
        raise InputError(f"{path} is a private key: give the public one, whose name ends in .pub")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    keys = [_KEY.fullmatch(line) for line in lines]
    if not lines or (any(keys) and not all(keys)):
        raise InputError(f"{path} holds no public keys, and no allowed signers")
    names: dict[str, str] = {}
    for i, key in enumerate(keys):
        if key is not None:
            names[f"key-{i}"] = key["comment"] or path.name
            lines[i] = f'key-{i} namespaces="{NAMESPACE}" {key["key"]}'
    return names, lines


def _ssh_keygen(arguments: list[str], given: bytes = b"") -> tuple[int, bytes, str]:
    """Run it on what is ``given`` to it: exit code, what it wrote, and its last line of complaint."""
    try:
        done = subprocess.run(["ssh-keygen", *arguments], input=given, capture_output=True, timeout=_LONGEST)
    except FileNotFoundError:
        raise ToolError(
            "signatures need ssh-keygen of OpenSSH 8.2 or newer, which is not on the PATH: "
            "install it ('apt install openssh-client', 'dnf install openssh', or 'conda install openssh')"
        ) from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"ssh-keygen: stopped after {_LONGEST:g} s") from None
    said = [line.strip() for line in done.stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
    return done.returncode, done.stdout, visible(said[-1]) if said else ""
