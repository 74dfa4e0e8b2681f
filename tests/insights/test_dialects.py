"""Random questions get the same answer in both dialects, and Basin SQL's checker takes what is planned for it.

2,000 a run, by as many processes as there are processors. The seed is printed with a failure; run one again
with INSIGHTS_SEED=n.
"""

import collections
import concurrent.futures
import json
import multiprocessing
import os
import random
import sys

import pytest
import world

VECTORS = json.loads((world.ROOT / "tests" / "vectors" / "insight.json").read_text())
QUESTIONS = 2_000
PARTS = 20
TABLES = {name: f"default.hogflare_{name}_v1" for name in ("events", "persons", "distinct_ids")}


@pytest.fixture(scope="module")
def planner():
    planner = world.Planner()
    yield planner
    planner.close()


def _filters(rng, events):
    keys = sorted({key for event in events for key in event.get("properties", {}) if not key.startswith("$")})
    if not keys or rng.random() < 0.5:
        return []
    key = rng.choice(keys)
    operator, value = rng.choice(
        [
            ("exact", ["a", "1", "free"]),
            ("is_not", "x"),
            ("icontains", "e"),
            ("not_icontains", "o"),
            ("gt", 5),
            ("lte", "20"),
            ("is_set", None),
            ("is_not_set", None),
            ("regex", "^[a-f]"),
            ("not_regex", "[0-9]"),
            ("between", [1, 30]),
        ]
    )
    return [{"key": key, "type": "event", "operator": operator, "value": value}]


def _series(rng, events, maths):
    names = sorted({event["event"] for event in events}) + [None]
    node = {"kind": "EventsNode", "event": rng.choice(names), "properties": _filters(rng, events)}
    if maths:
        node["math"] = rng.choice(
            [
                "total",
                "dau",
                "weekly_active",
                "monthly_active",
                "sum",
                "avg",
                "p90",
                "median",
                "first_time_for_user",
                "avg_count_per_actor",
                "unique_session",
            ]
        )
        node["math_property"] = rng.choice(["prop", "n", "v", "k"])
    return node


def question_of(rng, dataset):
    events = dataset["events"]
    days = sorted(event["timestamp"][:10] for event in events)
    question = {"dateRange": {"date_from": days[0], "date_to": days[-1]}, "properties": _filters(rng, events)}
    kind = rng.choice(
        [
            "TrendsQuery",
            "TrendsQuery",
            "TrendsQuery",
            "FunnelsQuery",
            "FunnelsQuery",
            "RetentionQuery",
            "LifecycleQuery",
            "StickinessQuery",
            "PathsQuery",
            "WebOverviewQuery",
            "WebStatsTableQuery",
            "SessionsQuery",
            "EventsQuery",
            "ErrorTrackingQuery",
            "ActorsQuery",
        ]
    )
    interval = rng.choice(["day", "week", "month"])
    question["kind"] = kind
    if kind == "TrendsQuery":
        question.update(interval=interval, series=[_series(rng, events, True) for _ in range(rng.randint(1, 2))])
        question["trendsFilter"] = {"display": rng.choice(["ActionsLineGraph", "ActionsLineGraphCumulative", "ActionsPie"])}
        if rng.random() < 0.5:
            question["breakdownFilter"] = {"breakdown": rng.choice(["$browser", "plan", "b", "prop"]), "breakdown_limit": rng.randint(1, 4)}
    elif kind == "FunnelsQuery":
        question["series"] = [_series(rng, events, False) for _ in range(rng.randint(2, 3))]
        question["funnelsFilter"] = {
            "funnelOrderType": rng.choice(["ordered", "strict", "unordered"]),
            "funnelVizType": rng.choice(["steps", "trends"]),
        }
    elif kind == "RetentionQuery":
        question["retentionFilter"] = {
            "totalIntervals": rng.randint(2, 8),
            "period": rng.choice(["Day", "Week"]),
            "targetEntity": {"id": rng.choice(events)["event"], "type": "events"},
            "returningEntity": {"id": None},
            "retentionType": rng.choice(["retention_recurring", "retention_first_time"]),
        }
    elif kind in ("LifecycleQuery", "StickinessQuery"):
        question.update(interval=interval, series=[_series(rng, events, False)])
    elif kind == "WebStatsTableQuery":
        question["breakdownBy"] = rng.choice(
            ["Page", "InitialPage", "ExitPage", "Browser", "InitialUTMSource", "InitialChannelType", "Country", "DeviceType"]
        )
    elif kind == "EventsQuery":
        question = {
            "kind": kind,
            "select": ["event", "distinct_id", "timestamp", "person_id", "properties.$browser"],
            "after": "all",
            "limit": rng.choice([2, 100]),
            "properties": _filters(rng, events),
            "orderBy": rng.choice([["timestamp DESC"], ["timestamp ASC"], ["event", "timestamp"]]),
        }
    elif kind == "ActorsQuery":
        question = {
            "kind": kind,
            "select": ["id"],
            "source": {
                "kind": "InsightActorsQuery",
                "day": rng.choice(days),
                "source": {
                    "kind": "TrendsQuery",
                    "dateRange": question["dateRange"],
                    "properties": _filters(rng, events),
                    "series": [{**_series(rng, events, False), "math": rng.choice(["total", "dau"])}],
                },
            },
        }
    return question


