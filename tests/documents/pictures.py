"""The two drawn pictures of the documentation, as SVG that reads on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.rooms import ROOMS

__all__ = ("pipeline", "rooms")

_STYLE = (
    "<style>text{font:14px system-ui,sans-serif;fill:#1b2733}.small{font-size:11.5px;fill:#3d4d5c}"
    ".box{fill:#eef4fa;stroke:#2f6690;stroke-width:1.5}.gate{fill:#fdf1e3;stroke:#b3621b}"
    ".line{stroke:#54687a;stroke-width:1.6;fill:none;marker-end:url(#tip)}</style>"
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#54687a"/></marker></defs>'
)


def _svg(width: int, height: int, title: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">'
        f'<title>{escape(title)}</title>{_STYLE}<rect width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>\n'
    )


def _box(x: int, y: int, width: int, height: int, lines: Sequence[str], kind: str = "") -> str:
    middle, top = x + width / 2, y + height / 2 - 8.5 * (len(lines) - 1) + 5
    text = "".join(
        f'<text x="{middle}" y="{top + 17 * i}" text-anchor="middle" class="{"small" if i else "name"}">'
        f"{escape(line)}</text>"
        for i, line in enumerate(lines)
    )
    return f'<rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>{text}'


def _line(*points: tuple[int, int]) -> str:
    return '<path class="line" d="M' + "L".join(f"{x} {y}" for x, y in points) + '"/>'


def pipeline() -> str:
    """From a study to firmware: what makes each step, and where integers are compared."""
    top, low = 40, 190
    boxes = [
        (10, top, ["study", "task, families,", "target, budgets"], ""),
        (175, top, ["train", "PyTorch, Brevitas,", "scikit-learn"], ""),
        (340, top, ["exact graph", "QONNX: integers", "and powers of two"], ""),
        (505, top, ["compile", "alkaid, trees,", "hls4ml, FINN"], ""),
        (670, top, ["equal integers?", "trained model, QONNX,", "circuit"], "gate"),
        (670, low, ["score", "physics, LUTs,", "latency"], ""),
        (505, low, ["synthesise, place", "Yosys, nextpnr,", "Vivado if there"], ""),
        (340, low, ["simulated, equal?", "Verilator, cocotb", ""], "gate"),
        (175, low, ["front and report", "one HTML file", ""], ""),
        (10, low, ["hand-off", "Verilog, C++, ONNX,", "bitstream"], ""),
    ]
    body = "".join(_box(x, y, 145, 76, [line for line in lines if line], kind) for x, y, lines, kind in boxes)
    body += "".join(_line((x + 145, top + 38), (x + 163, top + 38)) for x in (10, 175, 340, 505))
    body += _line((742, top + 76), (742, low - 2))
    body += "".join(_line((x, low + 38), (x - 18, low + 38)) for x in (670, 505, 340, 175))
    body += _line((815, low + 38), (838, low + 38), (838, 14), (82, 14), (82, top - 2))
    body += '<text class="small" x="460" y="31" text-anchor="middle">the search draws the next candidate</text>'
    body += _box(340, 133, 145, 42, ["a trained model", "codesign import"]) + _line((412, 133), (412, top + 78))
    return _svg(850, 280, "From a study to firmware and bundle", body)


def rooms() -> str:
    """The package's rooms in the order of their imports: each knows only those before it."""
    body, across = "", 5
    for i, room in enumerate(ROOMS):
        row, column = divmod(i, across)
        x, y = 15 + 150 * column, 40 + 68 * row
        body += _box(x, y, 130, 44, [room])
        if column:
            body += _line((x - 20, y + 22), (x - 2, y + 22))
        elif row:
            body += _line(
                (80 + 150 * (across - 1), y - 24), (80 + 150 * (across - 1), y - 12), (80, y - 12), (80, y - 2)
            )
    body += (
        '<text class="small" x="15" y="24">A room imports only rooms that stand before it; a test holds that.</text>'
    )
    return _svg(
        760, 50 + 68 * -(-len(ROOMS) // across), "The rooms of the package, in the order of their imports", body
    )
