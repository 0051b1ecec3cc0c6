"""Writes tables of a lake for the tests, with the libraries that others write them with: pyiceberg and deltalake.

Reads requests as JSON lines, answers each with one. What these libraries can't write is written by hand here, by the
formats' own specifications: deletes of rows by position and by value (Iceberg), deletion vectors and renamed columns (Delta).
"""

import json
import os
import shutil
import struct
import sys
import tempfile
import time
import traceback

import pyarrow as pa
import pyarrow.parquet as pq


class Iceberg:
    """Tables of a catalog in a SQLite file of this process, or of a REST catalog."""

    def __init__(self):
        self.catalogs = {}
        self.folder = tempfile.mkdtemp(prefix="headrace-lake-")

    def catalog(self, warehouse, s3=None, rest=None):
        if warehouse not in self.catalogs:
            from pyiceberg.catalog.sql import SqlCatalog
            from pyiceberg.catalog.rest import RestCatalog

            properties = {"warehouse": warehouse}
            if s3 is not None:
                properties |= {
                    "s3.endpoint": s3["endpoint"],
                    "s3.access-key-id": s3["accessKeyId"],
                    "s3.secret-access-key": s3["secretAccessKey"],
                    "s3.region": "us-east-1",
                    "s3.path-style-access": "true",
                }
            if rest is not None:
                catalog = RestCatalog("rest", **properties, **rest)
            else:
                file = os.path.join(self.folder, f"catalog-{len(self.catalogs)}.db")
                catalog = SqlCatalog("lake", uri=f"sqlite:///{file}", **properties)
            catalog.create_namespace_if_not_exists("lake")
            self.catalogs[warehouse] = catalog
        return self.catalogs[warehouse]

    def create(self, warehouse, table, file, s3=None, rest=None, partition=None, names=None):
        rows = pq.read_table(file)
        rows = rows.rename_columns([(names or {}).get(name, name) for name in rows.column_names])
        made = self.catalog(warehouse, s3, rest).create_table(f"lake.{table}", schema=rows.schema)
        if partition is not None:
            with made.update_spec() as spec:
                spec.add_identity(partition)
        if rows.num_rows > 0:
            made.append(rows)
        return made

    def table(self, warehouse, table):
        return self.catalog(warehouse).load_table(f"lake.{table}")

    def told(self, table):
        snapshot = table.current_snapshot()
        return {
            "location": table.location(),
            "metadata": table.metadata_location,
            "snapshot": None if snapshot is None else str(snapshot.snapshot_id),
            "files": self.data_files(table),
        }

    def data_files(self, table):
        # Its own plan of a scan refuses tables with deletes by value.
        snapshot = table.current_snapshot()
        manifests = [] if snapshot is None else snapshot.manifests(table.io)
        entries = [one for manifest in manifests for one in manifest.fetch_manifest_entry(table.io)]
        return [one.data_file.file_path for one in entries if one.data_file.content == 0]

    def add_deletes(self, table, file, rows, content, equality_ids=None):
        """Commits a delete file, which this library reads and does not write."""
        from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
        from pyiceberg.table.snapshots import Operation
        from pyiceberg.table.update.snapshot import _FastAppendFiles
        from pyiceberg.typedef import Record

        class DeletesWriter(ManifestWriterV2):
            def content(self):
                return ManifestContent.DELETES

            @property
            def _meta(self):
                return {**super()._meta, "content": "deletes"}

        class AddDeletes(_FastAppendFiles):
            def new_manifest_writer(self, spec):
                return DeletesWriter(spec, self.schema(), self.new_manifest_output(), self._snapshot_id, self._compression)

        path = f"{table.location()}/data/{file}"
        with table.io.new_output(path).create() as out:
            pq.write_table(rows, out)
        with table.transaction() as transaction:
            with AddDeletes(operation=Operation.OVERWRITE, transaction=transaction, io=table.io) as adding:
                adding.append_data_file(
                    DataFile.from_args(
                        content=DataFileContent[content],
                        file_path=path,
                        file_format=FileFormat.PARQUET,
                        partition=Record(),
                        record_count=rows.num_rows,
                        file_size_in_bytes=len(table.io.new_input(path)),
                        equality_ids=equality_ids,
                        sort_order_id=None,
                        spec_id=table.spec().spec_id,
                    )
                )


def with_field_ids(schema, ids):
    return pa.schema([f.with_metadata({"PARQUET:field_id": str(i)}) for f, i in zip(schema, ids)])


iceberg = Iceberg()