def ask_both(planner, connections, seed):
    """The kind that was asked, and what went wrong if anything did."""
    rng = random.Random(seed)
    name = rng.choice(sorted(n for n, d in VECTORS["datasets"].items() if d["events"]))
    dataset = VECTORS["datasets"][name]
    zone = rng.choice(["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"])
    project = world.project_of(dataset, {"now": "2025-01-25T12:00:00Z", "timezone": zone, "week_start_day": rng.randint(0, 1)})
    if name not in connections:
        connections[name] = world.load(dataset)
    question = question_of(rng, dataset)
    one, other = (world.answer(planner, connections[name], project, question, dialect) for dialect in ("duckdb", "basin"))
    is_alike = one["ok"] and other["ok"] and one["answer"]["results"] == other["answer"]["results"]
    return question["kind"], None if is_alike else (seed, question, one, other)


def ask_part(seeds):
    planner = world.Planner()
    connections = {}
    try:
        return [ask_both(planner, connections, seed) for seed in seeds]
    finally:
        planner.close()


@pytest.fixture(scope="module")
def parts():
    """What each part's questions came to, on its way."""
    seeds = [int(os.environ["INSIGHTS_SEED"])] * PARTS if "INSIGHTS_SEED" in os.environ else range(QUESTIONS)
    # A fork would take the planner's pipes and DuckDB's threads along.
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        yield [pool.submit(ask_part, seeds[part::PARTS]) for part in range(PARTS)]


@pytest.mark.parametrize("part", range(PARTS))
def test_both_dialects_answer_alike(parts, part):
    asked = parts[part].result()
    wrong = [fault for _, fault in asked if fault]
    assert not wrong, (len(wrong), wrong[0])
    kinds = collections.Counter(kind for kind, _ in asked)
    assert "INSIGHTS_SEED" in os.environ or len(kinds) > 8, kinds


def test_basins_checker_takes_every_statement(planner):
    sys.path.insert(0, str(world.ROOT / "fake-pipeline"))
    checker = pytest.importorskip("fake_pipeline.basin_check", reason="the Basin SQL stand-in is not in this tree")
    from fake_pipeline.schema import load_schemas

    schemas = load_schemas(world.ROOT / "schemas")
    taken = 0
    for case in VECTORS["cases"]:
        dataset = VECTORS["datasets"].get(case["dataset"], {"events": []})
        project = {**world.project_of(dataset, case["settings"]), "tables": TABLES}
        planned = planner.ask(project=project, question=case["query"], dialect="basin")
        for statement in planned.get("statements", []):
            checker.check(statement["sql"], schemas, checker.Limits())
            taken += 1
    assert taken > 100
