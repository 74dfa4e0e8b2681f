"""How a question is asked over the month, and what the tests of questions have in common: filters and spans.

answer_of(system, planner, asked, {"kind": "EventsQuery", ...}, "basin")["results"]
"""

from __future__ import annotations

from datetime import date, timedelta

from plain_questions import Asked

STREAMS = ("events", "persons", "distinct_ids", "rejects")
FIRST, LAST, EMPTY = date(2026, 10, 1), date(2026, 10, 31), date(2025, 3, 1)
BERLIN, ANGELES = "Europe/Berlin", "America/Los_Angeles"
VIEW, SIGNED, BOUGHT = "$pageview", "signed_up", "purchase"
NOW = "2026-11-20T12:00:00Z"


def rows_of(system, dialect, sql):
    if dialect == "duckdb":
        answer = system.pipeline.get("/sql", params={"q": sql})
        assert answer.status_code == 200, answer.text
        return answer.json()
    answer = system.pipeline.post("/api/v1/accounts/a/basin-sql/query/b", json={"query": sql}, headers={"authorization": "Bearer x"})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["rows"]


def answer_of(system, planner, asked: Asked, question, dialect, now=NOW, **project):
    tables = {name: name if dialect == "duckdb" else f"default.hogflare_{name}_v1" for name in STREAMS}
    asking = {
        "project": {"now": now, "timezone": asked.zone, "team_id": 1, "tables": tables, **project},
        "question": question,
        "dialect": dialect,
    }
    planned = planner.ask(**asking)
    assert planned["ok"], planned
    rows = [rows_of(system, dialect, statement["sql"]) for statement in planned["statements"]]
    # Of SQL that somebody wrote the columns have no names here, and their order tells them apart.
    rows = [
        table if statement["columns"] else [list(row.values()) for row in table] for statement, table in zip(planned["statements"], rows)
    ]
    answer = planner.ask(**asking, rows=rows)
    assert answer["ok"], answer
    return answer["answer"]


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return value if value is None else round(float(value), 6)


def node(event, math=None):
    return {"kind": "EventsNode", "event": event, **({"math": math} if math else {})}


def prop(key, value, operator="exact"):
    return {"key": key, "type": "event", "value": value, "operator": operator}


# Filters, each with the same in Python. A missing value is no value of an exact list, and different from all others.
FILTERS = {
    "none": ([], lambda e: True),
    "browser": ([prop("$browser", ["Chrome", "Safari"])], lambda e: e.get("$browser") in ("Chrome", "Safari")),
    "not chrome": ([prop("$browser", "Chrome", "is_not")], lambda e: e.get("$browser") != "Chrome"),
    "no browser": ([prop("$browser", None, "is_not_set")], lambda e: e.get("$browser") is None),
    "page": ([prop("$pathname", "g", "icontains")], lambda e: "g" in (e.get("$pathname") or "").lower()),
    "plan": ([prop("plan", "pro")], lambda e: e.get("plan") == "pro"),
    "regex": ([prop("$pathname", "^/(docs|blog)$", "regex")], lambda e: e.get("$pathname") in ("/docs", "/blog")),
}
# Ranges: since, until, zone.
SPANS = {
    "month": (FIRST, LAST, "UTC"),
    "berlin": (date(2026, 10, 20), date(2026, 10, 29), BERLIN),
    "los angeles": (date(2026, 10, 5), date(2026, 10, 25), ANGELES),
    "days": (date(2026, 10, 8), date(2026, 10, 12), "UTC"),
    "empty": (EMPTY, EMPTY + timedelta(days=6), "UTC"),
}
