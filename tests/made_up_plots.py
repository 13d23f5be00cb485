"""What a made-up run plots."""

from __future__ import annotations

import numpy as np

from codesign.core import records as r

HOSTILE = "<script>alert(1)</script>"
CLASSES = ("g", "q", "W", "Z", "t")


def plots(rng: np.random.Generator) -> r.Plots:
    """ROC curves with bands and a baseline, a confusion matrix, and a log-log line."""
    x = np.linspace(0.02, 1, 60)
    curves = []
    for label in CLASSES:
        y = np.clip(x ** (3 + rng.uniform(0, 1)), 1e-4, 1)
        curves.append(
            r.Series(
                label=label,
                x=x.tolist(),
                y=y.tolist(),
                low=(y * 0.85).tolist(),
                high=(y * 1.15).tolist(),
            )
        )
    curves.append(r.Series(label=f"baseline {HOSTILE}", x=x.tolist(), y=(x**3.5).tolist(), dashed=True))
    matrix = rng.dirichlet(np.ones(5), 5) * 0.4 + np.eye(5) * 0.6
    return r.Plots(
        plots=[
            r.Plot(
                name="roc",
                title="One class against the rest",
                x_label="efficiency",
                y_label="background efficiency",
                log_y=True,
                series=curves,
                caption=f"Band: one standard deviation. {HOSTILE}",
            ),
            r.Plot(
                name="confusion",
                title="Confusion matrix",
                x_label="predicted class",
                y_label="true class",
                matrix=matrix.round(4).tolist(),
                x_ticks=list(CLASSES),
                y_ticks=list(CLASSES),
                caption="Rows add up to 1.",
            ),
        ]
    )
