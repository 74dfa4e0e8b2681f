"""The stand-in for Basin SQL: its answer, what it refuses as the real engine does, and with which code."""

import json
import time

import pytest
from conftest import PipelineProcess
from pipeline_client import event_row, person_row

EVENTS = "default.hogflare_events_v1"
PERSONS = "default.hogflare_persons_v1"


def ask(client, query, path="basin-sql", token="secret", body=None):
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    content = json.dumps({"query": query}) if body is None else body
    url = f"/api/v1/accounts/acct/{path}/query/bucket"
    return client.http.post(url, content=content, headers=headers)


def rows(client, query):
    answer = ask(client, query)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["rows"]


def refusal(client, query):
    answer = ask(client, query)
    document = answer.json()
    assert document["success"] is False and document["result"] is None, document
    (error,) = document["errors"]
    return answer.status_code, error["code"], error["message"]


# the answer


@pytest.mark.parametrize("path", ["basin-sql", "r2-sql"])
def test_a_question_is_answered_in_the_real_engines_shape(pipeline, path):
    pipeline.send([event_row(uuid="a", timestamp="2026-01-02T03:04:05.678Z")])
    query = f"SELECT uuid, team_id, timestamp, properties FROM {EVENTS}"
    document = ask(pipeline, query, path).json()
    assert document["success"] is True and document["errors"] == []
    result = document["result"]
    assert result["rows"] == [{"uuid": "a", "team_id": 1, "timestamp": "2026-01-02T03:04:05.678000Z", "properties": None}]
    named = {column["name"]: column["descriptor"]["type"]["name"] for column in result["schema"]}
    assert named == {
        "uuid": "string", "team_id": "int64", "timestamp": "timestamp_us", "properties": "string"
    }  # fmt: skip
    assert set(result["metrics"]) == {
        "bytes_scanned", "files_scanned", "r2_requests_count", "cache_hits"
    }  # fmt: skip


def test_every_stream_is_a_table_and_can_be_described(pipeline):
    shown = rows(pipeline, "SHOW TABLES IN default")
    assert {"namespace": "default", "table": "hogflare_events_v1"} in shown
    assert {row["table"] for row in shown} >= {"hogflare_persons_v1", "hogflare_rejects_v1"}
    assert rows(pipeline, "SHOW DATABASES;") == [{"namespace": "default"}]
    described = rows(pipeline, f"DESCRIBE {PERSONS}")
    assert {"column_name": "distinct_ids", "type": "string"} in described
    assert described[-1] == {"column_name": "__ingest_ts", "type": "timestamp"}
    assert list(rows(pipeline, f"EXPLAIN SELECT uuid FROM {EVENTS}")[0]) == ["plan"]


def test_no_rows_are_an_empty_list(pipeline):
    assert rows(pipeline, f"SELECT uuid FROM {EVENTS}") == []


def test_json_columns_are_text_and_json_functions_read_them(pipeline):
    properties = {"plan": "pro", "n": 3, "price": 1.5, "on": True, "nested": {"a": "b"}, "no": None}
    pipeline.send([event_row(properties=properties)])
    (row,) = rows(
        pipeline,
        "SELECT json_get_str(properties, 'plan') AS plan, json_get_str(properties, 'n') AS n_text, "
        "json_get_int(properties, 'n') AS n, json_get_float(properties, 'n') AS n_float, "
        "json_get_float(properties, 'price') AS price, json_get_bool(properties, 'on') AS is_on, "
        "json_get_str(properties, 'nested', 'a') AS inner_a, json_as_text(properties, 'n') AS as_text, "
        "json_get_json(properties, 'nested') AS nested, json_get_str(properties, 'none') AS missing, "
        "json_as_text(properties, 'no') AS nothing, json_length(properties, 'nested') AS size, "
        f"json_contains(properties, 'plan') AS has FROM {EVENTS}",
    )
    assert row == {
        "plan": "pro", "n_text": None, "n": 3, "n_float": 3.0, "price": 1.5, "is_on": True,
        "inner_a": "b", "as_text": "3", "nested": '{"a":"b"}', "missing": None, "nothing": None,
        "size": 1, "has": True,
    }  # fmt: skip


