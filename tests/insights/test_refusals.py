"""Whatever a question says is done or refused by its path: in full questions of every kind each object gets a
member that nobody knows, and each value becomes something it cannot be."""

import json

import pytest
import world

PROJECT = {
    "now": "2026-03-29T12:00:00Z",
    "timezone": "Europe/Berlin",
    "team_id": 1,
    "actions": [{"id": 3, "name": "an action", "steps": [{"event": "clicked"}]}],
    "cohorts": {"4": {"name": "some", "person_ids": ["a"]}},
}
RANGE = {"date_from": "-7d", "date_to": "-1d", "explicitDate": False}
TEST = {"key": "plan", "type": "event", "operator": "exact", "value": ["pro"]}
FILTERS = {
    "type": "AND",
    "values": [{"type": "OR", "values": [TEST, {"key": "email", "type": "person", "operator": "icontains", "value": "a"}]}],
}
NODE = {"kind": "EventsNode", "event": "seen", "properties": [TEST], "fixedProperties": [TEST]}
COMMON = {"dateRange": RANGE, "properties": FILTERS, "filterTestAccounts": False, "samplingFactor": 1}
ENTITY = {"id": "seen", "type": "events", "properties": [TEST]}
TRENDS = {
    "kind": "TrendsQuery",
    **COMMON,
    "interval": "day",
    "series": [NODE, {**NODE, "math": "sum", "math_property": "price", "math_multiplier": 2}],
    "trendsFilter": {"display": "ActionsLineGraph", "smoothingIntervals": 1, "formulaNodes": [{"formula": "A+B", "custom_name": "both"}]},
    "breakdownFilter": {"breakdowns": [{"property": "$browser", "type": "event", "normalize_url": False}], "breakdown_limit": 5},
    "compareFilter": {"compare": True, "compare_to": "-1w"},
}
FUNNEL = {
    "kind": "FunnelsQuery",
    **COMMON,
    "interval": "day",
    "series": [NODE, {**NODE, "event": "bought"}],
    "funnelsFilter": {
        "funnelVizType": "steps",
        "funnelOrderType": "ordered",
        "funnelWindowInterval": 3,
        "funnelWindowIntervalUnit": "day",
        "exclusions": [{"kind": "EventsNode", "event": "left", "funnelFromStep": 0, "funnelToStep": 1}],
        "breakdownAttributionType": "first_touch",
    },
    "breakdownFilter": {"breakdown": "$browser", "breakdown_type": "event", "breakdown_limit": 5},
}
QUESTIONS = [
    TRENDS,
    {**TRENDS, "compareFilter": {"compare": False}, "breakdownFilter": {"breakdown": [4], "breakdown_type": "cohort"}},
    {**TRENDS, "series": [{"kind": "ActionsNode", "id": 3, "math": "dau"}], "trendsFilter": {"formula": "A"}},
    FUNNEL,
    {
        "kind": "RetentionQuery",
        **COMMON,
        "retentionFilter": {
            "targetEntity": ENTITY,
            "returningEntity": ENTITY,
            "period": "Day",
            "totalIntervals": 5,
            "retentionType": "retention_first_time",
            "cumulative": False,
            "minimumOccurrences": 1,
        },
    },
    {
        "kind": "PathsQuery",
        **COMMON,
        "pathsFilter": {
            "includeEventTypes": ["$pageview"],
            "excludeEvents": ["/x"],
            "startPoint": "/",
            "stepLimit": 4,
            "edgeLimit": 20,
            "minEdgeWeight": 1,
            "maxEdgeWeight": 9,
            "pathGroupings": ["/a*"],
            "localPathCleaningFilters": [{"alias": "a", "regex": "b", "order": 0}],
        },
    },
    {"kind": "LifecycleQuery", **COMMON, "interval": "day", "series": [NODE], "lifecycleFilter": {"showLegend": True}},
    {
        "kind": "StickinessQuery",
        **COMMON,
        "interval": "day",
        "intervalCount": 1,
        "series": [NODE],
        "stickinessFilter": {"computedAs": "cumulative", "stickinessCriteria": {"operator": "gte", "value": 2}},
        "compareFilter": {"compare": True},
    },
    {
        "kind": "WebOverviewQuery",
        "dateRange": {"date_from": "-7d"},
        "properties": [TEST],
        "filterTestAccounts": False,
        "conversionGoal": {"customEventName": "bought"},
        "compareFilter": {"compare": True},
    },
    {
        "kind": "WebStatsTableQuery",
        "dateRange": {"date_from": "-7d"},
        "properties": [TEST],
        "breakdownBy": "Page",
        "includeBounceRate": True,
        "orderBy": ["context.columns.visitors", "DESC"],
        "limit": 10,
        "offset": 1,
    },
    {"kind": "SessionsQuery", "dateRange": {"date_from": "-7d"}, "properties": [TEST], "limit": 10, "offset": 1},
    {
        "kind": "EventsQuery",
        "select": ["event", "properties.plan"],
        "event": "seen",
        "personId": "p",
        "properties": [TEST],
        "fixedProperties": [FILTERS],
        "after": "-7d",
        "before": "-1d",
        "orderBy": ["timestamp DESC"],
        "limit": 10,
        "offset": 1,
    },
    {"kind": "PersonsQuery", "select": ["person"], "search": "a", "limit": 10, "offset": 1},
    {
        "kind": "ActorsQuery",
        "select": ["actor"],
        "limit": 10,
        "source": {
            "kind": "InsightActorsQuery",
            "day": "2026-03-24",
            "series": 0,
            "source": {"kind": "TrendsQuery", "dateRange": RANGE, "series": [NODE]},
        },
    },
    {"kind": "ActorsQuery", "source": {"kind": "FunnelsActorsQuery", "funnelStep": 1, "source": {**FUNNEL, "breakdownFilter": {}}}},
    {
        "kind": "ErrorTrackingQuery",
        "dateRange": {"date_from": "-7d", "date_to": "2026-03-28"},
        "orderBy": "last_seen",
        "orderDirection": "DESC",
        "status": "active",
        "issueId": "f",
        "filterGroup": FILTERS,
        "searchQuery": "a",
        "volumeResolution": 20,
        "withAggregations": True,
        "limit": 10,
        "offset": 1,
    },
    {
        "kind": "ExperimentQuery",
        "experiment": {
            "feature_flag_key": "f",
            "variants": ["control", "test"],
            "start_date": "2026-03-01",
            "end_date": "2026-03-20",
            "multiple_variant_handling": "exclude",
        },
        "metric": {"kind": "ExperimentMetric", "metric_type": "mean", "goal": "increase", "source": NODE},
    },
    {"kind": "HogQLQuery", "query": "SELECT event FROM events"},
]
# What is drawn and not counted, and names that stand for themselves.
COSMETIC = {"custom_name", "showLegend", "order"}


