"""What a Headrace step is given, and what it gives back, in calls that an editor completes.

    from headrace_step import step

    frame = step.table("data")
    step.metric("auc", 0.81)
    step.file("model.onnx").write_bytes(onnx)
    step.result({"kind": step.item["kind"]})

It needs the standard library alone; pandas, polars and pyarrow are used where they are installed. Headrace puts it on the
path of each Python step and notebook. What it reads and writes is the step environment (docs/reference/step-environment.md).
"""

from ._given import NotGiven
from ._step import Card, NotAStep, Step

step: Step = Step()
"""This process's step. It is read when first asked for, so that importing it outside of a run does no harm."""

__all__ = ["Card", "NotAStep", "NotGiven", "Step", "step"]
