"""Feast's own client with a server as its remote online store: `feast-client.py URL FOLDER`. Prints one JSON object of what it saw."""

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import requests
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, PushSource, FileSource, ValueType
from feast.errors import FeastError
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

url, folder = sys.argv[1], Path(sys.argv[2])
(folder / "feature_store.yaml").write_text(f"""
project: shop
provider: local
registry: {folder / 'registry.db'}
online_store:
  type: remote
  path: {url}
  connection_retries: 1
entity_key_serialization_version: 3
""")
store = FeatureStore(repo_path=str(folder))
seen = {}

# What a team that comes from Feast has: its own definitions, applied with its own registry.
pd.DataFrame({"account": pd.Series([], dtype="int64"), "cents": pd.Series([], dtype="int64"),
              "memo": pd.Series([], dtype="str"), "event_timestamp": pd.Series([], dtype="datetime64[us, UTC]")}
             ).to_parquet(folder / "transfers.parquet")
account = Entity(name="account", join_keys=["account"], value_type=ValueType.INT64)
transfers = PushSource(name="transfers", batch_source=FileSource(
    name="transfers_batch", path=str(folder / "transfers.parquet"), timestamp_field="event_timestamp"))
balances = FeatureView(name="balances", entities=[account], ttl=timedelta(days=30), source=transfers,
                       schema=[Field(name="account", dtype=Int64), Field(name="cents", dtype=Int64), Field(name="memo", dtype=String)])
store.apply([account, transfers, balances])


def online(features, entities, **options):
    return store.get_online_features(features=features, entity_rows=entities, **options)


def statuses(response):
    names = {1: "PRESENT", 2: "NULL_VALUE", 3: "NOT_FOUND", 4: "OUTSIDE_MAX_AGE", 0: "INVALID"}
    return {name: [names[one] for one in result.statuses]
            for name, result in zip(response.proto.metadata.feature_names.val, response.proto.results)}


def kinds(response):
    return {name: result.values[0].WhichOneof("val")
            for name, result in zip(response.proto.metadata.feature_names.val, response.proto.results)}


def raised(ask):
    try:
        return {"returned": str(ask())}
    except Exception as error:
        return {"class": type(error).__name__, "message": str(error)}


names = ["amount", "points", "code", "seen", "tags", "embedding", "small", "share", "rates", "bought"]
every = online([f"history:{name}" for name in names], [{"customer": "ada"}, {"customer": "nobody"}])
seen["values"] = every.to_dict()
seen["kinds"] = kinds(every)
seen["statuses"] = statuses(every)
seen["full"] = sorted(online(["history:amount", "recent:amount"], [{"customer": "ada"}], full_feature_names=True).to_dict())
seen["service"] = online(FeatureService(name="shop", features=[]), [{"customer": "ada", "price": 6.0}]).to_dict()
seen["onDemand"] = online(["basket:ratio"], {"customer": ["ada", "nobody"], "price": [6.0, 1.0]}).to_dict()

# A push of the client is a write to each of the source's views.
now = datetime.now(timezone.utc)
large = 9007199254740993
frame = pd.DataFrame({"account": [1, large], "cents": [-9223372036854775808, 9223372036854775807],
                      "memo": ["a ü", None], "event_timestamp": [now - timedelta(minutes=1)] * 2})
store.push("transfers", frame)
store.push("transfers", frame)
pushed = online(["balances:cents", "balances:memo"], [{"account": 1}, {"account": large}, {"account": large - 1}])
seen["pushed"], seen["pushedStatuses"] = pushed.to_dict(), statuses(pushed)
store.write_to_online_store("balances", frame.iloc[:1].assign(cents=5, event_timestamp=now))
seen["written"] = online(["balances:cents"], [{"account": 1}]).to_dict()

# As clients of before 0.60 ask: view by view, with entity keys.
keys = [EntityKey(join_keys=["account"], entity_values=[Value(int64_val=key)]) for key in (large, 3)]
rows = store._get_provider().online_read(store.config, balances, keys, ["cents", "memo"])
seen["read"] = [{name: [value.WhichOneof("val"), str(value.int64_val)] for name, value in values.items()} for _, values in rows]
seen["readTime"] = abs((rows[0][0] - (now - timedelta(minutes=1))).total_seconds()) < 1

seen["errors"] = {
    "view": raised(lambda: online(["nothing:amount"], [{"customer": "ada"}])),
    "feature": raised(lambda: online(["history:amuont"], [{"customer": "ada"}])),
    "service": raised(lambda: online(FeatureService(name="nothing", features=[]), [{"customer": "ada"}])),
    "entity": raised(lambda: online(["history:amount"], [{"costumer": "ada"}])),
    "request": raised(lambda: online(["basket:ratio"], [{"customer": "ada"}])),
    "twice": raised(lambda: online(["history:amount", "recent:amount"], [{"customer": "ada"}])),
    "type": raised(lambda: online(["balances:cents"], [{"account": "one"}])),
}

# Over HTTP as Feast's guides do it: no Content-Type, times without a zone, in one body.
minute = (now - timedelta(seconds=30)).replace(tzinfo=None)
body = {"push_source_name": "visits", "to": "online",
        "df": {"customer": ["eve"], "amount": [4], "event_timestamp": [str(minute)], "created": [str(minute)]}}
seen["http"] = [requests.post(f"{url}/push", data=json.dumps(body)).status_code for _ in range(2)]
seen["httpRead"] = online(["recent:amount"], [{"customer": "eve"}]).to_dict()
detail = requests.post(f"{url}/push", json={**body, "push_source_name": "visit"}).json()
seen["httpError"] = type(FeastError.from_error_detail(detail)).__name__
seen["health"] = requests.get(f"{url}/health").status_code
print(json.dumps(seen, default=str))
