"""The same events as tables of six kinds: columns in other orders, labels of other kinds, none of our names."""

import h5py
import numpy as np
import pyarrow as pa
import uproot
from pyarrow import csv, feather, parquet

COLUMNS = ("ht", "lepton_eta", "lepton_pt", "mass", "jets")
#: file -> the column of its label, and its classes
LABELS = {
    "a.csv": ("is_signal", {0: "background", 1: "signal"}),
    "b.parquet": ("kind", {"background": "background", "signal": "signal"}),
    "c.feather": ("target", {1: "background", 0: "signal"}),  # swapped
    "d.h5": ("label", {0: "background", 1: "signal"}),
    "e.npz": ("truth", {0: "background", 1: "signal"}),
    "f.root": ("isSignal", {False: "background", True: "signal"}),
}


def events(rows=600, seed=1):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    pt = rng.exponential(40, rows) + 20 + 25 * y
    return y, {
        "ht": pt * rng.uniform(1, 3, rows),
        "lepton_eta": rng.normal(0, 1.2 - 0.3 * y, rows),
        "lepton_pt": pt,
        "mass": np.abs(rng.normal(80 + 15 * y, 12, rows)) + 1,
        "jets": rng.poisson(3 + y, rows),
    }


def six_tables(folder, rows=600):
    y, columns = events(rows)
    names = ["mass", "jets", "lepton_pt", "ht", "lepton_eta"]
    shuffled = {name: columns[name] for name in names}
    csv.write_csv(pa.table({**shuffled, "is_signal": y}), folder / "a.csv")
    parquet.write_table(pa.table({**columns, "kind": np.where(y == 1, "signal", "background")}), folder / "b.parquet")
    feather.write_feather(pa.table({"target": 1 - y, **columns}), folder / "c.feather")
    with h5py.File(folder / "d.h5", "w") as file:
        for name, values in {**columns, "label": y}.items():
            file[name] = values
    np.savez(folder / "e.npz", **columns, truth=y)
    with uproot.recreate(folder / "f.root") as file:
        whole = {**columns, "isSignal": y.astype(bool)}
        file.mktree("Events", {name: values.dtype for name, values in whole.items()})
        file["Events"].extend(whole)
    return folder
