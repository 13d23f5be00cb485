"""A search on a Dask cluster of several processes: the same trials as on this machine, and the same faults survived."""

import os
import signal
import threading
from pathlib import Path

import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.records import State
from codesign.core.runfolder import RunFolder
from codesign.search.cluster import job_queue
from codesign.search.engine import run_study
from tests.processes import wait_for
from tests.search.conftest import PLUGIN
from tests.search.small_search import Notes, changed, optuna_states, refused, search, statuses, trace
from tests.small_study import small_study

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster


def test_a_cluster_of_one_finds_what_one_worker_finds(tmp_path):
    ladder = {"measured": ["placed"]}
    study = changed(target="ulx3s-85f", search={"trials": 6, "population": 4, "ladder": ladder})
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as one:
        front = search(study, tmp_path / "cluster", 6, cluster=one.scheduler_address)
    assert front.model_copy(update={"baseline": {}}) == search(study, tmp_path / "here", 6).model_copy(
        update={"baseline": {}}
    )
    assert front.fronts[1].measured
    assert trace(tmp_path / "cluster") == trace(tmp_path / "here")
    assert optuna_states(tmp_path / "cluster", study) == optuna_states(tmp_path / "here", study)
    assert (tmp_path / "cluster" / "baseline.json").read_bytes() == (tmp_path / "here" / "baseline.json").read_bytes()
    assert not list((tmp_path / "cluster").rglob("*.partial"))


def test_what_fails_dies_or_hangs_on_a_cluster_costs_itself_only(cluster, tmp_path, monkeypatch):
    """Of widths 4 to 8, 4 and 8 fail with a reason, 7 kills its process, 5 hangs."""
    client = distributed.Client(cluster)
    client.run(lambda: os.environ.update({"TOY": "fails suicide hang"}))
    study = changed(
        space={"width": [4, 6, 7, 8], "sparsity": 0.1},
        search={"trials": 4, "sampler": "random", "trial_seconds": 8},
    )
    notes = Notes()
    front = search(study, tmp_path, cluster=cluster.scheduler_address, progress=notes)
    client.close()
    found = statuses(tmp_path)
    assert sorted(found) == [0, 1, 2, 3]
    reasons = {RunFolder(tmp_path).trial(n).read_json("config.json")["width"]: s.reason for n, s in found.items()}
    late = [n for n, s in found.items() if s.reason == "it took longer than 8 s"]
    assert late == [3], "the double hangs in trial 3, whatever was drawn"
    last = RunFolder(tmp_path).trial(3).read_json("config.json")["width"]
    expected = {4: "not exact on event 3", 8: "not exact on event 3", 6: None}
    expected[7] = "its worker was killed by SIGKILL, 2 times"
    expected[last] = "it took longer than 8 s"
    assert reasons == expected
    assert refused(tmp_path, study) == {n: 1.0 for n, s in found.items() if s.state == State.FAILED}
    assert [p.trial for p in front.points] == [n for n, s in found.items() if s.state == State.COMPLETE]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [1, 2])
def test_a_cluster_worker_that_is_killed_loses_nothing(cluster, study, tmp_path, killed):
    """With both goes the sample that they hold."""
    client = distributed.Client(cluster)
    client.run(lambda: os.environ.update({"TOY": "slow"}))
    pids = list(client.run(os.getpid).values())

    def kill():
        wait_for((tmp_path / "trials" / "0002").exists)
        for pid in pids[:killed]:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    front = search(study, tmp_path, 6, cluster=cluster.scheduler_address)
    killer.join()
    client.close()
    found = statuses(tmp_path)
    assert sorted(found) == list(range(6))
    assert {s.state for s in found.values()} <= {State.COMPLETE, State.INFEASIBLE}
    assert sorted(n for n, state, _ in optuna_states(tmp_path, study) if state == "COMPLETE") == list(range(6))
    assert front.points


@pytest.mark.slow
def test_real_candidates_on_a_cluster(cluster, tmp_path):
    """Trained, compiled and proven in processes that share no folder with the driver, but a store."""
    store = f"file://{tmp_path}/store"
    front = run_study(small_study(), tmp_path / "run", 1, store=store, cluster=cluster.scheduler_address)
    assert [p.trial for p in front.points] == [0]
    assert front.points[0].verified.exact
    assert (tmp_path / "run" / "trials" / "0000" / "firmware" / "src" / "codesign_top.v").is_file()
    kinds = {p.relative_to(tmp_path / "store").parts[0] for p in (tmp_path / "store").rglob("*.zip")}
    assert kinds == {"weights", "firmware", "synthesis"}


def test_no_scheduler_is_named(study, tmp_path, monkeypatch):
    monkeypatch.setattr("codesign.search.cluster._SECONDS_TO_CONNECT", 1.0)
    with pytest.raises(InputError, match=r"--cluster: no Dask scheduler with a worker at tcp://127.0.0.1:9 "):
        search(study, tmp_path, 2, cluster="tcp://127.0.0.1:9")


def test_a_batch_system_from_its_file(study, tmp_path, monkeypatch):
    """Dask-Jobqueue's own stand-in for a batch system, which runs its job scripts here."""
    monkeypatch.setenv("PYTHONPATH", f"{PLUGIN}")  # a job is a new process: the plug-in has to be installed there
    path = tmp_path / "batch.yaml"
    path.write_text("kind: local\njobs: 1\nsettings: {cores: 1, memory: 1 GB, interface: lo}\n")
    front = search(study, tmp_path / "run", 2, cluster=str(path))
    assert sorted(statuses(tmp_path / "run")) == [0, 1]
    assert front.points


def test_the_example_of_lxplus_is_a_htcondor_job():
    example = Path(__file__).parents[2] / "search" / "clusters" / "lxplus.yaml"
    queue, jobs = job_queue(example)
    with queue:
        script = queue.job_script()
    assert jobs == 20
    assert '+JobFlavour = "longlunch"' in script
    assert "DaskWorkerCores = 1\n" in script


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: htcondr\njobs: 1\n", "kind"),
        ("kind: slurm\n", "jobs"),
        ("kind: local\njobs: 1\nsettings: {coers: 2}\n", "coers"),
    ],
)
def test_a_wrong_file_is_named(text, words, tmp_path):
    path = tmp_path / "batch.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"batch.yaml.*{words}"):
        job_queue(path)


def test_a_batch_system_that_is_not_here_is_named(study, tmp_path):
    path = tmp_path / "batch.yaml"
    path.write_text("kind: slurm\njobs: 1\nsettings: {cores: 1, memory: 1 GB, interface: lo}\n")
    with pytest.raises(ToolError, match=r"needs 'sbatch', which is not on the PATH"):
        search(study, tmp_path / "run", 2, cluster=str(path))
