"""The SQL of every case of tests/vectors/insight.json, in both dialects, as files.

    .venv/bin/python tests/insights/golden.py          writes tests/insights/golden anew

test_golden.py compares: a change of the planner shows as a change of these files.
"""

import json
import pathlib

import world

FOLDER = pathlib.Path(__file__).parent / "golden"
DIALECTS = ("duckdb", "basin")

NOW = {"now": "2026-03-29T12:00:00Z", "timezone": "Europe/Berlin", "week_start_day": 1}
_PAGES = {"kind": "EventsNode", "event": "$pageview", "math": "dau"}
_FUNNEL = {"kind": "FunnelsQuery", "series": [{"kind": "EventsNode", "event": "$pageview"}, {"kind": "EventsNode", "event": "it's"}]}
# Kinds that the vectors have no case of.
MORE = {
    "people, searched with quotes": {"kind": "PersonsQuery", "search": "o'\"neil", "distinctId": "a'b", "limit": 10},
    "people behind a day": {
        "kind": "ActorsQuery",
        "select": ["actor"],
        "source": {"kind": "InsightActorsQuery", "day": "2026-03-28", "series": 0, "source": {"kind": "TrendsQuery", "series": [_PAGES]}},
    },
    "people behind the second of a clock's two equal hours": {
        "kind": "ActorsQuery",
        "select": ["actor"],
        "source": {
            "kind": "InsightActorsQuery",
            "day": "2025-10-26T02:00:00+01:00",
            "source": {
                "kind": "TrendsQuery",
                "series": [_PAGES],
                "interval": "hour",
                "dateRange": {"date_from": "2025-10-26", "date_to": "2025-10-26"},
            },
        },
    },
    "refused merges": {"kind": "_RefusedMerges", "distinctIds": ["it's", 'o"neil'], "limit": 10},
    "people who left a funnel": {"kind": "ActorsQuery", "source": {"kind": "FunnelsActorsQuery", "funnelStep": -2, "source": _FUNNEL}},
    "visits": {"kind": "SessionsQuery", "dateRange": {"date_from": "-7d"}},
    "recorded visits": {"kind": "_RecordedVisits", "distinctId": "a'b"},
    "recordings of named sessions": {"kind": "_Recordings", "hours": 24, "sessionIds": ["a'b"]},
    "the rows of a recording": {"kind": "_RecordingParts", "sessionId": "a'b", "afterUs": 1774699200000000, "afterUuid": "it's"},
    "the text of rows": {
        "kind": "_RecordingText",
        "sessionId": "a'b",
        "uuids": ["it's", "b"],
        "fromUs": 1774699200000000,
        "toUs": 1774785600000000,
    },
    "until when there are rows": {"kind": "_Freshness"},
    "names of events": {"kind": "_EventDefinitions", "search": "it's"},
    "properties of events": {"kind": "_PropertyDefinitions", "event_names": ["it's", "b"]},
    "SQL of one team": {"kind": "HogQLQuery", "query": "SELECT event, count(*) AS n FROM events WHERE event <> 'it''s' GROUP BY event"},
    "a week over the change of the clock": {
        "kind": "TrendsQuery",
        "series": [_PAGES],
        "dateRange": {"date_from": "-7d"},
        "interval": "hour",
    },
}


def render(planner):
    """{"duckdb/TrendsQuery.sql": text}; a case that is refused stands there with its refusal."""
    vectors = json.loads((world.ROOT / "tests" / "vectors" / "insight.json").read_text())
    files = {}
    cases = [
        (case["name"], vectors["datasets"].get(case["dataset"], {"events": []}), case["settings"], case["query"])
        for case in vectors["cases"]
    ]
    cases += [(name, {"events": []}, {**NOW, "one_team_only": True}, query) for name, query in MORE.items()]
    for name, dataset, settings, query in cases:
        project = world.project_of(dataset, settings)
        for dialect in DIALECTS:
            told = planner.ask(project=project, question=query, dialect=dialect)
            path = f"{dialect}/{query['kind']}.sql"
            lines = files.setdefault(path, [])
            lines.append(f"-- {name}")
            if told["ok"]:
                lines += [f"{statement['sql']};" for statement in told["statements"]]
            else:
                lines.append(f"-- refused: {told['path']} {told['error']}")
            lines.append("")
    return {path: "\n".join(lines) for path, lines in files.items()}


def main():
    planner = world.Planner()
    for path, text in render(planner).items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text)
        print(path, text.count("\n-- ") + 1)
    planner.close()


if __name__ == "__main__":
    main()
