"""Trains one delay model on a training set, measures it honestly, and writes it as ONNX.

Run as a step of the pipeline `train_delay` (see docs/reference/step-environment.md):
  HEADRACE_STEP_INPUT   a JSON file: {"params": {"seed"}, "item": {"kind"}, "needs": {"data": {"path", "features"}}}
  HEADRACE_STEP_OUTPUT  a folder: model.onnx and result.json {"kind", "auc", ...} go there
or by hand:
  python train.py --data training-set.parquet --kind boosting --out some-folder
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LABEL = "late"
TIMESTAMP = "scheduled_at"
# The last fifth in time is held out: a model is judged on days it has not seen, as it will be in use.
HELD_OUT = 0.2


def make_model(kind, seed):
    if kind == "logistic":
        # An empty window has no rate: the mean stands in for it.
        return make_pipeline(SimpleImputer(strategy="mean"), StandardScaler(), LogisticRegression(max_iter=300))
    if kind == "boosting":
        # Takes NaN as it is: "no flights in the window" is a branch of its own.
        return HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.08, max_leaf_nodes=31, l2_regularization=1.0, early_stopping=False,
            random_state=seed,
        )
    raise SystemExit(f'unknown kind of model "{kind}"; known are "logistic" and "boosting"')


def read(path, features):
    """The features as float32 [rows, features], null as NaN; labels; both in the order of time."""
    columns = features or [name for name in pq.read_schema(path).names if "__" in name]
    table = pq.read_table(path, columns=[*columns, LABEL, TIMESTAMP])
    order = np.argsort(table[TIMESTAMP].to_numpy(), kind="stable")
    x = np.empty((table.num_rows, len(columns)), dtype=np.float32)
    for at, name in enumerate(columns):
        # cast before to_numpy: a nullable column of whole numbers has no NaN
        x[:, at] = table[name].cast("float32", safe=False).to_numpy(zero_copy_only=False)
    return x[order], table[LABEL].to_numpy(zero_copy_only=False).astype(np.int64)[order], columns


def train(path, kind, seed, features, out):
    x, y, columns = read(path, features)
    split = int(len(y) * (1 - HELD_OUT))
    model = make_model(kind, seed).fit(x[:split], y[:split])
    auc = roc_auc_score(y[split:], model.predict_proba(x[split:])[:, 1])

    # One input, float [rows, features] in the order of the feature service; no ZipMap, so probabilities are a tensor.
    exported = to_onnx(
        model, initial_types=[("features", FloatTensorType([None, len(columns)]))], options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    (out / "model.onnx").write_bytes(exported.SerializeToString())
    return {
        "kind": kind,
        "auc": round(float(auc), 4),
        "late_rate": round(float(y.mean()), 4),
        "rows_trained": split,
        "rows_held_out": len(y) - split,
        "features": columns,
    }


def main():
    arguments = argparse.ArgumentParser(description="Trains one delay model and writes it as ONNX.")
    arguments.add_argument("--data")
    arguments.add_argument("--kind", default="boosting")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--out", default=".")
    given = arguments.parse_args()

    if "HEADRACE_STEP_INPUT" in os.environ:
        step = json.loads(Path(os.environ["HEADRACE_STEP_INPUT"]).read_text())
        data, kind, seed = step["needs"]["data"], step["item"]["kind"], step["params"]["seed"]
        path, features, out = data["path"], data.get("features"), Path(os.environ["HEADRACE_STEP_OUTPUT"])
    else:
        path, features, kind, seed, out = given.data, None, given.kind, given.seed, Path(given.out)
        out.mkdir(parents=True, exist_ok=True)

    result = train(path, kind, seed, features, out)
    print(f"{kind}: AUC {result['auc']} on the last {result['rows_held_out']:,} flights, which it has not seen")
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