def test_windows_joins_ctes_sets_and_positional_aggregates_run(pipeline):
    pipeline.send([event_row(uuid=str(n), distinct_id=f"d{n % 2}", timestamp=f"2026-01-0{n + 1}T00:00:00Z") for n in range(4)])
    query = (
        "WITH numbered AS (SELECT uuid, distinct_id, row_number() OVER (PARTITION BY distinct_id "
        f"ORDER BY timestamp DESC) AS place FROM {EVENTS} QUALIFY place = 1) "
        "SELECT n.uuid, count(*) AS events, first_value(e.uuid ORDER BY e.timestamp) AS first_uuid, "
        "last_value(e.uuid ORDER BY e.timestamp) AS last_uuid "
        f"FROM numbered AS n LEFT JOIN {EVENTS} AS e ON e.distinct_id = n.distinct_id "
        "WHERE e.timestamp >= '2026-01-01T00:00:00Z' AND date_trunc('day', e.timestamp) < now() "
        "GROUP BY n.uuid ORDER BY n.uuid LIMIT 10"
    )
    assert rows(pipeline, query) == [
        {"uuid": "2", "events": 2, "first_uuid": "0", "last_uuid": "2"},
        {"uuid": "3", "events": 2, "first_uuid": "1", "last_uuid": "3"},
    ]
    union = f"SELECT uuid FROM {EVENTS} UNION ALL SELECT uuid FROM {EVENTS} ORDER BY uuid LIMIT 3"
    assert [row["uuid"] for row in rows(pipeline, union)] == ["0", "0", "1"]


def test_whole_numbers_divide_to_whole_numbers_and_nulls_are_large(pipeline):
    pipeline.send([event_row(uuid="a", group0="x"), event_row(uuid="b")])
    (row,) = rows(pipeline, f"SELECT count(*) / 4 AS whole, count(*) / 4.0 AS part FROM {EVENTS}")
    assert row == {"whole": 0, "part": 0.5}
    ordered = f"SELECT uuid FROM {EVENTS} ORDER BY group0"
    assert [row["uuid"] for row in rows(pipeline, ordered)] == ["a", "b"]
    assert [row["uuid"] for row in rows(pipeline, f"{ordered} DESC")] == ["b", "a"]


# limits


def test_without_a_limit_there_are_500_rows_and_at_most_10000_can_be_asked_for(pipeline):
    pipeline.send([event_row(uuid=str(n)) for n in range(600)])
    assert len(rows(pipeline, f"SELECT uuid FROM {EVENTS}")) == 500
    assert len(rows(pipeline, f"SELECT uuid FROM {EVENTS} LIMIT 10000")) == 600
    assert rows(pipeline, f"SELECT count(*) AS n FROM (SELECT uuid FROM {EVENTS}) AS x") == [{"n": 600}]
    for limit, message in (("10001", "maximum LIMIT is 10000"), ("0", "minimum LIMIT is 1")):
        found = refusal(pipeline, f"SELECT uuid FROM {EVENTS} LIMIT {limit}")
        assert found == (400, 40004, message)


def test_json_functions_refuse_a_text_of_2000_bytes(pipeline):
    def properties_of(size):
        return {"k": "v", "x": "y" * (size - len('{"k": "v", "x": ""}'))}

    query = f"SELECT json_get_str(properties, 'k') AS k FROM {EVENTS}"
    pipeline.send([event_row(properties=properties_of(1999))])
    assert rows(pipeline, query) == [{"k": "v"}]
    pipeline.send([event_row(properties=properties_of(2000))])
    status, code, message = refusal(pipeline, query)
    assert (status, code) == (400, 40004) and "2000 bytes" in message
    nested = f"SELECT json_get_str(CASE WHEN octet_length(properties) < 2000 THEN properties END, 'k') AS k FROM {EVENTS} ORDER BY k"
    assert rows(pipeline, nested) == [{"k": "v"}, {"k": None}]
    guarded = f"SELECT CASE WHEN octet_length(properties) < 2000 THEN json_get_str(properties, 'k') END AS k FROM {EVENTS} ORDER BY k"
    assert rows(pipeline, guarded) == [{"k": "v"}, {"k": None}]


