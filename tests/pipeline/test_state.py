"""What survives a crash, how it starts and stops, and how fast it takes rows."""

import concurrent.futures
import importlib.util
import io
import json
import subprocess
import sys
import time

import duckdb
import httpx
import pytest
from conftest import PROJECT
from pipeline_client import PipelineProcess, event_row, person_row


def test_everything_answered_with_200_survives_a_kill(own_pipeline):
    own_pipeline.client.send([event_row(uuid=f"u{n}") for n in range(50)] + [{}])
    own_pipeline.client.send([person_row("p", 1)], "persons")
    own_pipeline.kill()
    own_pipeline.start()
    client = own_pipeline.client
    assert [row["uuid"] for row in client.rows()] == [f"u{n}" for n in range(50)]
    assert len(client.bad()) == 1
    client.send([event_row(uuid="next")])
    own_pipeline.kill()
    own_pipeline.start()
    client = own_pipeline.client
    assert client.rows()[-1]["uuid"] == "next"
    grows = "SELECT count(*) = count(DISTINCT __ingest_ts) AS ok FROM events"
    assert client.sql(grows) == [{"ok": True}]
    assert client.sql("SELECT count(*) AS n FROM persons_current") == [{"n": 1}]


def test_a_kill_in_the_middle_of_sends_loses_none_that_was_answered(own_pipeline):
    answered = []

    def send(worker):
        with httpx.Client(base_url=own_pipeline.url) as http:
            for n in range(10_000):
                uuid = f"{worker}/{n}"
                try:
                    status = http.post("/", json=[event_row(uuid=uuid)]).status_code
                except httpx.TransportError:
                    return
                if status == 200:
                    answered.append(uuid)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(send, worker) for worker in range(4)]
        while len(answered) < 100 and not all(worker.done() for worker in workers):
            time.sleep(0.01)
        own_pipeline.process.kill()
        concurrent.futures.wait(workers)
    own_pipeline.kill()
    own_pipeline.start()
    landed = [row["uuid"] for row in own_pipeline.client.rows()]
    assert len(answered) >= 100
    assert set(answered) <= set(landed)
    assert len(landed) == len(set(landed))


def test_sigterm_ends_it_at_once_even_with_requests_hanging(own_pipeline):
    own_pipeline.client.fault(count=1, hang=True)
    hanging = httpx.Client(base_url=own_pipeline.url, timeout=None)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        request = pool.submit(hanging.post, "/", content="[]")
        while own_pipeline.client.faults() != []:
            time.sleep(0.01)
        # A pipeline that waited for its requests would never end: this one hangs for ever.
        own_pipeline.stop()
        with pytest.raises(httpx.TransportError):
            request.result()


def test_it_says_in_one_line_when_it_is_ready(own_pipeline):
    said = (own_pipeline.state_dir / "pipeline.log").read_text()
    assert said == f"fake pipeline ready {own_pipeline.url}\n"


def run_to_its_end(*words):
    command = [sys.executable, "-m", "fake_pipeline", "--port", "0", *words]
    environment = {"PYTHONPATH": str(PROJECT / "fake-pipeline"), "PATH": ""}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


def test_a_state_directory_in_use_is_refused_with_a_sentence(own_pipeline):
    ended = run_to_its_end("--state-dir", str(own_pipeline.state_dir))
    assert ended.returncode == 2
    assert "another fake pipeline" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_view_that_does_not_run_is_refused_with_its_file(tmp_path):
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "broken.sql").write_text("CREATE VIEW x AS SELECT nothing FROM nowhere")
    words = ["--state-dir", str(tmp_path / "state"), "--sql", str(tmp_path / "sql")]
    ended = run_to_its_end(*words)
    assert ended.returncode == 2
    assert "broken.sql" in ended.stderr


def schemas_with(tmp_path, *fields):
    folder = tmp_path / "schemas"
    folder.mkdir(exist_ok=True)
    entries = [dict(zip(("name", "type", "required"), field)) for field in fields]
    (folder / "events.json").write_text(json.dumps({"fields": entries}))
    (tmp_path / "no-sql").mkdir(exist_ok=True)
    return ["--schemas", str(folder), "--sql", str(tmp_path / "no-sql")]


def test_a_column_added_to_a_schema_is_added_to_the_stored_table(tmp_path):
    words = schemas_with(tmp_path, ("a", "string", True))
    with PipelineProcess(tmp_path / "state", words=words) as process:
        process.client.send([{"a": "old"}])
    words = schemas_with(tmp_path, ("a", "string", True), ("b", "int64", False))
    with PipelineProcess(tmp_path / "state", words=words) as process:
        process.client.send([{"a": "new", "b": 5}])
        found = process.client.sql("SELECT a, b FROM events ORDER BY __ingest_ts")
    assert found == [{"a": "old", "b": None}, {"a": "new", "b": 5}]