def places(value, path=()):
    """Paths of all values inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from places(each, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(question, path, new):
    # By way of JSON, since parts of the questions above are one object at several places.
    out = json.loads(json.dumps(question))
    at(out, path[:-1])[path[-1]] = new
    return out


def name_of(question):
    return f"{question['kind']}-{QUESTIONS.index(question)}"


@pytest.fixture(scope="module")
def planner():
    tool = world.Planner()
    yield tool
    tool.close()


def ask(planner, question):
    return planner.ask(project=PROJECT, question=question, dialect="duckdb")


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_is_done_as_it_stands(planner, question):
    told = ask(planner, question)
    assert told["ok"], told


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_no_member_is_ignored(planner, question):
    objects = [()] + [path for path in places(question) if isinstance(at(question, path), dict)]
    passed = []
    for path in objects:
        told = ask(planner, changed(question, (*path, "nobody_knows"), 1))
        dotted = ".".join(map(str, (*path, "nobody_knows")))
        if told["ok"] or told["path"] != dotted:
            passed.append((dotted, told.get("path")))
    assert passed == []


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_no_value_is_taken_for_something_else(planner, question):
    passed = []
    for path in places(question):
        if path[-1] in COSMETIC:
            continue
        for wrong in ({"nobody": ["knows"]}, [[["nobody"]]]):
            told = ask(planner, changed(question, path, wrong))
            if told["ok"] or not told["path"].startswith(".".join(map(str, path[:1]))):
                passed.append((".".join(map(str, path)), wrong, told.get("path")))
    assert passed == []


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_no_modifier_is_ignored(planner, question):
    places_of_modifiers = [()] + [path for path in places(question) if path[-1] == "source" and "Actors" in question["kind"]]
    for path in places_of_modifiers:
        for modifiers, name in (
            ({"nobodyKnows": 1}, "nobodyKnows"),
            ({"personsOnEventsMode": "disabled"}, "personsOnEventsMode"),
            ({"convertToProjectTimezone": False}, "convertToProjectTimezone"),
        ):
            told = ask(planner, changed(question, (*path, "modifiers"), modifiers))
            assert not told["ok"], (path, modifiers)
            assert told["path"] == ".".join(map(str, (*path, "modifiers", name)))
        assert ask(planner, changed(question, (*path, "modifiers"), {"useMaterializedViews": True}))["ok"]