def test_windows_and_distinct_aggregates_have_a_budget_and_others_have_not(tmp_path):
    words = ["--basin-budget-bytes", "1000"]
    with PipelineProcess(tmp_path / "state", words=words) as process:
        process.client.send([event_row(uuid=f"{n:036d}") for n in range(300)])
        assert rows(process.client, f"SELECT approx_distinct(uuid) > 0 AS n FROM {EVENTS}") == [{"n": True}]
        assert rows(process.client, f"SELECT first_value(uuid ORDER BY uuid) AS u FROM {EVENTS}")
        for what in (
            "count(DISTINCT uuid)",
            "median(strpos(uuid, '1'))",
            "array_agg(uuid)",
            "string_agg(uuid, ',')",
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY strpos(uuid, '1'))",
            "row_number() OVER (ORDER BY uuid)",
        ):
            status, code, message = refusal(process.client, f"SELECT {what} AS x FROM {EVENTS}")
            assert (status, code) == (400, 40004) and "may scan 1000" in message, what
        qualify = f"SELECT uuid FROM {EVENTS} QUALIFY row_number() OVER (ORDER BY uuid) = 1"
        assert refusal(process.client, qualify)[0] == 400
        # Few bytes are no trouble.
        assert rows(process.client, f"SELECT count(DISTINCT team_id) AS n FROM {EVENTS}") == [{"n": 1}]


def test_bytes_scanned_are_those_of_the_columns_and_days_that_are_read(pipeline):
    pipeline.send([event_row(uuid=f"{n:036d}", properties={"x": "y" * 400}) for n in range(100)])

    def scanned(query):
        return ask(pipeline, query).json()["result"]["metrics"]

    narrow = scanned(f"SELECT uuid FROM {EVENTS}")
    assert narrow["bytes_scanned"] == 100 * 36 // 4 and narrow["files_scanned"] == 1
    assert scanned(f"SELECT uuid, properties FROM {EVENTS}")["bytes_scanned"] > 10 * narrow["bytes_scanned"]
    everything = scanned(f"SELECT * FROM {EVENTS}")["bytes_scanned"]
    assert scanned(f"SELECT e.* FROM {EVENTS} AS e")["bytes_scanned"] == everything
    assert scanned(f"SELECT count(*) AS n FROM {EVENTS}")["bytes_scanned"] == 0
    later = scanned(f"SELECT uuid FROM {EVENTS} WHERE __ingest_ts >= '2999-01-01T00:00:00Z'")
    assert later["bytes_scanned"] == 0 and later["files_scanned"] == 0
    sooner = scanned(f"SELECT uuid FROM {EVENTS} WHERE __ingest_ts >= '2020-01-01T00:00:00Z'")
    assert sooner["bytes_scanned"] > 0


def test_rows_are_seen_once_the_sink_has_closed_their_file(tmp_path):
    with PipelineProcess(tmp_path / "state", words=["--basin-roll-seconds", "4"]) as process:
        # At the beginning of a roll, so that the question falls into the same one.
        time.sleep(4 - time.time() % 4)
        process.client.send([event_row()])
        query = f"SELECT count(*) AS n FROM {EVENTS}"
        assert rows(process.client, query) == [{"n": 0}]
        assert process.client.sql("SELECT count(*) AS n FROM events") == [{"n": 1}]
        deadline = time.monotonic() + 20
        while rows(process.client, query) != [{"n": 1}] and time.monotonic() < deadline:
            time.sleep(0.2)
        assert rows(process.client, query) == [{"n": 1}]


# refusals


