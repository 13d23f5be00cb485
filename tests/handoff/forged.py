"""A bundle with one file changed."""

from __future__ import annotations

import json

from codesign.handoff.check import checksum


def forge(bundle, name, content):
    """Change a file and the manifest with it, as somebody would who means harm."""
    (bundle / name).write_bytes(content)
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        if entry["path"] == name:
            entry |= {"size": len(content), "sha256": checksum(bundle / name)}
    path.write_text(json.dumps(manifest))
