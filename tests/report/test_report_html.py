"""The report: complete, safe against what users and tools write, and readable of a run at any stage."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from make_run import HOSTILE, make_run

from codesign.core.errors import InputError
from codesign.core.figures import Fidelity, find
from codesign.core.records import FidelityFront, Figures, Front, InputImportance, Metric, Verified
from codesign.report import write_report

#: attributes by which a page loads or leads to something
_LOADING = ("src", "href", "action", "data", "poster", "srcset", "background", "formaction", "xlink:href")


class Page(HTMLParser):
    """Elements, ids and text outside of scripts, and the data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def ids(self):
        return [a["id"] for _, a in self.tags if "id" in a]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def data(self):
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    path = write_report(finished.path, tmp_path_factory.mktemp("report") / "report.html")
    return Page(path.read_text(encoding="utf-8"))


def rendered(run, tmp_path):
    return Page(write_report(run.path, tmp_path / "out").read_text(encoding="utf-8"))


def test_what_users_and_tools_write_is_text(page):
    # the data, plotly and six scripts of ours: nothing that a record smuggled in
    assert [a.get("type") for tag, a in page.tags if tag == "script"] == ["application/json", *[None] * 7]
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert HOSTILE in page.text
    assert "<i>nothing else</i>" in page.text
    assert "<" not in page.scripts[0]
    assert any(HOSTILE in row[5] for row in page.data["tables"]["all"]["rows"])


def test_labels_reach_plotly_as_text(page):
    # plotly reads HTML of its own in names and ticks
    assert "&lt;script&gt;" in json.dumps(page.data["physics"])
    assert "<script" not in json.dumps(page.data["physics"])


def test_nothing_is_loaded_from_anywhere(page):
    leading = [(tag, a[name]) for tag, a in page.tags for name in _LOADING if name in a]
    assert leading
    assert all(tag == "a" and target.startswith(("#", "data:application/")) for tag, target in leading)
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy


def test_links_and_ids_fit(page):
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        if tag == "a" and "download" not in attributes:
            assert attributes["href"][1:] in page.ids


def test_what_is_downloaded_is_what_lies_in_the_folder(page, finished):
    links = {a["download"]: a["href"] for tag, a in page.tags if "download" in a}
    points = finished.read("front.json", Front).points
    assert len(links) == 3 * len(points)
    for point in points:
        for name in ("model.onnx", "design.json", "figures.json"):
            encoded = links[f"trial-{point.trial:04d}-{name}"].partition(";base64,")[2]
            assert base64.b64decode(encoded) == (finished.trial(point.trial).path / name).read_bytes()


def test_budgets_and_inputs_of_a_design(own, tmp_path):
    point = own.read("front.json", Front).points[0]
    losses = {"mass": Metric(value=0.2, error=0.01), "noise": Metric(value=-0.001, error=0.002)}
    own.trial(point.trial).write(
        "inputs.json", InputImportance(metric="accuracy", split="test", events=5000, inputs=losses)
    )
    text = rendered(own, tmp_path).text
    assert "mass 0.200 ± 0.010 noise -0.0010 ± 0.0020" in text
    lut = find(point.figures, "lut", Fidelity.COMPILED).value
    assert f"{lut:,.0f} 6,000 budget {lut / 60:.2f} %" in text


def test_every_front_point_has_its_section_and_plots(page, finished):
    front = finished.read("front.json", Front)
    assert len(front.points) == 6
    for point in front.points:
        assert f"trial-{point.trial}" in page.ids
        for i in range(2):
            assert f"plot-{point.trial}-{i}" in page.ids
            assert f"plot-{point.trial}-{i}" in page.data["physics"]


def test_a_failed_verification_is_not_hidden(page, finished):
    bad = [p for p in finished.read("front.json", Front).points if not p.verified.exact]
    assert len(bad) == 1
    assert page.text.count("verification failed") == 1
    assert page.text.count("bit-exact") >= 5
    assert bad[0].verified.first_difference in page.text
    assert [r[2] for r in page.data["tables"]["front"]["rows"]].count("different") == 1


def test_a_verdict_without_rtl_says_so(own, tmp_path):
    for point in own.read("front.json", Front).points:
        folder = own.trial(point.trial)
        record = folder.read("verify.json", Verified)
        bare = {"proven": "C simulation", "latency_cycles": None, "initiation_interval": None}
        folder.write("verify.json", record.model_copy(update=bare))
    text = rendered(own, tmp_path).text
    assert "bit-exact in C simulation, without RTL" in text
    assert "in C simulation; of its RTL nothing is proven" in text
    assert "bit-exact in RTL" not in text


