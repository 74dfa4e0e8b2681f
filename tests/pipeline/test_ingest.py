"""Ingest: what is refused, what silently never arrives, and what arrives exactly as it came."""

import json

import pytest
from conftest import PROJECT
from pipeline_client import PipelineProcess, event_row, person_row

EMPTY = {"events": [], "persons": [], "rejects": [], "distinct_ids": [], "bad": []}

FITS = '"uuid":"u","source":"s","event":"e","distinct_id":"d","created_at":"2026-01-01T00:00:00Z"'


def send_text(pipeline, text, stream="events"):
    answer = pipeline.post(text, stream)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rows_arrive_in_the_order_they_were_sent(pipeline):
    for first in range(0, 30, 10):
        pipeline.send([event_row(uuid=f"u{n}") for n in range(first, first + 10)])
    assert [row["uuid"] for row in pipeline.rows()] == [f"u{n}" for n in range(30)]
    assert pipeline.http.get("/events").json() == pipeline.rows("events")


def test_the_answer_counts_every_row_also_those_that_never_arrive(pipeline):
    rows = [event_row(uuid="good"), event_row(uuid=None), {"uuid": "lonely"}]
    answer = send_text(pipeline, json.dumps(rows))
    assert answer == {"success": True, "result": {"committed": 3}}
    assert [row["uuid"] for row in pipeline.rows()] == ["good"]
    assert [row["reason"] for row in pipeline.bad()] == ["null_value", "missing_field"]


def test_a_row_has_every_column_and_no_other(pipeline):
    pipeline.send([event_row(uuid="u1", surprise={"a": 1}, Team_Id=5)])
    (row,) = pipeline.rows()
    schema = json.loads((PROJECT / "schemas" / "events.json").read_text())
    assert list(row) == [field["name"] for field in schema["fields"]]
    assert list(row)[:20] == [
        "uuid", "team_id", "source", "event", "distinct_id", "timestamp", "created_at",
        "properties", "context", "person_id", "person_created_at", "person_properties", "group0",
        "group1", "group2", "group3", "group4", "group_properties", "api_key", "extra",
    ]  # fmt: skip
    assert row["context"] is None


@pytest.mark.parametrize(
    "properties",
    [
        '{"big":12345678901234567890,"price":1.10,"tiny":1e-400,"neg":-0,"exp":1E5}',
        '{ "spaced" : [ 1 , 2 ] }',
        '{"a":1,"a":2}',
        r'{"escaped":"\u00e9\/\ud83d\ude00","plain":"é😀"}',
        r'{"nul":"\u0000"}',
        '"only a string"',
        "[[[[]]]]",
        "17",
        "false",
        "123456789" * 500,
    ],
)
def test_json_columns_come_out_byte_for_byte_as_they_went_in(pipeline, properties):
    send_text(pipeline, f'[{{{FITS},"properties":{properties}}}]')
    assert f'"properties":{properties},"context"' in pipeline.http.get("/events").text
    column = pipeline.sql("SELECT properties::VARCHAR AS text, typeof(properties) AS t FROM events")
    assert column == [{"text": properties, "t": "JSON"}]
    raw = pipeline.http.get("/sql", params={"q": "SELECT properties FROM events"}).text
    assert raw == f'[{{"properties":{properties}}}]'


def test_a_json_null_is_an_absent_value(pipeline):
    send_text(pipeline, f'[{{{FITS},"properties":null}}]')
    assert pipeline.sql("SELECT properties IS NULL AS absent FROM events") == [{"absent": True}]


@pytest.mark.parametrize(
    "text, stored",
    [
        ("7", 7),
        ('"7"', 7),
        ("-9223372036854775808", -(2**63)),
        ('"9223372036854775807"', 2**63 - 1),
    ],
)
def test_whole_numbers_may_come_as_numbers_or_strings(pipeline, text, stored):
    send_text(pipeline, f'[{{{FITS},"team_id":{text}}}]')
    assert pipeline.rows()[0]["team_id"] == stored
    assert pipeline.sql("SELECT team_id FROM events") == [{"team_id": stored}]


