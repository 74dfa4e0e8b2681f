"""The tables of a small data set in DuckDB, and the planner's tool beside it.

A data set is the form of tests/vectors/insight.json: events with the person written on the row, merges, persons,
groups, cohorts. Rows get the columns of schemas/events.json, typed ones too, as the core lifts them.
"""

import json
import pathlib
import sys

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/pylib"))

from planner import Planner  # noqa: E402

__all__ = ["ROOT", "Planner", "answer", "load", "project_of"]

LIFTED = {
    "$session_id": "session_id",
    "$window_id": "window_id",
    "$current_url": "current_url",
    "$host": "host",
    "$pathname": "pathname",
    "$screen_name": "screen_name",
    "$referrer": "referrer",
    "$referring_domain": "referring_domain",
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "utm_term": "utm_term",
    "utm_content": "utm_content",
    "$browser": "browser",
    "$browser_version": "browser_version",
    "$os": "os",
    "$os_version": "os_version",
    "$device_type": "device_type",
    "$geoip_country_code": "country_code",
    "$geoip_subdivision_1_name": "region",
    "$geoip_city_name": "city",
    "$lib": "lib",
    "$lib_version": "lib_version",
    "$feature_flag": "feature_flag",
    "$feature_flag_response": "feature_flag_variant",
    "$exception_type": "exception_type",
    "$exception_message": "exception_message",
    "$exception_fingerprint": "exception_fingerprint",
}

# What Basin SQL calls by other names than DuckDB. A text of 2,000 bytes or more is an error there.
BASIN_SHIM = """
CREATE MACRO json_as_text(j, k) AS CASE WHEN strlen(j) >= 2000 THEN error('JSON of 2,000 bytes or more')
    ELSE json_extract_string(j, '/' || replace(replace(k, '~', '~0'), '/', '~1')) END;
CREATE MACRO json_get_json(j, k) AS CASE WHEN strlen(j) >= 2000 THEN error('JSON of 2,000 bytes or more')
    ELSE CAST(json_extract(j, '/' || replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR) END;
CREATE MACRO regexp_like(s, p) AS regexp_matches(s, p);
"""


def _text(value):
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _rows(dataset):
    persons = dataset.get("persons", {})
    for event in dataset["events"]:
        properties = event.get("properties", {})
        person = persons.get(event["person"], {})
        row = {
            "uuid": event["uuid"],
            "team_id": 1,
            "source": "capture",
            "event": event["event"],
            "distinct_id": event["distinct_id"],
            "timestamp": event["timestamp"].replace("Z", ""),
            "created_at": event["timestamp"].replace("Z", ""),
            "properties": json.dumps(properties),
            "person_id": event["person"],
            "person_properties": json.dumps(person.get("properties", {})),
            "custom_properties": json.dumps({k: v for k, v in properties.items() if not k.startswith("$")}),
            "person_mode": "propertyless" if properties.get("$process_person_profile") is False else "full",
        }
        for index in range(5):
            row[f"group{index}"] = properties.get(f"$group_{index}")
        for key, column in LIFTED.items():
            row[column] = _text(properties.get(key))
        if event.get("session_id") is not None:
            row["session_id"] = event["session_id"]
        yield row


COLUMNS = {
    "uuid": "VARCHAR",
    "team_id": "BIGINT",
    "source": "VARCHAR",
    "event": "VARCHAR",
    "distinct_id": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "created_at": "TIMESTAMP",
    "properties": "VARCHAR",
    "person_id": "VARCHAR",
    "person_created_at": "TIMESTAMP",
    "person_properties": "VARCHAR",
    "custom_properties": "VARCHAR",
    "person_mode": "VARCHAR",
    **{f"group{i}": "VARCHAR" for i in range(5)},
    **{column: "VARCHAR" for column in LIFTED.values()},
}


def load(dataset):
    """A connection with events, persons and distinct_ids."""
    # Some rows need no second thread, and two processes ask at once.
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(BASIN_SHIM)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE events ({columns})")
    rows = [[row.get(name) for name in COLUMNS] for row in _rows(dataset)]
    if rows:
        # One statement: each costs a millisecond.
        marks = ", ".join(["(" + ", ".join("?" * len(COLUMNS)) + ")"] * len(rows))
        connection.execute(f"INSERT INTO events VALUES {marks}", [cell for row in rows for cell in row])
    connection.execute(
        "CREATE TABLE persons (uuid VARCHAR, team_id BIGINT, person_id VARCHAR, id BIGINT, distinct_id VARCHAR, "
        "distinct_ids VARCHAR, properties VARCHAR, custom_properties VARCHAR, is_identified BOOLEAN, "
        "is_deleted BOOLEAN, version BIGINT, created_at TIMESTAMP, timestamp TIMESTAMP)"
    )
    for number, (person, state) in enumerate(dataset.get("persons", {}).items(), 1):
        properties = json.dumps(state.get("properties", {}))
        created = state["created_at"].replace("Z", "")
        connection.execute(
            "INSERT INTO persons VALUES (?, 1, ?, ?, ?, ?, ?, ?, true, false, 1, ?, ?)",
            [f"row-{number}", person, number, person, json.dumps([person]), properties, properties, created, created],
        )
    connection.execute(
        "CREATE TABLE distinct_ids (uuid VARCHAR, team_id BIGINT, distinct_id VARCHAR, person_id VARCHAR, "
        "version BIGINT, is_deleted BOOLEAN, timestamp TIMESTAMP)"
    )
    for number, merge in enumerate(dataset.get("merges", []), 1):
        connection.execute(
            "INSERT INTO distinct_ids VALUES (?, 1, ?, ?, ?, false, TIMESTAMP '2024-01-01')",
            [f"id-{number}", merge["distinct_id"], merge["person"], number],
        )
    return connection


def project_of(dataset, settings):
    return {
        **settings,
        "team_id": 1,
        "cohorts": {key: {"name": f"cohort {key}", "person_ids": people} for key, people in dataset.get("cohorts", {}).items()},
        "test_account_filters": dataset.get("test_account_filters", []),
    }


def answer(planner, connection, project, question, dialect):
    """The planner's answer, or its refusal as {"ok": false, ...}."""
    asking = {"project": project, "question": question, "dialect": dialect}
    planned = planner.ask(**asking)
    if not planned["ok"]:
        return planned
    tables = []
    for statement in planned["statements"]:
        result = connection.execute(statement["sql"])
        names = [column[0] for column in result.description]
        assert names == statement["columns"], (names, statement["columns"])
        tables.append([[_cell(cell) for cell in row] for row in result.fetchall()])
    return planner.ask(**asking, rows=tables)


def _cell(cell):
    if isinstance(cell, (str, int, float, bool)) or cell is None:
        return cell
    return float(cell) if hasattr(cell, "as_tuple") else str(cell)