def test_a_stream_of_the_seeds_twenty_columns_takes_the_rows_of_today(tmp_path):
    """Nobody can change a deployed stream: it strips what it does not know."""
    fields = json.loads((PROJECT / "schemas" / "events.json").read_text())["fields"][:20]
    assert fields[-1]["name"] == "extra"
    words = schemas_with(tmp_path, *[(f["name"], f["type"], f["required"]) for f in fields])
    golden = (PROJECT / "tests" / "golden" / "posthog-js-1.449.2.rows.txt").read_text()
    sent = [json.loads(line) for line in golden.splitlines() if line.startswith("{")]
    assert any("session_id" in row for row in sent)
    with PipelineProcess(tmp_path / "state", words=words) as process:
        process.client.send(sent)
        found = process.client.rows("events")
        assert process.client.bad() == []
    assert len(found) == len(sent)
    for row, got in zip(sent, found):
        assert list(got) == [field["name"] for field in fields]
        assert got == {field["name"]: row.get(field["name"]) for field in fields}


def test_a_column_whose_type_changed_is_refused_with_a_sentence(tmp_path):
    words = schemas_with(tmp_path, ("a", "string", True))
    with PipelineProcess(tmp_path / "state", words=words):
        pass
    words = schemas_with(tmp_path, ("a", "int64", True))
    ended = run_to_its_end("--state-dir", str(tmp_path / "state"), *words)
    assert ended.returncode == 2
    assert "events.a is VARCHAR, the schema now says BIGINT" in ended.stderr


def test_parquet_holds_the_columns_and_values_of_the_table(pipeline, tmp_path):
    pipeline.send([event_row(uuid="u1", properties={"a": [1, "é"]}, team_id=2**40)])
    answer = pipeline.http.get("/export/parquet", params={"stream": "events"})
    assert answer.status_code == 200
    assert io.BytesIO(answer.content).read(4) == b"PAR1"
    path = tmp_path / "events.parquet"
    path.write_bytes(answer.content)
    with duckdb.connect() as connection:
        read = connection.execute(f"SELECT uuid, team_id, properties::VARCHAR, created_at::VARCHAR FROM '{path}'")
        (row,) = read.fetchall()
    assert row == ("u1", 2**40, '{"a": [1, "\\u00e9"]}', "2026-01-02 03:04:05.678")


HAS_ICEBERG = importlib.util.find_spec("pyiceberg") is not None


@pytest.mark.skipif(HAS_ICEBERG, reason="pyiceberg is installed, so its absence cannot be tested")
def test_iceberg_without_pyiceberg_is_refused_with_what_to_install(pipeline):
    answer = pipeline.http.get("/export/iceberg")
    assert answer.status_code == 501
    assert "requirements-iceberg.txt" in answer.json()["errors"][0]["message"]


@pytest.mark.skipif(not HAS_ICEBERG, reason="needs fake-pipeline/requirements-iceberg.txt")
def test_an_iceberg_export_holds_the_rows_and_replaces_the_one_before(pipeline):
    from pyiceberg.table import StaticTable

    for uuid in ("u1", "u2"):
        pipeline.send([event_row(uuid=uuid, properties={"a": uuid})])
        answer = pipeline.http.get("/export/iceberg", params={"stream": "events"})
        assert answer.status_code == 200
    rows = StaticTable.from_metadata(answer.json()["metadata_location"]).scan().to_arrow()
    assert rows["uuid"].to_pylist() == ["u1", "u2"]
    assert rows["properties"].to_pylist() == ['{"a": "u1"}', '{"a": "u2"}']
    assert str(rows.schema.field("created_at").type) == "timestamp[us, tz=UTC]"


def test_an_export_of_an_unknown_stream_is_refused(pipeline):
    for kind in ("parquet", "iceberg"):
        assert pipeline.http.get(f"/export/{kind}?stream=nobody").status_code == 404


def test_concurrent_senders_share_transactions_and_none_is_lost(pipeline):
    def send(worker):
        with httpx.Client(base_url=pipeline.url) as http:
            for n in range(25):
                body = [event_row(uuid=f"{worker}/{n}/{m}") for m in range(2)] + [{}]
                http.post("/", json=body).raise_for_status()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    counts = "SELECT count(*) AS n, count(DISTINCT uuid) AS u, count(DISTINCT __ingest_ts) AS t"
    assert pipeline.sql(f"{counts} FROM events") == [{"n": 400, "u": 400, "t": 400}]
    rows = [row["uuid"].split("/") for row in pipeline.rows()]
    for worker in range(8):
        own = [(int(n), int(m)) for w, n, m in rows if w == str(worker)]
        assert own == sorted(own)
    assert pipeline.health()["streams"]["events"]["bad"] == 200


def test_batches_of_100_rows_arrive_whole_and_in_order(pipeline):
    properties = {f"$property_{n}": f"value number {n}" for n in range(40)}
    sent = []
    for batch in range(20):
        rows = [event_row(uuid=f"u{batch}-{n}", properties=properties) for n in range(100)]
        sent += [row["uuid"] for row in rows]
        assert pipeline.post(json.dumps(rows)).status_code == 200
    assert [row["uuid"] for row in pipeline.rows()] == sent
