"""What every page of a report is made of: its own scripts and styles, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign import __version__
from codesign.core.quoting import script_json, shell
from codesign.report import words
from codesign.report.layers import bits

if TYPE_CHECKING:
    import jinja2

__all__ = ("page",)

_HERE = Path(__file__).resolve().parent


def page(template: str, scripts: tuple[str, ...], data: dict[str, Any], **values: Any) -> str:
    """Fill in a template of ``templates/`` with plotly, ``scripts`` of ``assets/``, and the ``data`` that they read."""
    from plotly.offline import get_plotlyjs

    texts = [get_plotlyjs(), *((_HERE / "assets" / name).read_text(encoding="utf-8") for name in scripts)]
    made = (
        environment()
        .get_template(template)
        .render(
            **values,
            version=__version__,
            style=safe((_HERE / "assets" / "report.css").read_text(encoding="utf-8")),
            scripts=[safe(s) for s in texts],
            policy=policy(texts),
            data=safe(script_json(data)),
        )
    )
    return made.encode(errors="replace").decode()  # names of folders need not be whole Unicode, a page is


def environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number, "measured": words.measurement, "quantity": words.quantity, "bound": words.bound,
        "count": words.count, "size": words.size, "config": words.config, "signed": words.difference_text, "bits": bits,
        "shell": shell, "count_change": words.count_change,
    }  # fmt: skip
    return environment


def safe(text: str) -> Any:
    """Mark text as what the page's own scripts and styles are, which autoescaping must leave alone."""
    import markupsafe

    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError("a script or style would end its own element")
    return markupsafe.Markup(text)  # noqa: S704 - only files of this package, plotly, and what script_json escaped


def policy(scripts: list[str]) -> str:
    """A content security policy: no network at all, and no script but those of this report, by their hashes."""
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
