"""The planner's SQL beside SQL written by hand, over events in local Parquet, by turns in the same DuckDB.

    .venv/bin/python bench/insights_lake.py [--events 10000000] [--rounds 5] [--threads 2]

Both count every event once, people by the newest row of distinct_ids, and must give the same rows. Prints a table of
medians and ratios; the target is 1.5.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "insights"))
import world  # noqa: E402

FIRST, LAST = "2026-10-01", "2026-10-30"
PROJECT = {"now": "2026-11-01T12:00:00Z", "timezone": "UTC", "week_start_day": 0, "team_id": 1}
RANGE = {"date_from": FIRST, "date_to": LAST}
BETWEEN = f"team_id = 1 AND \"timestamp\" >= '{FIRST} 00:00:00' AND \"timestamp\" < '2026-10-31 00:00:00'"


def node(event, math="total"):
    return {"kind": "EventsNode", "event": event, "math": math}


def once(event, columns=""):
    """Each event once with its present person, by hand."""
    picked = "".join(f", any_value({column}) AS {column}" for column in columns.split())
    return (
        f'once AS (SELECT uuid, distinct_id, min("timestamp") AS t, any_value(person_id) AS stored{picked} FROM events '
        f"WHERE {BETWEEN} AND event IN ({event}) GROUP BY ALL), "
        "now AS (SELECT distinct_id, max_by(person_id, version) AS person FROM distinct_ids WHERE team_id = 1 GROUP BY 1), "
        "e AS (SELECT once.*, coalesce(now.person, stored) AS person FROM once LEFT JOIN now USING (distinct_id))"
    )


# name: (question, SQL by hand, what of the answer has to be equal to its rows)
CASES = {
    "events by day": (
        {"kind": "TrendsQuery", "series": [node("$pageview")], "dateRange": RANGE},
        f'SELECT CAST(t AS DATE), count(*) FROM (SELECT uuid, distinct_id, min("timestamp") AS t FROM events WHERE {BETWEEN} '
        "AND event = '$pageview' GROUP BY ALL) GROUP BY 1 ORDER BY 1",
        lambda answer, rows: answer["results"][0]["data"] == [row[1] for row in rows],
    ),
    "people by day": (
        {"kind": "TrendsQuery", "series": [node("$pageview", "dau")], "dateRange": RANGE},
        "WITH " + once("'$pageview'") + " SELECT CAST(t AS DATE), count(DISTINCT person) FROM e GROUP BY 1 ORDER BY 1",
        lambda answer, rows: answer["results"][0]["data"] == [row[1] for row in rows],
    ),
    "people by browser": (
        {
            "kind": "TrendsQuery",
            "series": [node("$pageview", "dau")],
            "dateRange": RANGE,
            "trendsFilter": {"display": "ActionsBarValue"},
            "breakdownFilter": {"breakdown": "$browser", "breakdown_type": "event"},
        },
        "WITH " + once("'$pageview'", "browser") + " SELECT browser, count(DISTINCT person) FROM e GROUP BY 1 ORDER BY 2 DESC",
        lambda answer, rows: sorted(one["aggregated_value"] for one in answer["results"]) == sorted(row[1] for row in rows),
    ),
    "days people came": (
        {"kind": "StickinessQuery", "series": [node("$pageview")], "dateRange": RANGE},
        "WITH " + once("'$pageview'") + ", days AS (SELECT person, count(DISTINCT CAST(t AS DATE)) AS n FROM e GROUP BY 1) "
        "SELECT n, count(*) FROM days GROUP BY 1 ORDER BY 1",
        lambda answer, rows: [n for n in answer["results"][0]["data"] if n] == [row[1] for row in rows],
    ),
}


def make(connection, folder, events):
    people = max(1, events // 200)
    columns = ", ".join(
        f"CAST(NULL AS VARCHAR) AS {name}"
        for name, kind in world.COLUMNS.items()
        if kind == "VARCHAR" and name not in ("uuid", "source", "event", "distinct_id", "properties", "person_id", "browser", "pathname")
    )
    connection.execute(f"""COPY (SELECT uuid() AS uuid, CAST(1 AS BIGINT) AS team_id, 'capture' AS source,
        CASE i % 10 WHEN 0 THEN 'bought' WHEN 1 THEN 'signed_up' ELSE '$pageview' END AS event,
        'user-' || (hash(i) % {people}) AS distinct_id, TIMESTAMP '{FIRST}' + INTERVAL 1 MINUTE * CAST(hash(i + 1) % 43200 AS BIGINT) AS timestamp,
        TIMESTAMP '{FIRST}' AS created_at, TIMESTAMP '{FIRST}' AS person_created_at, '{{"plan":"pro"}}' AS properties,
        'person-' || (hash(i) % {people}) AS person_id, 'Browser ' || (hash(i) % 8) AS browser, '/' || (i % 500) AS pathname, {columns}
        FROM range({events}) AS r(i)) TO '{folder}/events.parquet' (FORMAT parquet)""")
    connection.execute(f"CREATE VIEW events AS SELECT * FROM '{folder}/events.parquet'")
    connection.execute(
        "CREATE TABLE persons (uuid VARCHAR, team_id BIGINT, person_id VARCHAR, distinct_id VARCHAR, distinct_ids VARCHAR, "
        "properties VARCHAR, is_deleted BOOLEAN, version BIGINT, created_at TIMESTAMP)"
    )
    # A tenth of the people were merged into another.
    connection.execute(
        f"CREATE TABLE distinct_ids AS SELECT CAST(1 AS BIGINT) AS team_id, 'user-' || i AS distinct_id, "
        f"'person-' || (i + 1) AS person_id, CAST(1 AS BIGINT) AS version, false AS is_deleted FROM range(0, {people}, 10) AS r(i)"
    )


def timed(connection, statements):
    start = time.perf_counter()
    rows = [connection.execute(sql).fetchall() for sql in statements]
    return time.perf_counter() - start, rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    planner = world.Planner()
    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(config={"threads": given.threads})
        make(connection, folder, given.events)
        print(f"{given.events:,} events, {given.threads} threads, DuckDB {duckdb.__version__}; seconds, medians of {given.rounds}")
        for name, (question, by_hand, is_same) in CASES.items():
            told = planner.ask(project=PROJECT, question=question, dialect="duckdb")
            assert told["ok"], told
            statements = [each["sql"] for each in told["statements"]]
            took = {"planned": [], "by hand": []}
            for _ in range(given.rounds):
                seconds, rows = timed(connection, statements)
                took["planned"].append(seconds)
                seconds, [hand] = timed(connection, [by_hand])
                took["by hand"].append(seconds)
            tables = [[[world._cell(cell) for cell in row] for row in table] for table in rows]
            answer = planner.ask(project=PROJECT, question=question, dialect="duckdb", rows=tables)["answer"]
            assert is_same(answer, hand), f"{name}: the two do not give the same"
            planned, hand_s = (statistics.median(took[each]) for each in ("planned", "by hand"))
            print(f"{name:20} planned {planned:7.2f}  by hand {hand_s:7.2f}  ratio {planned / hand_s:5.2f}")
    planner.close()


if __name__ == "__main__":
    main()
