"""A scorer inside an analysis: sent to workers by pickle, in Dask and in coffea's executors, with no file of the bundle
at the other end; the same integers everywhere."""

from __future__ import annotations

import pickle
import shutil
import warnings

import awkward as ak
import cloudpickle
import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.archive import pack
from codesign.physics.events import read_events, write_events
from tests.handoff.conftest import features
from tests.handoff.scored_events import PerJet, same, some_events


@pytest.fixture
def per_jet(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda kind, name: PerJet())


def integers(columns):
    return np.stack([columns[name] for name in columns if name.endswith("_code")])


@pytest.mark.parametrize(("library", "emulator"), [(pickle, False), (cloudpickle, False), (pickle, True)])
def test_it_is_sent_by_pickle_and_needs_no_bundle_at_the_other_end(packed, tmp_path, library, emulator):
    bundle = tmp_path / "bundle"
    shutil.copytree(packed, bundle)
    scorer = Scorer(bundle, emulator=emulator)
    x = features()
    expected = integers(scorer.rows(x))
    assert len(np.unique(expected, axis=1)) > 3
    sent = library.dumps(scorer)
    shutil.rmtree(bundle)
    assert np.array_equal(integers(library.loads(sent).rows(x)), expected)
    assert len(sent) < 200_000, "the session travels along"
    assert np.array_equal(integers(scorer.rows(x)), expected), "it is as it was"


def test_a_zip_is_a_bundle_and_a_missing_path_says_so(packed, tmp_path):
    pack(packed, tmp_path / "x.zip", "jets-17")
    x = features()
    assert np.array_equal(integers(Scorer(str(tmp_path / "x.zip")).rows(x)), integers(Scorer(packed).rows(x)))
    with pytest.raises(InputError, match=r"nowhere\.zip: there is no bundle: .* 'codesign handoff'"):
        Scorer(tmp_path / "nowhere.zip")
    (tmp_path / "notes.txt").write_text("not a bundle")
    with pytest.raises(InputError, match=r"notes\.txt is neither a bundle's folder nor a \.zip"):
        Scorer(tmp_path / "notes.txt")


@pytest.mark.parametrize("scheduler", ["threads", "distributed"])
def test_dask_runs_it(packed, scheduler):
    import dask

    scorer, x = Scorer(packed), features()
    jobs = [dask.delayed(scorer.rows)(piece) for piece in np.array_split(x, 4)]
    if scheduler == "distributed":
        from distributed import Client

        with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None):
            pieces = dask.compute(*jobs)
    else:
        pieces = dask.compute(*jobs, scheduler="threads")
    found = np.concatenate([integers(p) for p in pieces], axis=1)
    assert np.array_equal(found, integers(scorer.rows(x)))


def test_dask_tells_scorers_apart_and_knows_the_same_again(packed, named_bundle):
    from dask.base import tokenize

    assert tokenize(Scorer(packed)) == tokenize(Scorer(packed))
    assert tokenize(Scorer(packed)) != tokenize(Scorer(named_bundle))


def test_events_without_data_give_the_structure_of_the_scores(packed, per_jet):
    """What ``dask_awkward`` does before anything is read: it must see what is read, and what comes out."""
    scorer, events = Scorer(packed), some_events(5)
    form = events.layout.form_with_key("{id}")
    tracer, report = ak.typetracer.typetracer_with_report(form)
    empty = scorer(ak.Array(tracer))
    assert ak.backend(empty) == "typetracer"
    assert str(empty.type.content) == str(scorer(events).type.content)
    jets = form.content("Jet")
    fields = [jets.content.content(field).form_key for field in ("pt", "eta")]
    assert sorted(report.data_touched) == sorted([jets.form_key, *fields])


def processor_of(scorer):
    from coffea import processor

    class Analysis(processor.ProcessorABC):
        def __init__(self):
            self.scorer = scorer

        def process(self, events):
            scores = self.scorer(events)
            return {"q": processor.column_accumulator(np.asarray(ak.flatten(scores.q_code)))}

        def postprocess(self, accumulator):
            return accumulator

    return Analysis()


def test_coffeas_processor_holds_one(packed, per_jet, tmp_path):
    from coffea import processor
    from coffea.nanoevents import NanoAODSchema

    files = [tmp_path / f"{n}.root" for n in "ab"]
    for seed, file in enumerate(files):
        write_events(file, some_events(200, seed))
    done = apply_bundle(packed, files, tmp_path / "scores")
    expected = np.concatenate(
        [ak.flatten(e.codesign.q_code) for d in done for e in read_events(d.output, ["codesign"])]
    )
    analysis = cloudpickle.loads(cloudpickle.dumps(processor_of(Scorer(packed))))
    run = processor.Runner(processor.IterativeExecutor(status=False), chunksize=90, schema=NanoAODSchema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = run({"jets": [str(f) for f in files]}, analysis, treename="Events")["q"].value
    assert same(np.sort(found), np.sort(expected))
    assert len(np.unique(expected)) > 3
