"""Reads features and predictions of a server with pyarrow, as Arrow and as JSON, and holds the one against the other.

`arrow-client.py URL` prints `ok CASES`; whatever differs is raised.
"""

import datetime as dt
import json
import math
import sys
import urllib.error
import urllib.request

import pyarrow as pa

URL = sys.argv[1]
ARROW = "application/vnd.apache.arrow.stream"
UTC = dt.timezone.utc


def ask(path, body, kind=ARROW, accept=ARROW, **headers):
    request = urllib.request.Request(URL + path, data=body, method="POST")
    for name, value in {"content-type": kind, "accept": accept, **headers}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def table_of(content):
    with pa.ipc.open_stream(content) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


# Values as they are sent, and as the answer has them: a function that gives them back sees milliseconds.
micros = dt.datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
SENT = {
    "r_flag": [True, None, False],
    "r_small": [1, 2, -(2**31)],
    "r_large": [2**63 - 1, None, -(2**63)],
    "r_single": [0.5, None, math.inf],
    "r_double": [0.1, None, math.nan],
    "r_name": ["ünï 😀", None, "a text of more than twelve bytes"],
    "r_code": [b"\x00\xff", None, b"more than twelve bytes"],
    "r_seen": [dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), None, micros.replace(microsecond=123000)],
    "r_embedding": [[1.0, 2.0], None, [3.0, -4.5]],
    "r_tags": [["a", None], None, []],
    "r_counts": [[[1, None], None], None, [[]]],
}
TYPES = {
    "r_flag": [pa.bool_()],
    "r_small": [pa.int32(), pa.int64()],
    "r_large": [pa.int64()],
    "r_single": [pa.float32(), pa.float64()],
    "r_double": [pa.float64()],
    "r_name": [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    "r_code": [pa.binary(), pa.large_binary(), pa.binary_view()],
    "r_seen": [pa.timestamp(unit, zone) for unit in ("ms", "us", "ns") for zone in ("UTC", "America/New_York")],
    "r_embedding": [pa.list_(pa.float32(), 2), pa.list_(pa.float64()), pa.large_list(pa.float32())],
    "r_tags": [pa.list_(pa.string()), pa.list_(pa.large_string()), pa.large_list(pa.string_view())],
    "r_counts": [pa.list_(pa.list_(pa.int64())), pa.large_list(pa.list_(pa.int64()))],
}
ACCOUNTS = pa.array([1, 2, 2**53 + 1], pa.int64())
cases = 0

for column, types in TYPES.items():
    for kind in types:
        for batches in (1, 3):
            table = pa.table({"account": ACCOUNTS, column: pa.array(SENT[column], kind)})
            if batches > 1:
                table = pa.concat_tables([table.slice(at, 1) for at in range(3)])
            status, content = ask("/v1/services/all/read?statuses=true&event_times=true", stream(table))
            assert status == 200, (column, kind, content)
            found = table_of(content)
            got = found.column("sent__" + column).to_pylist()
            assert same(got, SENT[column]), (column, kind, got, SENT[column])
            status, content = ask("/v1/services/all/read", stream(table), accept="application/json", **{"x-int64": "string"})
            rows = json.loads(content)["rows"]
            assert [row["statuses"].get("sent__" + column, "PRESENT") for row in rows] == found.column(
                "sent__" + column + "__status"
            ).to_pylist()
            cases += 1

# A naive time is UTC; what is finer than a microsecond is cut, and not rounded, before 1970 too.
naive = pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 6000)] * 3, pa.timestamp("us"))
_, content = ask("/v1/services/all/read", stream(pa.table({"account": ACCOUNTS, "r_seen": naive})))
assert table_of(content).column("sent__r_seen").to_pylist()[0] == dt.datetime(2024, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)

# What is stored, with its types; another schema of another hand.
status, content = ask("/v1/services/stored/read?statuses=true&event_times=true", stream(pa.table({"account": ACCOUNTS})))
stored = table_of(content)
assert str(stored.schema.field("known__seen").type) == "timestamp[us, tz=UTC]", stored.schema
assert str(stored.schema.field("known__embedding").type).startswith("fixed_size_list<item: float>[3]"), stored.schema
assert str(stored.schema.field("known__name__status").type) == "dictionary<values=string, indices=int8, ordered=0>"
assert stored.column("known__large").to_pylist() == [2**63 - 1, None, None]
assert stored.column("known__seen").to_pylist()[0] == dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
assert stored.column("known__name__status").to_pylist() == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
cases += 1

# Predictions, and an error, which is always JSON.
status, content = ask("/v1/endpoints/checkout/predict", stream(pa.table({"points": pa.array([7, 2**62], pa.int64())})))
predicted = table_of(content)
assert predicted.column_names == ["points", "prediction_id", "version", "variant"]
assert predicted.column("points").to_pylist() == [7, 2**62]
assert json.loads(predicted.schema.metadata[b"endpoint"]) == "checkout"
status, content = ask("/v1/endpoints/checkout/predict", stream(pa.table({"points": ["7"]})))
assert status == 400 and json.loads(content)["errors"][0]["path"] == "inputs.points", content
with pa.BufferOutputStream() as sink:
    table = pa.table({"account": ACCOUNTS})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    status, content = ask("/v1/services/stored/read", sink.getvalue().to_pybytes())
assert status == 400 and b"compressed" in content, content
cases += 2
print("ok", cases)
