"""The Iceberg tables on disk: what arrived, once, by day, for every reader."""

import json
import time

import duckdb
import polars
from conftest import PipelineProcess
from pipeline_client import event_row, person_row
from pyiceberg.catalog.sql import SqlCatalog

EVENTS = "default.hogflare_events_v1"


def catalog_of(process):
    place = (process.state_dir / "lake").resolve()
    return SqlCatalog("local", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")


def write(process):
    answer = process.client.http.post("/lake")
    assert answer.status_code == 200, answer.text
    return answer.json()["tables"]


def uuids(process, name=EVENTS):
    return sorted(catalog_of(process).load_table(name).scan().to_arrow()["uuid"].to_pylist())


def test_pyiceberg_duckdb_and_polars_read_the_same_rows(own_pipeline):
    properties = {"plan": "pro", "price": 1.1}
    own_pipeline.client.send([event_row(uuid="a", timestamp="2026-01-02T03:04:05.678Z", properties=properties)])
    own_pipeline.client.send([event_row(uuid="b", custom_properties={"x": 1})])
    own_pipeline.client.send([person_row("p", 1, distinct_ids=["p", "q"])], "persons")
    tables = write(own_pipeline)
    assert {name: table["rows"] for name, table in tables.items()} == {
        "events": 2, "persons": 1, "rejects": 0, "distinct_ids": 0
    }  # fmt: skip
    table = catalog_of(own_pipeline).load_table(EVENTS)
    by_pyiceberg = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["uuid"])
    assert json.loads(by_pyiceberg[0]["properties"]) == properties
    assert by_pyiceberg[0]["timestamp"].isoformat() == "2026-01-02T03:04:05.678000+00:00"
    by_polars = polars.scan_iceberg(table).sort("uuid").collect().to_dicts()
    assert by_polars == by_pyiceberg
    files = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
    cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?) ORDER BY uuid", [files])
    names = [column[0] for column in cursor.description]
    by_duckdb = [dict(zip(names, row)) for row in cursor.fetchall()]
    assert [row["properties"] for row in by_duckdb] == [row["properties"] for row in by_pyiceberg]
    assert [row["timestamp"] for row in by_duckdb] == [row["timestamp"] for row in by_pyiceberg]


def test_the_tables_are_partitioned_by_the_day_of_arrival(own_pipeline):
    own_pipeline.client.send([event_row()])
    write(own_pipeline)
    table = catalog_of(own_pipeline).load_table(EVENTS)
    (field,) = table.spec().fields
    assert str(field.transform) == "day"
    assert table.schema().find_column_name(field.source_id) == "__ingest_ts"


def test_what_is_written_again_is_only_what_is_new_also_after_a_kill(own_pipeline):
    own_pipeline.client.send([event_row(uuid="a")])
    write(own_pipeline)
    write(own_pipeline)
    own_pipeline.client.send([event_row(uuid="b"), event_row(uuid="b")])
    write(own_pipeline)
    assert uuids(own_pipeline) == ["a", "b", "b"]
    own_pipeline.client.send([event_row(uuid="c")])
    own_pipeline.kill()
    own_pipeline.start()
    assert write(own_pipeline)["events"]["rows"] == 4
    assert uuids(own_pipeline) == ["a", "b", "b", "c"]


def test_a_reset_empties_the_tables_too(own_pipeline):
    own_pipeline.client.send([event_row(uuid="a")])
    write(own_pipeline)
    own_pipeline.client.reset()
    own_pipeline.client.send([event_row(uuid="b")])
    write(own_pipeline)
    assert uuids(own_pipeline) == ["b"]


def test_with_the_switch_the_tables_follow_the_streams_by_themselves(tmp_path):
    process = PipelineProcess(tmp_path / "state", words=["--lake-seconds", "0.2"])
    with process:
        process.client.send([event_row(uuid="a")])
        for uuid, expected in (("b", ["a", "b"]), ("c", ["a", "b", "c"])):
            process.client.send([event_row(uuid=uuid)])
            deadline = time.monotonic() + 60
            while True:
                try:
                    found = uuids(process)
                except Exception:
                    found = None  # the table is not there yet
                if found == expected or time.monotonic() > deadline:
                    break
            assert found == expected
