"""GET /sql: one read-only statement, answered as a JSON array."""

import pytest
from pipeline_client import event_row


def test_a_select_and_a_with_are_answered_as_an_array_of_objects(pipeline):
    pipeline.send([event_row(uuid="a"), event_row(uuid="b")])
    assert pipeline.sql("SELECT uuid FROM events ORDER BY uuid") == [{"uuid": "a"}, {"uuid": "b"}]
    assert pipeline.sql("WITH x AS (SELECT 1 AS n) SELECT n FROM x;") == [{"n": 1}]
    assert pipeline.sql("SELECT uuid FROM events WHERE false") == []


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("1", "1"),
        ("sum(5)", "5"),
        ("1.50::DECIMAL(10,2)", "1.50"),
        ("0.1::DOUBLE", "0.1"),
        ("'NaN'::DOUBLE", "null"),
        ("NULL", "null"),
        ("true", "true"),
        ("'é\"'", '"é\\""'),
        ("TIMESTAMP '2026-01-02 03:04:05'", '"2026-01-02T03:04:05Z"'),
        ("TIMESTAMPTZ '2026-01-02 03:04:05+01'", '"2026-01-02T02:04:05Z"'),
        ("DATE '2026-01-02'", '"2026-01-02"'),
        ("[1, NULL]", "[1,null]"),
        ("{'a': 1}", '{"a":1}'),
        ("MAP {'k': 2}", '{"k":2}'),
        ("'{\"x\":1.10}'::JSON", '{"x":1.10}'),
        ("'{\"x\":1.10}'::VARCHAR", '"{\\"x\\":1.10}"'),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ],
)
def test_every_kind_of_value_has_a_json_form(pipeline, expression, expected):
    answer = pipeline.http.get("/sql", params={"q": f"SELECT {expression} AS v"})
    assert answer.text == f'[{{"v":{expected}}}]'


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO events_landed (_seq) VALUES (1)",
        "DELETE FROM events_landed",
        "DROP VIEW events",
        "CREATE TABLE t (a INTEGER)",
        "UPDATE events_landed SET uuid = 'x'",
        "SELECT 1; DELETE FROM events_landed",
        "SELECT 1; SELECT 2",
        "WITH x AS (INSERT INTO bad (_seq) VALUES (1) RETURNING _seq) SELECT * FROM x",
        "WITH x AS (DELETE FROM events_landed RETURNING uuid) SELECT * FROM x",
        "COPY events TO 'x.csv'",
        "ATTACH 'x.duckdb'",
        "PRAGMA database_list",
        "SET threads = 1",
        "COMMIT",
        "EXPLAIN SELECT 1",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT nothing FROM events",
        "SELEC",
        ";",
    ],
)
def test_anything_but_one_good_select_is_refused_and_changes_nothing(pipeline, query):
    pipeline.send([event_row()])
    answer = pipeline.http.get("/sql", params={"q": query})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]
    assert len(pipeline.rows()) == 1 and pipeline.bad() == []
    assert pipeline.sql("SELECT count(*) AS n FROM events") == [{"n": 1}]


def test_a_query_is_needed(pipeline):
    assert pipeline.http.get("/sql").status_code == 400
    assert pipeline.http.get("/sql?q=").status_code == 400