def iceberg_create(warehouse, table, file, s3=None, rest=None, partition=None, names=None):
    """`names`: other names of the file's columns, which the table's are to have."""
    return iceberg.told(iceberg.create(warehouse, table, file, s3, rest, partition, names))


def iceberg_tell(warehouse, table):
    return iceberg.told(iceberg.table(warehouse, table))


def iceberg_append(warehouse, table, file):
    found = iceberg.table(warehouse, table)
    found.append(pq.read_table(file))
    return iceberg.told(found)


def iceberg_overwrite(warehouse, table, file):
    found = iceberg.table(warehouse, table)
    found.overwrite(pq.read_table(file))
    return iceberg.told(found)


def iceberg_compact(warehouse, table):
    found = iceberg.table(warehouse, table)
    found.overwrite(found.scan().to_arrow())
    return iceberg.told(found)


def iceberg_delete(warehouse, table, where):
    """By rewriting the files that hold such rows."""
    found = iceberg.table(warehouse, table)
    found.delete(where)
    return iceberg.told(found)


def iceberg_delete_positions(warehouse, table, column, value):
    """By a file of positions: merge on read."""
    found = iceberg.table(warehouse, table)
    paths, places = [], []
    for path in iceberg.data_files(found):
        with found.io.new_input(path).open() as opened:
            values = pq.read_table(opened, columns=[column])[column].to_pylist()
        gone = [i for i, one in enumerate(values) if one == value]
        paths += [path] * len(gone)
        places += gone
    schema = pa.schema([("file_path", pa.string()), ("pos", pa.int64())])
    schema = with_field_ids(schema, [2147483546, 2147483545])
    rows = pa.table([pa.array(paths, pa.string()), pa.array(places, pa.int64())], schema=schema)
    iceberg.add_deletes(found, f"positions-{time.time_ns()}.parquet", rows, "POSITION_DELETES")
    return iceberg.told(found)


def iceberg_delete_values(warehouse, table, column, value):
    """By a file of values: merge on read."""
    found = iceberg.table(warehouse, table)
    field = found.schema().find_field(column)
    kind = found.schema().as_arrow().field(column).type
    schema = with_field_ids(pa.schema([pa.field(column, kind)]), [field.field_id])
    rows = pa.table([pa.array([value], kind)], schema=schema)
    iceberg.add_deletes(found, f"values-{time.time_ns()}.parquet", rows, "EQUALITY_DELETES", [field.field_id])
    return iceberg.told(found)


def iceberg_alter(warehouse, table, rename=(), add=(), drop=(), widen=()):
    from pyiceberg import types

    found = iceberg.table(warehouse, table)
    with found.update_schema(allow_incompatible_changes=True) as schema:
        for name in drop:
            schema.delete_column(name)
        for name, to in rename:
            schema.rename_column(name, to)
        for name, kind in widen:
            schema.update_column(name, field_type=getattr(types, kind)())
    with found.update_schema() as schema:
        for name, kind in add:
            schema.add_column(name, getattr(types, kind)())
    return iceberg.told(found)


def iceberg_add_files(warehouse, table, file):
    """A Parquet file that another program wrote, without ids of its columns."""
    found = iceberg.table(warehouse, table)
    found.add_files([file])
    return iceberg.told(found)


def iceberg_expire(warehouse, table):
    """All snapshots but the current one, and the files that only they needed."""
    found = iceberg.table(warehouse, table)
    before = set(found.inspect.all_data_files()["file_path"].to_pylist())
    now = found.current_snapshot().snapshot_id
    old = [one.snapshot_id for one in found.snapshots() if one.snapshot_id != now]
    found.maintenance.expire_snapshots().by_ids(old).commit()
    found.refresh()
    gone = sorted(before - set(iceberg.data_files(found)))
    for path in gone:
        found.io.delete(path)
    return {**iceberg.told(found), "removed": gone}


def iceberg_read(warehouse, table):
    """How many rows this library sees: the other reader of what was written by hand."""
    return {"rows": iceberg.table(warehouse, table).scan().to_arrow().num_rows}


def iceberg_drop(warehouse, table):
    iceberg.catalog(warehouse).purge_table(f"lake.{table}")
    return {}


def storage(s3):
    if s3 is None:
        return None
    return {
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_ACCESS_KEY_ID": s3["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": s3["secretAccessKey"],
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_CONDITIONAL_PUT": "etag",
    }


def delta_table(path, s3=None):
    from deltalake import DeltaTable

    return DeltaTable(path, storage_options=storage(s3))


