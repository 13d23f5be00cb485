"""Score NanoAOD in coffea with a bundle, and compare with what ``codesign apply`` wrote.

    python coffea_job.py jets.zip nano.root scores.root [iterative] [futures] [dask] [dask-awkward]

runs the job in the Iterative, Futures and Dask executors, and lazily with dask-awkward where that is installed; it ends
with 1 where one of them differs from the file of scores.
"""

import importlib.util
import sys
import warnings

import awkward as ak
import numpy as np
from coffea import processor
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from codesign.handoff.apply import Scorer
from codesign.physics.events import read_events


class Scores(processor.ProcessorABC):
    """All integers of the first output, with the event's number, in any order of the chunks."""

    def __init__(self, bundle):
        self.scorer = Scorer(bundle)

    def process(self, events):
        """One chunk."""
        scores = self.scorer(events)[f"{self.scorer.outputs[0]}_code"]
        jets = ak.num(scores) if scores.ndim > 1 else np.ones(len(scores), dtype=np.int64)
        flat = ak.flatten(scores) if scores.ndim > 1 else scores
        return {
            "event": processor.column_accumulator(np.repeat(np.asarray(events.event), np.asarray(jets))),
            "code": processor.column_accumulator(np.asarray(flat)),
        }

    def postprocess(self, accumulator):
        """Nothing."""
        return accumulator


def main(bundle, nano, written, *wanted):
    """Run the job everywhere; how many executors differ from the file of scores."""
    job, wrong = Scores(bundle), 0
    branch = f"{job.scorer.outputs[0]}_code"
    (whole,) = read_events(written, ["event", "codesign"])
    expected = [np.asarray(ak.flatten(whole.codesign[branch], axis=None))]
    expected = [np.repeat(np.asarray(whole.event), np.asarray(ak.num(whole.codesign[branch]))), *expected]

    def judge(name, event, code):
        order, other = (np.argsort(e, kind="stable") for e in (event, expected[0]))
        equal = np.array_equal(event[order], expected[0][other]) and np.array_equal(code[order], expected[1][other])
        print(f"{name}: {len(code)} rows, {'equal' if equal else 'NOT EQUAL'} to codesign apply")
        return not equal

    def asked(name):
        return not wanted or name in wanted

    def executors():
        if asked("iterative"):
            yield "iterative", processor.IterativeExecutor(status=False)
        if asked("futures"):
            yield "futures", processor.FuturesExecutor(workers=2, status=False)
        if not asked("dask"):
            return
        from distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            yield "dask", processor.DaskExecutor(client=client, status=False)

    for name, executor in executors():
        run = processor.Runner(executor, chunksize=100, schema=NanoAODSchema)
        found = run({"data": [nano]}, job, treename="Events")
        wrong += judge(name, found["event"].value, found["code"].value)
    if not asked("dask-awkward"):
        return wrong
    if importlib.util.find_spec("dask_awkward") is None:
        print("dask-awkward: not installed, not tried")
        return wrong
    import dask

    lazy = NanoEventsFactory.from_root({nano: "Events"}, mode="dask", schemaclass=NanoAODSchema).events()
    scores = job.scorer(lazy)[branch]
    event, code = dask.compute(lazy.event, scores, scheduler="threads")
    event = np.repeat(np.asarray(event), np.asarray(ak.num(code)))
    return wrong + judge("dask-awkward", event, np.asarray(ak.flatten(code)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(bool(main(*sys.argv[1:])))
