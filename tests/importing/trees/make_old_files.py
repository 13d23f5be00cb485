"""Writes ``files/xgboost-VERSION_two.json`` with an older XGBoost, and the margins that it gives.

    python -m tests.importing.trees.make_old_files     # once with each of xgboost==1.7.6 and xgboost-cpu==2.1.4

Up to 3.0 a file has one base score; it is given here, a probability of 0.37.
"""

from __future__ import annotations

import json

from tests.importing.trees.make_files import DEPTH, FILES, ROUNDS, SHOWN, data


def main() -> None:
    import xgboost

    _, x, two, _, _ = data()
    settings = {"max_depth": DEPTH, "objective": "binary:logistic", "base_score": 0.37}
    booster = xgboost.train(settings, xgboost.DMatrix(x, two), ROUNDS)
    name = f"xgboost-{xgboost.__version__}_two.json"
    booster.save_model(FILES / name)
    margins = json.loads((FILES / "margins.json").read_text(encoding="utf-8"))
    margins[name] = booster.predict(xgboost.DMatrix(x[:SHOWN]), output_margin=True).tolist()
    (FILES / "margins.json").write_text(json.dumps(margins) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