def test_a_latency_other_than_promised_is_not_exact(own, tmp_path):
    point = own.read("front.json", Front).points[0]
    record = own.trial(point.trial).read("verify.json", Verified)
    own.trial(point.trial).write("verify.json", record.model_copy(update={"latency_cycles": 40}))
    text = rendered(own, tmp_path).text
    assert "the simulation measured 40 cycles, the compiler promised" in text
    assert text.count("verification failed") == 2


def test_every_view_and_column_has_one_fidelity(page):
    data = page.data
    for view in data["views"]:
        assert view["fidelity"] in view["label"]
        assert ("test split" in view["label"]) == (view["table"] == "front")
    assert {c["fidelity"] for c in data["tables"]["all"]["columns"]} <= {None, "compiled", "analytic"}
    assert {v["fidelity"] for v in data["views"] if v["table"] == "front"} >= {"compiled", "synthesised", "simulated"}
    for table in data["tables"].values():
        keys = [(c["name"], c["fidelity"]) for c in table["columns"]]
        assert len(keys) == len(set(keys))


def test_metrics_stay_on_their_split(page, finished):
    front = {p.trial: p for p in finished.read("front.json", Front).points}
    tables = page.data["tables"]
    column = next(i for i, c in enumerate(tables["all"]["columns"]) if c["name"] == "accuracy")
    for row in tables["all"]["rows"]:
        if row[0] in front:
            assert row[6][column] == [front[row[0]].validation["accuracy"].value, 0.0067]
    for row in tables["front"]["rows"]:
        assert row[6][column] == [front[row[0]].metrics["accuracy"].value, 0.0067]


def test_what_was_not_measured_is_said_and_a_measured_zero_is_zero(page):
    assert "not measured" in page.text
    dsp = re.search(r"DSP not measured not measured (\S+) not measured", page.text)
    assert dsp is not None
    assert dsp.group(1) == "0"
    for row in page.data["tables"]["all"]["rows"]:
        if row[1] == "failed":
            assert set(row[6]) == {None}


def test_failures_are_counted_by_reason(page):
    # "epoch 3", "epoch 1", ...: one reason, and its numbers as a range
    assert re.search(r"4 trials failed in train the loss is not finite in epoch 1 to 3 – 7, 17, 27, 37", page.text)
    assert f"4 trials failed in compile layer 2: rounding mode {HOSTILE} is refused – 3, 13, 23, 33" in page.text


def test_infeasible_trials_say_how_far_they_are(page, finished):
    found = [finished.trial(n).read("figures.json", Figures).figures for n in (5, 15, 25, 35)]
    luts = [find(f, "lut", Fidelity.COMPILED).value for f in found]
    nearest = (5, 15, 25, 35)[luts.index(min(luts))]
    row = re.search(r"4 trials infeasible LUT: (.*?) 5, 15, 25, 35", page.text)[1]
    assert f"lut is {min(luts):.0f} to {max(luts):.0f}, at most 6000 allowed" in row
    assert f"the nearest is trial {nearest}: lut {min(luts):g} is above 6000" in row


def test_states_baseline_and_sample_are_told(page):
    assert "complete 28" in page.text
    assert "infeasible 4" in page.text
    assert "failed 8" in page.text
    assert "gradient-boosted trees" in page.text
    assert f"a cut ({HOSTILE})" in page.text
    assert "accuracy 0.6451 ± 0.0036" in page.text
    assert "25,000 (15,000 train, 5000 validation, 5000 test)" in page.text
    assert "xcvu13p-flga2577-2-e at 360 MHz" in page.text


def test_tables_have_headers_and_plots_have_words(page):
    assert all("scope" in a for tag, a in page.tags if tag == "th")
    plots = [a for _, a in page.tags if a.get("role") == "img"]
    assert len(plots) >= 19
    assert all(a["aria-label"] for a in plots)


def test_an_unfinished_run_has_a_provisional_front(tmp_path):
    page = rendered(make_run(tmp_path / "made-up", finished=False), tmp_path)
    assert "This run is not finished" in page.text
    assert "running 1" in page.text
    assert page.data["provisional"]
    assert page.data["points"]
    assert {v["table"] for v in page.data["views"]} == {"all"}
    assert "proven bit-exact in RTL" in page.text


