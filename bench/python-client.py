"""One half of a round of `python-client.ts`: `client URL SPINE ROUND` makes a training set through the client to pandas, `read FILE` is
what follows the command line's Parquet. Prints seconds, without the start of Python and its imports, and what came."""

import json
import sys
import time

import pandas as pd

from headrace import Client

what, *given = sys.argv[1:]
if what == "client":
    url, spine, number = given
    with Client(url) as client:
        # Another spine each round: no server could give an earlier round's set.
        frame = pd.read_parquet(spine).assign(round=int(number))
        began = time.perf_counter()
        made = client.training_set("service", frame, timestamp="t", progress=False).to_pandas().drop(columns="round")
        seconds = time.perf_counter() - began
else:
    (file,) = given
    began = time.perf_counter()
    made = pd.read_parquet(file)
    seconds = time.perf_counter() - began
sums = {name: int(made[name].sum()) for name in made.columns if name not in ("t",)}
print(json.dumps({"seconds": seconds, "rows": len(made), "columns": len(made.columns), "sums": sums}))
