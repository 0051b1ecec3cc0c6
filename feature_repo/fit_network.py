"""Fits a small network on the flights with PyTorch, and leaves it as ONNX. A step of the pipeline `network_delay`.

By hand it runs on a training set at `past.parquet`, and leaves what it makes in `step-output`.
"""

import numpy as np
import torch
from torch import nn

from headrace_step import step

HIDDEN, EPOCHS, BATCH = 32, 4, 2048
# The last fifth in time is held out, as in train.py.
HELD_OUT = 0.2


class DelayNetwork(nn.Module):
    """Takes features as they are served, [rows, features] with NaN for what is not known; gives the probability of each row."""

    def __init__(self, mean, scale):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        # Whether a feature is known says something itself: an empty window is a quiet airport.
        self.layers = nn.Sequential(
            nn.Linear(2 * len(mean), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
        )

    def logits(self, features):
        missing = torch.isnan(features)
        known = torch.where(missing, torch.zeros_like(features), (features - self.mean) / self.scale)
        return self.layers(torch.cat([known, missing.float()], dim=1)).squeeze(1)

    def forward(self, features):
        return torch.sigmoid(self.logits(features))


def read():
    table = step.table("past", "arrow").sort_by("scheduled_at")
    features = [name for name in table.column_names if "__" in name]
    x = np.stack([table[name].cast("float32", safe=False).to_numpy() for name in features], axis=1)
    return torch.from_numpy(x), torch.from_numpy(table["late"].to_numpy().astype(np.float32))


def fit(x, y, seed):
    torch.manual_seed(seed)
    known = ~torch.isnan(x)
    count = known.sum(0).clamp(min=1)
    mean = torch.nansum(x, 0) / count
    scale = (torch.nansum((x - mean) ** 2, 0) / count).sqrt().clamp(min=1e-6)
    network = DelayNetwork(mean, scale)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(network.logits(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(y))
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {losses[-1]:.4f}")
    return network.eval(), losses


def export(network, features):
    rows = torch.export.Dim("rows")
    torch.onnx.export(
        network, (torch.zeros(2, features),), str(step.file("model.onnx")), input_names=["features"],
        output_names=["probability"], dynamic_shapes=({0: rows},), external_data=False, dynamo=True,
    )


def main():
    step.by_hand(params={"seed": 7}, needs={"past": "past.parquet"})
    x, y = read()
    split = int(len(y) * (1 - HELD_OUT))
    network, losses = fit(x[:split], y[:split], step.params["seed"])
    with torch.no_grad():
        held_out = nn.functional.binary_cross_entropy(network(x[split:]), y[split:])
    export(network, x.shape[1])
    step.metric("log_loss", held_out)
    lines = "\n".join(f"| {epoch + 1} | {loss:.4f} |" for epoch, loss in enumerate(losses))
    step.card(f"# Loss\n\n| epoch | log loss |\n|---|---|\n{lines}\n\n{held_out:.4f} on the last {len(y) - split:,} flights.")
    step.result({"rows": split, "parameters": sum(values.numel() for values in network.parameters())})


main()
