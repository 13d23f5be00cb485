"""A stream of crossings: rates, prescales, dead time, drift, budgets; the alarm when firmware and emulator differ."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import urllib.error
import urllib.request
from types import SimpleNamespace

import awkward as ak
import jsonschema
import numpy as np
import pyarrow.parquet
import pytest

from codesign.cli.schemas import schema
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.handoff import write_bundle
from codesign.handoff.apply import Scorer, executors
from codesign.handoff.examination import prove_bundle
from codesign.handoff.reference_distribution import distribution_of, read_distribution
from codesign.handoff.statement import Finding
from codesign.handoff.stream import StreamSettings, processors, stream_bundle, stream_job
from codesign.handoff.stream.event_pool import simulated_pool
from codesign.handoff.stream.fill import FillPileUp
from codesign.handoff.stream.live_server import LiveServer
from codesign.handoff.stream.orbit import CROSSINGS, Orbit
from codesign.physics import detector
from codesign.physics.events import write_events
from codesign.tasks.anomalies.anomaly import AnomalyProblem
from codesign.tasks.anomalies.anomaly_sample import AnomalySample
from tests.handoff.conftest import features
from tests.handoff.scored_events import PerJet, some_events
from tests.handoff.trigger_rules import accepted_by_rules


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """Emulators and firmware are the same in most of these streams."""
    emulators, firmware = {}, {}

    def built(design, flags=""):
        if design.hash not in emulators:
            emulators[design.hash] = executors.built_emulator(design, flags)
        return emulators[design.hash]

    def interpreted(received):
        if received.design.hash not in firmware:
            firmware[received.design.hash] = processors.Interpreted(received)
        return firmware[received.design.hash]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processors, "built_emulator", built)
        patch.setattr(stream_job, "Interpreted", interpreted)
        yield


@pytest.fixture(scope="module")
def events(named_bundle, names, tmp_path_factory):
    import pyarrow

    x = features(4000, 7)
    path = tmp_path_factory.mktemp("stream") / "events.parquet"
    pyarrow.parquet.write_table(pyarrow.table({n: x[:, i] for i, n in enumerate(names)}), path)
    return path, x


def asked(events, **more):
    return StreamSettings(**({"files": (str(events[0]),), "rate_hz": 1e6, "seconds": 2.0, "budget_hz": 2e4} | more))


@pytest.fixture(scope="module")
def streamed(named_bundle, events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streamed") / "out"
    return stream_bundle(named_bundle, asked(events), folder), folder


def test_rates_are_those_of_the_events(named_bundle, events, streamed):
    record, folder = streamed
    (path,) = record.paths
    collisions = 1e6 * Orbit.trains().share
    scorer = Scorer(named_bundle)
    codes = scorer.rows(events[1])[f"{scorer.outputs[0]}_code"]
    expected = collisions * (codes >= record.menu.paths[0].threshold_code).mean()
    assert path.fires == pytest.approx(expected, abs=5 * np.sqrt(expected / 2))
    assert path.fires <= 2e4 + 5 * np.sqrt(2e4 / 2)
    assert path.accepted <= path.prescaled <= path.fires
    assert 0 < record.dead_time < 0.5
    assert [s.collisions for s in record.sections] == [round(collisions)] * 2
    assert json.loads((folder / "stream.json").read_text())["made_by"] == "codesign stream"
    assert "No alarm" in (folder / "index.html").read_text() or record.alarms
    (score, *_) = record.scores
    assert sum(score.hz) == pytest.approx(collisions, rel=1e-6)
    jsonschema.validate(json.loads((folder / "stream.json").read_text()), schema("stream.json"))


def test_firmware_and_emulator_agree(streamed):
    record, _ = streamed
    (compared,) = record.compared
    assert (compared.events, compared.integers_differ, compared.bits_differ) == (512, 0, 0)
    assert not [a for a in record.alarms if a.kind == "firmware differs"]


def test_every_collision_computed_gives_the_same_rates(named_bundle, events, streamed, tmp_path):
    record = stream_bundle(named_bundle, asked(events, every=True, seconds=0.4), tmp_path / "out")
    assert record.emulated_events == record.sections[0].collisions == round(0.4e6 * Orbit.trains().share)
    rate = streamed[0].paths[0].fires
    assert record.paths[0].fires == pytest.approx(rate, abs=5 * np.sqrt(rate / 0.4))
    assert (record.way, streamed[0].way) == ("every", "counted")
    assert len(pyarrow.parquet.read_table(tmp_path / "out" / "kept.parquet")) == record.sections[0].accepted


def test_drift_is_seen_beside_the_sample_that_is_given(named_bundle, events, streamed, names, tmp_path):
    """The made-up bundle has no splits, so its golden vectors stand in for a reference; files do it better."""
    import pyarrow

    assert streamed[0].reference == "golden vectors of the bundle"
    x = features(3000, 8)
    for name, values in (("same", x), ("hot", x + 40 * (np.arange(16) == 3))):
        table = pyarrow.table({n: values[:, i] for i, n in enumerate(names)})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    own = {"reference": (str(tmp_path / "same.parquet"),), "seconds": 0.1}
    record = stream_bundle(named_bundle, asked(events, **own), tmp_path / "out")
    assert record.reference == "same.parquet"
    assert not record.alarms
    hot = asked(events, files=(str(tmp_path / "hot.parquet"),), **own)
    record = stream_bundle(named_bundle, hot, tmp_path / "hot")
    assert "f3" in [a.said.split(":")[0] for a in record.alarms if a.kind == "drift"]
    assert [d.name for d in record.drift if d.alarm and d.name.startswith("f")] == ["f3"]


def test_a_bundles_own_reference_is_taken_and_a_foreign_one_refused(named_bundle, events, names, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(named_bundle, bundle)
    design = Design.load(bundle)
    codes = np.random.default_rng(2).integers(-3, 4, (500, len(names) + design.outputs.size))
    labels = (*names, *design.outputs.labels)

    def place(labels):
        text = distribution_of(labels, codes, "500 events of the validation split").model_dump_json()
        (bundle / "reference.json").write_text(text)
        manifest = json.loads((bundle / "manifest.json").read_text())
        entry = {"path": "reference.json", "size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        manifest["files"] = [f for f in manifest["files"] if f["path"] != "reference.json"] + [entry]
        (bundle / "manifest.json").write_text(json.dumps(manifest))

    place(labels)
    record = stream_bundle(bundle, asked(events, seconds=0.1), tmp_path / "out")
    assert record.reference == "500 events of the validation split"
    assert any(a.kind == "drift" for a in record.alarms)
    place(["other", *labels[1:]])
    with pytest.raises(InputError, match="is of other inputs or outputs"):
        stream_bundle(bundle, asked(events, seconds=0.1), tmp_path / "out")


def test_a_bundle_has_the_distribution_where_its_thresholds_were_fixed(run, trial, tmp_path):
    x, y = features(900, 3), np.random.default_rng(1).integers(0, 5, 900)
    (run.path / "parts").mkdir()
    np.savez(run.path / "parts" / "validation.npz", index=np.arange(900), x=x, y=y)
    bundle = write_bundle(run.path, trial, tmp_path / "bundle")
    found, design = read_distribution(bundle), Design.load(bundle)
    assert (found.rows, found.effective) == (900, 900)
    codes = design.input_quantisation.codes(x)
    for histogram, column in zip(found.quantities, codes.T, strict=False):
        counts = np.bincount(histogram.places(column), minlength=len(histogram.counts))
        assert counts.tolist() == list(histogram.counts)
    statements = {s.name: s for s in prove_bundle(bundle).statements}
    assert not [s for s in statements.values() if s.outcome is Finding.WRONG]
    assert "claimed by the maker" in statements["reference.json"].detail
    jsonschema.validate(json.loads((bundle / "reference.json").read_text()), schema("reference.json"))


def test_an_anomaly_triggers_reference_is_zero_bias():
    part = SimpleNamespace(y=np.array([0, 2, 0, 1]))
    assert AnomalyProblem(AnomalySample()).undisturbed(part).tolist() == [True, False, True, False]


def test_simulated_events_come_with_their_pile_up(packed, tmp_path, monkeypatch):
    simulated = some_events(200)
    simulated["Pileup"] = ak.zip({"nTrueInt": np.full(200, 24.0), "nPU": np.arange(200) % 50})
    write_events(tmp_path / "events.root", simulated)
    monkeypatch.setattr(detector, "simulated_events", lambda card, events: [tmp_path / "events.root"])
    scorer = Scorer(packed)
    assert simulated_pool(scorer, 200) is None, "tagging takes no events: the golden vectors stand in"
    monkeypatch.setattr(plugins, "load", lambda kind, name: PerJet())
    pool = simulated_pool(scorer, 200)
    assert (pool.events, pool.origin) == (200, "200 events of the card zero-bias")
    assert pool.pile_up.tolist() == (np.arange(200) % 50).tolist()
    assert len(pool.codes) == len(pool.event) > 200
    heavy = FillPileUp(30, 20).weights(pool.pile_up, 0.0)
    assert (heavy * pool.pile_up).sum() == pytest.approx(30, abs=0.5)


def test_pile_up_wants_events_that_have_it(named_bundle, events, tmp_path):
    with pytest.raises(InputError, match="chooses events by Pileup_nPU, which these events do not have"):
        stream_bundle(named_bundle, asked(events, pile_up=(50.0, 40.0)), tmp_path / "out")


def test_a_paced_stream_takes_its_time(named_bundle, events, tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(stream_job, "sleep", slept.append)
    stream_bundle(named_bundle, asked(events, seconds=2.0, paced=True), tmp_path / "out")
    assert len(slept) == 2
    assert 0 < slept[1] < 2


def get(address, path="", host=None):
    request = urllib.request.Request(address + path, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def test_a_live_page_and_metrics_for_this_machine_alone(streamed):
    record, _ = streamed
    strange = '<script>alert(1)</script>"\n'
    (path,) = record.paths
    other = record.model_copy(update={"origin": strange, "paths": (path.model_copy(update={"name": strange}),)})
    with LiveServer(0) as server:
        assert server.address.startswith("http://127.0.0.1:")
        assert get(server.address)[0] == 503
        server.show(other)
        status, headers, page = get(server.address)
        assert status == 200
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert 'http-equiv="refresh"' in page
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert get(server.address, host="evil.example")[0] == 403
        assert get(server.address, host=server.address[7:-1])[0] == 200
        assert get(server.address, "../etc/passwd")[0] == 404
        status, headers, text = get(server.address, "metrics")
        assert "version=0.0.4" in headers["Content-Type"]
        assert json.loads(get(server.address, "stream.json")[2])["distinct_events"] == 4000
        port = int(server.address[:-1].rpartition(":")[2])
        with pytest.raises(InputError, match=f"--live: port {port} cannot be had"):
            LiveServer(port)
    label = r'[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(rf"codesign_stream_\w+(\{{{label}(,{label})*\}})? [-+0-9.e]+")
    lines = text.splitlines()
    assert all(line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line) for line in lines)
    assert f"codesign_stream_accepted_total {float(sum(s.accepted for s in record.sections))}" in lines
    assert 'codesign_stream_alarms{kind="firmware differs"} 0.0' in lines


def test_kept_events_have_the_score_of_their_event(named_bundle, events, streamed):
    record, folder = streamed
    kept = pyarrow.parquet.read_table(folder / "kept.parquet")
    scorer = Scorer(named_bundle)
    scores = scorer.rows(events[1][kept["event"].to_numpy()])
    for name in scorer.outputs:
        assert np.array_equal(kept[f"{name}_code"].to_numpy(), scores[f"{name}_code"])
        assert np.array_equal(kept[name].to_numpy(), scores[name])
    assert len(kept) == sum(s.accepted for s in record.sections)
    assert set(kept["bunchCrossing"].to_numpy()) <= set(Orbit.trains().filled.tolist())
    crossing = kept["orbitNumber"].to_numpy() * CROSSINGS + kept["bunchCrossing"].to_numpy()
    assert accepted_by_rules(crossing[:500].tolist()) == crossing[:500].tolist()


@pytest.mark.parametrize("what", ["threshold", "weight"])
def test_what_is_changed_in_the_emulator_raises_the_alarm(named_bundle, events, tmp_path, what):
    record = stream_bundle(named_bundle, asked(events, plant=what, seconds=4.0), tmp_path / "out")
    (alarm,) = [a for a in record.alarms if a.kind == "firmware differs"]
    assert ("outputs" in alarm.said) == (what == "weight")
    (compared,) = record.compared
    assert compared.bits_differ + compared.integers_differ > 0
    assert (compared.integers_differ > 0) == (what == "weight")
    assert "Alarm: firmware differs" in (tmp_path / "out" / "index.html").read_text()


def test_a_menu_of_another_network_and_no_threshold_are_one_line(named_bundle, events, tmp_path):
    (tmp_path / "menu.yaml").write_text("paths:\n  - {name: a, output: nothing, threshold_code: 3}\n")
    with pytest.raises(InputError, match="path 'a': no output 'nothing'; there are g, q"):
        stream_bundle(named_bundle, asked(events, menu=str(tmp_path / "menu.yaml")), tmp_path / "out")
    with pytest.raises(InputError, match="fixes no threshold: give --rate-budget"):
        stream_bundle(named_bundle, asked(events, budget_hz=None), tmp_path / "out")


@pytest.mark.slow  # Verilator compiles its run-time library anew: half a minute
def test_a_slice_runs_through_the_verilog(named_bundle, events, tmp_path):
    record = stream_bundle(named_bundle, asked(events, rtl=200), tmp_path / "out")
    assert record.compared[1].how == "its Verilog in Verilator"
    assert (record.compared[1].events, record.compared[1].integers_differ) == (200, 0)
    planted = stream_bundle(named_bundle, asked(events, rtl=200, plant="weight"), tmp_path / "planted")
    assert planted.compared[1].integers_differ > 0