def delta_told(path, s3=None):
    table = delta_table(path, s3)
    return {"version": table.version(), "files": table.file_uris()}


def delta_write(path, file, mode="append", s3=None, partition=None, merge=False, configuration=None):
    from deltalake import write_deltalake

    write_deltalake(
        path,
        pq.read_table(file),
        mode=mode,
        storage_options=storage(s3),
        partition_by=partition,
        schema_mode="merge" if merge else ("overwrite" if mode == "overwrite" else None),
        configuration=configuration,
    )
    return delta_told(path, s3)


def delta_delete(path, where, s3=None):
    delta_table(path, s3).delete(where)
    return delta_told(path, s3)


def delta_update(path, where, values, s3=None):
    delta_table(path, s3).update(predicate=where, updates=values)
    return delta_told(path, s3)


def delta_merge(path, file, on, s3=None):
    merging = delta_table(path, s3).merge(pq.read_table(file), predicate=on, source_alias="s", target_alias="t")
    merging.when_matched_update_all().when_not_matched_insert_all().execute()
    return delta_told(path, s3)


def delta_optimize(path, s3=None):
    delta_table(path, s3).optimize.compact()
    return delta_told(path, s3)


def delta_vacuum(path, s3=None):
    removed = delta_table(path, s3).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return {**delta_told(path, s3), "removed": removed}


def delta_checkpoint(path, s3=None):
    delta_table(path, s3).create_checkpoint()
    return delta_told(path, s3)


def delta_commit(path, actions):
    """A commit by hand, on disk."""
    version = delta_table(path).version() + 1
    with open(f"{path}/_delta_log/{version:020}.json", "x") as log:
        log.write("".join(json.dumps(one) + "\n" for one in [{"commitInfo": {"timestamp": now()}}, *actions]))


def delta_actions(path, kind):
    found = []
    for name in sorted(os.listdir(f"{path}/_delta_log")):
        if name.endswith(".json"):
            with open(f"{path}/_delta_log/{name}") as log:
                found += [one[kind] for one in map(json.loads, log) if kind in one]
    return found


def now():
    return int(time.time() * 1000)


def delta_rename(path, column, to):
    """Turns column mapping on, where the files keep the names that they have, and renames a column."""
    meta = delta_actions(path, "metaData")[-1]
    schema = json.loads(meta["schemaString"])
    for i, field in enumerate(schema["fields"]):
        physical = {"delta.columnMapping.id": i + 1, "delta.columnMapping.physicalName": field["name"]}
        field["metadata"] = {**physical, **field["metadata"]}
        if field["name"] == column:
            field["name"] = to
    most = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": str(len(schema["fields"]))}
    configuration = {**meta["configuration"], **most}
    features = ["columnMapping", "timestampNtz"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    changed = {**meta, "schemaString": json.dumps(schema), "configuration": configuration}
    delta_commit(path, [{"protocol": protocol}, {"metaData": changed}])
    return {}


def delta_delete_vectors(path, column, value):
    """Deletes rows by a deletion vector for each file that has such rows. The table was made with vectors enabled."""
    from pyroaring import BitMap

    gone = {one["path"] for one in delta_actions(path, "remove")}
    actions = []
    for add in delta_actions(path, "add"):
        if add["path"] in gone:
            continue
        values = pq.read_table(f"{path}/{add['path']}", columns=[column])[column].to_pylist()
        places = BitMap([i for i, one in enumerate(values) if one == value])
        if len(places) == 0:
            continue
        # A magic number, one map of 2^32 rows, its number, its bits: "Deletion Vector Format" of the protocol.
        vector = struct.pack("<IQI", 1681511377, 1, 0) + places.serialize()
        inline = {"storageType": "i", "pathOrInlineDv": z85(vector), "sizeInBytes": len(vector)}
        remove = {"path": add["path"], "deletionTimestamp": now(), "dataChange": True, "partitionValues": {}}
        actions += [{"remove": remove}, {"add": {**add, "deletionVector": {**inline, "cardinality": len(places)}}}]
    delta_commit(path, actions)
    return {}


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(data):
    text = ""
    data += bytes(-len(data) % 4)
    for i in range(0, len(data), 4):
        number = int.from_bytes(data[i : i + 4], "big")
        digits = ""
        for _ in range(5):
            digits = Z85[number % 85] + digits
            number //= 85
        text += digits
    return text


def main():
    known = {name: one for name, one in globals().items() if name.startswith(("iceberg_", "delta_"))}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": known[asked.pop("do")](**asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    shutil.rmtree(iceberg.folder, ignore_errors=True)


main()