@pytest.mark.parametrize(
    "text, stored",
    [
        ('"2026-01-02T03:04:05Z"', "2026-01-02T03:04:05Z"),
        ('"2026-01-02T03:04:05.123456Z"', "2026-01-02T03:04:05.123456Z"),
        ('"2026-01-02T03:04:05.123456789Z"', "2026-01-02T03:04:05.123456Z"),
        ('"2026-01-02t03:04:05.5z"', "2026-01-02T03:04:05.500000Z"),
        ('"2026-01-02T03:04:05+05:30"', "2026-01-01T21:34:05Z"),
        ('"1960-01-01T00:00:00Z"', "1960-01-01T00:00:00Z"),
        ("1767323045678", "2026-01-02T03:04:05.678000Z"),
        ("-1000", "1969-12-31T23:59:59Z"),
    ],
)
def test_timestamps_are_rfc_3339_or_milliseconds(pipeline, text, stored):
    send_text(pipeline, f'[{{{FITS},"timestamp":{text}}}]')
    assert f'"timestamp":{text},' in pipeline.http.get("/events").text
    assert pipeline.sql('SELECT "timestamp" AS t FROM events') == [{"t": stored}]


@pytest.mark.parametrize(
    "column, text",
    [
        ("event", "5"), ("event", "true"), ("event", '{"a":1}'), ("event", '["a"]'),
        ("team_id", "1.0"), ("team_id", "1e3"), ("team_id", '"1.0"'), ("team_id", '""'),
        ("team_id", "true"), ("team_id", "9223372036854775808"), ("team_id", '" 1"'),
        ("team_id", '"١"'), ("team_id", "[1]"), ("team_id", '"1\\n"'),
        ("timestamp", '"2026-01-02"'), ("timestamp", '"2026-01-02T03:04:05"'),
        ("timestamp", '"2026-02-30T00:00:00Z"'), ("timestamp", '"2026-01-02T25:00:00Z"'),
        ("timestamp", '"20260102T030405Z"'), ("timestamp", '"yesterday"'), ("timestamp", '"5"'),
        ("timestamp", "1.5"), ("timestamp", "{}"), ("timestamp", "1e30"),
        ("timestamp", "100000000000000"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_drops_its_row(pipeline, column, text):
    fields = FITS.replace('"event":"e",', "") if column == "event" else FITS
    assert send_text(pipeline, f'[{{{fields},"{column}":{text}}}]')["result"] == {"committed": 1}
    assert pipeline.rows() == []
    (bad,) = pipeline.bad()
    assert (bad["stream"], bad["reason"], bad["field"]) == ("events", "type_mismatch", column)
    assert f'"{column}":{text}' in pipeline.http.get("/bad").text


@pytest.mark.parametrize("text", ['"true"', "1", "0", "{}"])
def test_a_bool_must_be_true_or_false(pipeline, text):
    row = json.dumps(person_row("p", 1)).replace('"is_deleted": false', f'"is_deleted":{text}')
    send_text(pipeline, f"[{row}]", "persons")
    assert [(b["reason"], b["field"]) for b in pipeline.bad()] == [("type_mismatch", "is_deleted")]


@pytest.mark.parametrize("column", ["uuid", "source", "event", "distinct_id", "created_at"])
@pytest.mark.parametrize("reason", ["missing_field", "null_value"])
def test_each_required_column_drops_its_row_when_it_is_missing_or_null(pipeline, column, reason):
    row = event_row()
    if reason == "null_value":
        row[column] = None
    else:
        del row[column]
    pipeline.send([row])
    assert pipeline.rows() == []
    assert [(b["reason"], b["field"]) for b in pipeline.bad()] == [(reason, column)]
    assert pipeline.bad()[0]["row"] == row


@pytest.mark.parametrize("element", ["5", '"row"', "null", "[]", r'{"uuid":"\ud800"}'])
def test_an_element_that_is_no_readable_object_is_a_parse_failure(pipeline, element):
    assert send_text(pipeline, f"[{{{FITS}}},{element}]")["result"] == {"committed": 2}
    assert len(pipeline.rows()) == 1
    (bad,) = pipeline.bad()
    assert (bad["reason"], bad["field"]) == ("parse_failure", None)


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", f"{{{FITS}}}", "null", '"x"', "[", "[1", "[1,]", "[,]", "[{]", '[{"a"}]',
        '[{"a":}]', '[{"a":1,}]', '[{"a":1', '[{"a" 1}]', "[{'a':1}]", "[NaN]", "[Infinity]",
        '[{"a":NaN}]', "[1] x", "[1][2]", "[01]", '["\t"]', "[1 2]", '[{"a":1 "b":2}]',
        "[" * 100_000, b'["\xff"]', b"\xef\xbb\xbf[]",
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_array_is_refused_as_a_whole(pipeline, body):
    answer = pipeline.post(body)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["errors"][0]["message"]
    assert pipeline.all() == EMPTY


def test_space_between_tokens_is_allowed_everywhere(pipeline):
    send_text(pipeline, ' [ { "uuid" : "u" ,\n' + FITS[FITS.index('"source"') :] + " } , { } ]\r\n")
    assert len(pipeline.rows()) == 1
    assert [b["reason"] for b in pipeline.bad()] == ["missing_field"]


def test_an_empty_array_commits_nothing(pipeline):
    assert send_text(pipeline, "[]") == {"success": True, "result": {"committed": 0}}


def body_of_size(size):
    """Rows below the row limit that together with the brackets have exactly `size` bytes."""
    fill = f'{{{FITS},"properties":"%s"}}'
    count = -(-size // 900_000)
    shares = [(size - 1 - count) // count] * count
    shares[0] += size - 1 - count - sum(shares)
    return "[" + ",".join(fill % ("x" * (share - len(fill) + 2)) for share in shares) + "]"


def test_a_body_of_5_mb_is_accepted_and_one_byte_more_is_not(pipeline):
    body = body_of_size(5_000_000)
    assert len(body) == 5_000_000
    assert pipeline.post(body).status_code == 200
    assert pipeline.post(body[:-1] + " ]").status_code == 413
    assert pipeline.post("[" + " " * 20_000_000 + "]").status_code == 413
    assert len(pipeline.rows()) == 6


def test_a_row_of_1_mb_is_accepted_and_a_larger_one_fails_its_whole_batch(pipeline):
    fill = f'{{{FITS},"properties":"%s"}}'
    row = fill % ("é" * ((1_000_000 - len(fill) + 2) // 2))
    row = row[:-1] + " " * (1_000_000 - len(row.encode())) + "}"
    assert len(row.encode()) == 1_000_000
    assert pipeline.post(f"[{row}]").status_code == 200
    answer = pipeline.post(f"[{{{FITS}}},{row[:-1]} }}]")
    assert answer.status_code == 413
    assert len(pipeline.rows()) == 1


def test_streams_are_apart_and_an_unknown_one_is_refused(pipeline):
    pipeline.send([person_row("p1", 1, distinct_ids=["a", "b"])], "persons")
    assert pipeline.rows() == []
    assert pipeline.rows("persons")[0]["distinct_ids"] == ["a", "b"]
    assert pipeline.post("[]", "nobody").status_code == 404
    assert pipeline.http.get("/streams/nobody").status_code == 404


def test_a_token_is_required_when_one_is_set(tmp_path):
    with PipelineProcess(tmp_path, token="s3cret") as process:
        client = process.client
        assert client.send([event_row()]) == 1
        for given in ("", "Bearer wrong", "s3cret", "bearer", "Bearer s3cret2", "Basic s3cret"):
            answer = client.post("[]", headers={"Authorization": given})
            assert answer.status_code == 401
        assert len(client.rows()) == 1


def test_reset_forgets_rows_bad_rows_and_faults(pipeline):
    pipeline.send([event_row(), {}])
    pipeline.fault(count=1, status=503)
    pipeline.reset()
    assert pipeline.all() == EMPTY
    assert pipeline.faults() == []


def test_health_counts_rows_bad_rows_and_sends(pipeline):
    pipeline.send([event_row(), event_row(), {}])
    pipeline.fault(count=1, status=503)
    pipeline.post("[]")
    health = pipeline.health()
    assert health["status"] == "ok"
    assert health["streams"]["events"] == {"rows": 2, "bad": 1, "sends": 2, "faulted": 1}
    assert health["streams"]["persons"] == {"rows": 0, "bad": 0, "sends": 0, "faulted": 0}
