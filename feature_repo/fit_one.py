"""Fits one model of the grid of the pipeline `retrain_delay`, and measures it on the last fifth of its rows in time."""

from headrace_step import step
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from train import HELD_OUT, read


def main():
    past = step.needs["past"]
    x, y, columns = read(past["path"], past["features"])
    split = int(len(y) * (1 - HELD_OUT))
    model = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=step.item["learning_rate"], max_leaf_nodes=step.item["leaves"],
        l2_regularization=1.0, early_stopping=False, random_state=step.params["seed"],
    ).fit(x[:split], y[:split])
    auc = roc_auc_score(y[split:], model.predict_proba(x[split:])[:, 1])
    exported = to_onnx(
        model, initial_types=[("features", FloatTensorType([None, len(columns)]))], options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    step.file("model.onnx").write_bytes(exported.SerializeToString())
    step.metric("auc", round(float(auc), 4))
    step.card(f"# {step.item}\n\nAUC {auc:.4f} on the last {len(y) - split:,} of {len(y):,} flights.")
    step.result({"item": step.item, "rows": split})


main()
