"""Fits a logistic regression on a training set, measures it on days that it has not seen, and writes it as ONNX.

A step of the pipeline `train_return_risk`, which gives
  HEADRACE_STEP_INPUT   a JSON file: {"item": {"l2"}, "needs": {"data": {"path", "features", "labels", "timestamp"}}, ...}
  HEADRACE_STEP_OUTPUT  a folder: model.onnx and result.json {"l2", "auc", ...} go there
"""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

# The last fifth in time is held out: a model is judged on days it has not seen, as it will be in use.
HELD_OUT = 0.2


def read(data):
    """Features as float64 [rows, features] with null as NaN, and labels; both in the order of time."""
    label, timestamp = data["labels"][0], data["timestamp"]
    table = pq.read_table(data["path"], columns=[*data["features"], label, timestamp])
    order = np.argsort(table[timestamp].to_numpy(), kind="stable")
    # cast before to_numpy: a nullable column of whole numbers has no NaN
    columns = [table[name].cast("float64").to_numpy(zero_copy_only=False) for name in data["features"]]
    labels = table[label].cast("float64").to_numpy(zero_copy_only=False)
    return np.stack(columns, axis=1)[order], labels[order]


def fit(x, y, l2):
    """Weights and bias by Newton's method; `l2` holds the weights near zero."""
    with_bias = np.hstack([x, np.ones((len(x), 1))])
    penalty = np.diag([l2] * x.shape[1] + [0.0])
    weights = np.zeros(with_bias.shape[1])
    for _ in range(25):
        probability = sigmoid(with_bias @ weights)
        gradient = with_bias.T @ (probability - y) + penalty @ weights
        curvature = (with_bias * (probability * (1 - probability))[:, None]).T @ with_bias + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights[:-1], weights[-1]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def auc(score, y):
    """The share of pairs of a returned and a kept purchase in which the returned one has the higher score."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    # equal scores share the mean of their ranks
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = y.sum()
    return (rank[y == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y) - positives))


def to_onnx(mean, scale, weights, bias):
    """One input, float [rows, features] in the order of the feature service; NaN stands for "not known"."""
    constants = {"mean": mean, "scale": scale, "weights": weights[:, None], "bias": np.array([bias])}
    graph = helper.make_graph(
        [
            helper.make_node("IsNaN", ["features"], ["unknown"]),
            helper.make_node("Where", ["unknown", "mean", "features"], ["known"]),
            helper.make_node("Sub", ["known", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "scale"], ["scaled"]),
            helper.make_node("Gemm", ["scaled", "weights", "bias"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["probability"]),
        ],
        "return_risk",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(weights)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main():
    step = json.loads(Path(os.environ["HEADRACE_STEP_INPUT"]).read_text())
    out = Path(os.environ["HEADRACE_STEP_OUTPUT"])
    l2 = step["item"]["l2"]
    x, y = read(step["needs"]["data"])
    split = int(len(y) * (1 - HELD_OUT))

    # What a feature is like where it is known stands in where it is not.
    mean, scale = np.nanmean(x[:split], axis=0), np.nanstd(x[:split], axis=0) + 1e-9
    scaled = (np.where(np.isnan(x), mean, x) - mean) / scale
    weights, bias = fit(scaled[:split], y[:split], l2)
    held_out = auc(scaled[split:] @ weights + bias, y[split:])

    (out / "model.onnx").write_bytes(to_onnx(mean, scale, weights, bias))
    result = {
        "l2": l2,
        "auc": round(float(held_out), 4),
        "return_rate": round(float(y.mean()), 4),
        "rows_trained": split,
        "rows_held_out": len(y) - split,
    }
    (out / "result.json").write_text(json.dumps(result))
    print(f"l2 {l2}: AUC {result['auc']} on the last {result['rows_held_out']:,} purchases, which it has not seen")


if __name__ == "__main__":
    main()
