"""A stream in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats, 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("CONTENT_TYPE", "prometheus_text")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: labels and value of one sample
_Sample = tuple[Mapping[str, str], float]


def prometheus_text(record: StreamRecord) -> str:
    """Counters of the whole stream so far, and gauges of what is now."""
    r, none = record, dict[str, str]()
    collisions, accepted = (sum(getattr(s, what) for s in r.sections) for what in ("collisions", "accepted"))
    kinds = ("firmware differs", "drift")
    return "".join(
        [
            _metric("simulated_seconds_total", "counter", "simulated time", [(none, r.simulated_s)]),
            _metric(
                "collisions_total", "counter", "crossings with collisions", [(none, collisions)]
            ),
            _metric(
                "accepted_total", "counter", "events that were accepted", [(none, accepted)]
            ),
            _metric(
                "path_rate_hertz", "gauge", "rate of a path, by step",
                [
                    ({"path": p.name, "step": step}, value)
                    for p in r.paths
                    for step, value in (("fires", p.fires), ("prescaled", p.prescaled), ("accepted", p.accepted))
                ],
            ),
            _metric("accepted_hertz", "gauge", "rate of what is accepted", [(none, r.accepted_hz)]),
            _metric("dead_time_ratio", "gauge", "share that fell into dead time", [(none, r.dead_time)]),
            _metric(
                "pile_up", "gauge", "mean collisions of a crossing",
                [(none, s.pile_up) for s in r.sections[-1:] if s.pile_up is not None],
            ),
            _metric(
                "drift_psi", "gauge", "population stability index", [({"quantity": d.name}, d.psi) for d in r.drift]
            ),
            _metric("drift_ks", "gauge", "Kolmogorov-Smirnov", [({"quantity": d.name}, d.ks) for d in r.drift]),
            _metric(
                "compared_events_total", "counter", "events run through the firmware",
                [({"how": c.how}, c.events) for c in r.compared],
            ),
            _metric(
                "differing_events_total", "counter", "events of which integers or bits differ",
                [
                    ({"how": c.how, "what": what}, value)
                    for c in r.compared
                    for what, value in (("integers", c.integers_differ), ("bits", c.bits_differ))
                ],
            ),
            _metric(
                "alarms", "gauge", "alarms by kind",
                [({"kind": k}, sum(a.kind == k for a in r.alarms)) for k in kinds],
            ),
            _metric("emulated_events_total", "counter", "events computed", [(none, r.emulated_events)]),
            _metric("emulated_per_second", "gauge", "events computed a second", [(none, r.emulated_per_s)]),
            _metric(
                "score_hertz", "gauge", "collisions a second from this code up to the next bin's",
                [
                    ({"output": s.name, "from": f"{edge:g}"}, hz)
                    for s in r.scores
                    for edge, hz in zip(s.edges[:-1], s.hz, strict=True)
                ],
            ),
        ]
    )  # fmt: skip


def _metric(name: str, kind: str, meaning: str, samples: Iterable[_Sample]) -> str:
    lines = [f"# HELP codesign_stream_{name} {meaning}", f"# TYPE codesign_stream_{name} {kind}"]
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"codesign_stream_{name}{'{' + told + '}' if told else ''} {float(value)!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A label's value may hold any character; three have to be escaped, and no other line end may stand in it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(c if c.isprintable() else "?" for c in plain)