@pytest.mark.parametrize(
    "query, code, message",
    [
        ("SELEC uuid", 40003, ""),
        ("SELECT uuid FROM", 40003, ""),
        (f"SELECT uuid FROM {EVENTS}; SELECT 1", 40003, "exactly 1 statement"),
        (f"DELETE FROM {EVENTS}", 40003, "read-only"),
        (f"UPDATE {EVENTS} SET uuid = 'x'", 40003, "read-only"),
        (f"INSERT INTO {EVENTS} SELECT * FROM {EVENTS}", 40003, "read-only"),
        ("CREATE TABLE default.x (a INT)", 40003, "read-only"),
        (f"DROP TABLE {EVENTS}", 40003, "read-only"),
        (f"SELECT uuid FROM {EVENTS} LIMIT 10 OFFSET 5", 40003, "OFFSET"),
        (f"SELECT uuid AS offset FROM {EVENTS}", 40003, "OFFSET"),
        (f"SELECT count(*) OVER w FROM {EVENTS} WINDOW w AS (ORDER BY uuid)", 40003, "WINDOW"),
        ("SELECT 1", 40004, "exactly 1 table"),
        ("WITH p AS (SELECT 1 AS n) SELECT n FROM p", 40004, "exactly 1 table"),
        (f"SELECT * EXCLUDE (uuid) FROM {EVENTS}", 40004, "wildcard"),
        (f"SELECT * REPLACE (1 AS uuid) FROM {EVENTS}", 40004, "wildcard"),
        (f"SELECT COLUMNS('u.*') FROM {EVENTS}", 40004, "columns"),
        (f"SELECT unnest(string_to_array(uuid, '-')) FROM {EVENTS}", 40004, ""),
        (f"SELECT x FROM {EVENTS}, unnest(make_array(1)) AS t(x)", 40004, ""),
        (f"SELECT * FROM {EVENTS} AS e, LATERAL (SELECT e.uuid) AS l", 40004, ""),
        (f"PIVOT {EVENTS} ON event USING count(*)", 40003, ""),
        (f"SELECT * FROM {EVENTS} PIVOT (count(*) FOR event IN ('a'))", 40004, "PIVOT"),
        (
            f"WITH RECURSIVE r AS (SELECT uuid FROM {EVENTS} UNION ALL SELECT uuid FROM r) SELECT * FROM r",
            40004,
            "recursive",
        ),
        (
            f"SELECT * FROM ({EVENTS} AS a JOIN {EVENTS} AS b ON a.uuid = b.uuid) JOIN {EVENTS} AS c ON b.uuid = c.uuid",
            40004,
            "nested",
        ),
        (f"SELECT properties->>'$.plan' FROM {EVENTS}", 40004, "json_get_str"),
        (f"SELECT properties->'plan' FROM {EVENTS}", 40004, "json_get_str"),
        (f"SELECT json_extract_string(properties, '$.plan') FROM {EVENTS}", 40004, "json_extract_string"),
        (f"SELECT arg_max(uuid, timestamp) FROM {EVENTS}", 40004, "arg_max"),
        (f"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY team_id) FROM {EVENTS}", 40004, "ercentile_disc"),
        (f"SELECT event, count(*) FROM {EVENTS} GROUP BY ALL", 40004, "GROUP BY ALL"),
        (f"SELECT nothing FROM {EVENTS}", 40004, "nothing"),
        ("SELECT uuid FROM events", 40004, "namespace_name.table_name"),
        ("SELECT uuid FROM default.nothing", 40004, "not found"),
        ("SELECT uuid FROM events_landed", 40004, "namespace_name.table_name"),
        ("SELECT * FROM read_text('/etc/hostname')", 40004, ""),
        ("SELECT * FROM '/etc/hostname'", 40004, ""),
        (f"SELECT _row FROM {EVENTS}", 40004, "_row"),
        (
            f"SELECT uuid FROM {EVENTS} WHERE person_id NOT IN (SELECT merged_into FROM {PERSONS})",
            40004,
            "NOT EXISTS",
        ),
    ],
)
def test_what_the_real_engine_refuses_is_refused_with_its_code(pipeline, query, code, message):
    status, found, sentence = refusal(pipeline, query)
    assert (status, found) == (400, code), sentence
    assert message in sentence


def test_not_in_on_a_required_column_and_not_exists_are_taken(pipeline):
    pipeline.send([event_row(uuid="a", distinct_id="x"), event_row(uuid="b", distinct_id="y")])
    pipeline.send([person_row("x", 1)], "persons")
    taken = [
        f"SELECT uuid FROM {EVENTS} WHERE distinct_id NOT IN (SELECT distinct_id FROM {PERSONS})",
        f"SELECT e.uuid FROM {EVENTS} AS e WHERE NOT EXISTS (SELECT 1 FROM {PERSONS} AS p WHERE p.distinct_id = e.distinct_id)",
    ]
    for query in taken:
        assert rows(pipeline, query) == [{"uuid": "b"}]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"query": 1}', '{"query": " "}', "SELECT 1"])
def test_a_body_without_a_query_is_refused(pipeline, body):
    answer = ask(pipeline, "", body=body)
    assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == 40003


def test_a_token_is_needed_and_where_one_is_set_the_right_one(pipeline, tmp_path, monkeypatch):
    query = f"SELECT uuid FROM {EVENTS}"
    assert ask(pipeline, query, token=None).status_code == 403
    assert ask(pipeline, query, token=" x").status_code == 200
    monkeypatch.setenv("FAKE_BASIN_SQL_TOKEN", "right")
    with PipelineProcess(tmp_path / "state") as process:
        assert ask(process.client, query, token="wrong").status_code == 403
        assert ask(process.client, query, token="right").status_code == 200