@pytest.mark.parametrize("name", ["sample.json", "baseline.json", "target.json", "trials", "front.json"])
def test_a_missing_record_of_the_run(own, tmp_path, name):
    path = own.path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "trials" in rendered(own, tmp_path).ids


@pytest.mark.parametrize(
    "name",
    ["status.json", "config.json", "metrics.json", "test.json", "figures.json", "verify.json", "plots.json",
     "design.json", "model.onnx", "firmware", "log.txt"],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["missing", "not JSON", "a list"])
def test_a_missing_or_damaged_record_of_a_trial(own, tmp_path, name, damage):
    number = own.read("front.json", Front).points[0].trial
    path = own.trial(number).path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if damage != "missing":
        path.write_text("{" if damage == "not JSON" else "[1]")
    page = rendered(own, tmp_path)
    assert f"trial-{number}" in page.ids
    # design.json without its graph is damage too
    damaged = damage != "missing" and name.endswith((".json", ".onnx"))
    assert ("could not be read" in page.text) == (damaged or (name, damage) == ("model.onnx", "missing"))


def test_the_target_is_the_one_of_the_run(own, tmp_path):
    text = (own.path / "study.yaml").read_text()
    (own.path / "study.yaml").write_text(text.replace("vu13p-360", "only-on-the-cluster"))
    assert "xcvu13p-flga2577-2-e at 360 MHz" in rendered(own, tmp_path).text
    (own.path / "target.json").unlink()
    assert "only-on-the-cluster (its description is not at hand)" in rendered(own, tmp_path).text


def test_a_study_alone_is_a_report(own, tmp_path):
    for path in own.path.iterdir():
        if path.name != "study.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = rendered(own, tmp_path)
    assert "No trial is on the front yet." in page.text
    assert page.data["views"] == []


def test_no_run_is_an_error(tmp_path):
    with pytest.raises(InputError, match="is not a run folder"):
        write_report(tmp_path)


def test_the_default_place(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_report(own.path)
    assert path.as_posix() == "reports/made-up/index.html"
    assert path.is_file()


def test_the_same_run_gives_the_same_report(own, tmp_path):
    first = write_report(own.path, tmp_path / "a.html").read_bytes()
    assert first == write_report(own.path, tmp_path / "b.html").read_bytes()
    assert str(tmp_path).encode() not in first


@pytest.mark.slow
def test_five_thousand_trials(tmp_path):
    run = make_run(tmp_path / "made-up", trials=5000, front=4)
    path = write_report(run.path, tmp_path / "report.html")
    assert path.stat().st_size < 8_000_000
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.data["tables"]["all"]["rows"]) == 5000
    # the rows are drawn a page at a time, not written out
    assert sum(tag == "tr" for tag, _ in page.tags) < 400


def test_the_report_needs_neither_optuna_nor_torch(own, tmp_path):
    code = (
        "import sys; from pathlib import Path; from codesign.report import write_report\n"
        "write_report(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print([m for m in ('optuna', 'torch', 'matplotlib', 'brevitas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(own.path), str(tmp_path / "report.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_fidelity_has_a_front_of_its_own(own, tmp_path):
    front = own.read("front.json", Front)
    numbers = [p.trial for p in front.points]
    record = {"objectives": front.objectives, "measured": numbers}
    fronts = [
        FidelityFront(fidelity="compiled", trials=numbers[:-1], **record),
        FidelityFront(
            fidelity="synthesised", trials=numbers[1:], dominated={3: 0}, failed={5: f"no way {HOSTILE}"}, **record
        ),
        FidelityFront(fidelity="placed", trials=[], missed={numbers[0]: 47.5}, **record),
    ]
    own.write("front.json", front.model_copy(update={"fronts": fronts}))
    page = rendered(own, tmp_path)
    members = {(v["table"], v["fidelity"]): v["members"] for v in page.data["views"]}
    for table in ("all", "front"):
        assert members[table, "compiled"] == numbers[:-1]
        assert members[table, "synthesised"] == numbers[1:]
    assert "synthesised" in {c["fidelity"] for c in page.data["tables"]["all"]["columns"]}
    assert f"trial 5 not measured: no way {HOSTILE}" in page.text
    assert f"trial {numbers[0]} misses the clock: 47.5 MHz of 360" in page.text
    assert "compiled, synthesised" in page.text
