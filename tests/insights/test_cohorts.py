"""Cohorts as filters and as a breakdown: lists of persons' and distinct ids, rules over people's present properties,
one cohort inside of another; and who is behind each line, as many as it counts.
"""

import pytest
import world

DAY = "2024-02-01"
# ada came as anon-a before she was known; bob has no row among the distinct ids; cleo's plan changed after her event.
EVENTS = [
    ("e1", "anon-a", "p-ada"),
    ("e2", "ada", "p-ada"),
    ("e3", "bob", "p-bob"),
    ("e4", "cleo", "p-cleo"),
    ("e5", "dan", "p-dan"),
    ("e6", "nobody", "p-none"),
]
DATASET = {
    "events": [
        {"uuid": uuid, "event": "seen", "distinct_id": distinct_id, "person": person, "timestamp": f"{DAY}T10:00:0{i}Z", "properties": {}}
        for i, (uuid, distinct_id, person) in enumerate(EVENTS)
    ],
    "persons": {
        "p-ada": {"properties": {"plan": "pro", "age": 30}, "created_at": f"{DAY}T00:00:00Z"},
        "p-bob": {"properties": {"plan": "free", "age": 20}, "created_at": f"{DAY}T00:00:00Z"},
        "p-cleo": {"properties": {"plan": "pro"}, "created_at": f"{DAY}T00:00:00Z"},
        "p-dan": {"properties": {"age": 50}, "created_at": f"{DAY}T00:00:00Z"},
    },
    "merges": [{"distinct_id": "anon-a", "person": "p-ada"}, {"distinct_id": "ada", "person": "p-ada"}],
}


def leaf(key, value, operator="exact", **more):
    return {"key": key, "type": "person", "value": value, "operator": operator, **more}


def group(*values, kind="AND"):
    return {"type": kind, "values": list(values)}


PRO = group(leaf("plan", ["pro"]))
COHORTS = {
    "1": {"name": "pro", "properties": PRO},
    "2": {"name": "not pro", "properties": group(leaf("plan", ["pro"], negation=True))},
    "3": {"name": "grown", "properties": group(group(leaf("age", 25, "gte")), group(leaf("plan", "free")), kind="OR")},
    "4": {
        "name": "pro and grown",
        "properties": group({"key": "id", "type": "cohort", "value": 1}, {"key": "id", "type": "cohort", "value": "3"}),
    },
    "5": {
        "name": "pro, not grown",
        "properties": group({"key": "id", "type": "cohort", "value": 1}, {"key": "id", "type": "cohort", "value": 3, "negation": True}),
    },
    "6": {"name": "listed", "members": ["anon-a", "p-dan", "bob"]},
    "7": {"name": "as the API lists", "members": [{"uuid": "p-cleo", "distinct_ids": ["x"]}, {"distinct_ids": ["ada"]}]},
    "8": {"name": "by person", "person_ids": ["p-ada", "p-bob"]},
    "9": {"name": "empty list", "members": []},
    "10": {"name": "in a circle", "properties": group({"key": "id", "type": "cohort", "value": 10})},
    "11": {
        "name": "did something",
        "properties": group(leaf("plan", "pro"), {"type": "behavioral", "key": "seen", "value": "performed_event"}),
    },
    "12": {"name": "by a group", "properties": group({"key": "seats", "type": "group", "value": 1})},
    "13": {"name": "many", "members": [f"id-{i}" for i in range(1001)]},
}
WHO = {
    "1": {"ada", "cleo"},
    "2": {"bob", "dan", "none"},
    "3": {"ada", "bob", "dan"},
    "4": {"ada"},
    "5": {"cleo"},
    "6": {"ada", "bob", "dan"},
    "7": {"ada", "cleo"},
    "8": {"ada", "bob"},
    "9": set(),
}
EVERYBODY = {"ada", "bob", "cleo", "dan", "none"}


@pytest.fixture(scope="module")
def planner():
    planner = world.Planner()
    yield planner
    planner.close()


@pytest.fixture(scope="module")
def ask(planner):
    connection = world.load(DATASET)
    project = {"now": "2024-02-02T12:00:00Z", "team_id": 1, "cohorts": COHORTS}
    return lambda question, dialect: world.answer(planner, connection, project, question, dialect)


def trend(**more):
    return {
        "kind": "TrendsQuery",
        "series": [{"kind": "EventsNode", "event": "seen", "math": "dau"}],
        "dateRange": {"date_from": DAY, "date_to": DAY},
        **more,
    }


def people(ask, source, dialect, **more):
    answer = ask(
        {"kind": "ActorsQuery", "select": ["id"], "source": {"kind": "InsightActorsQuery", "source": source, "day": DAY, **more}}, dialect
    )
    assert answer["ok"], answer
    return [row[0].removeprefix("p-") for row in answer["answer"]["results"]]


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
@pytest.mark.parametrize("cohort", sorted(WHO))
def test_a_cohort_is_a_filter_and_its_people_are_those_counted(ask, cohort, dialect):
    for operator, who in (("in", WHO[cohort]), ("not_in", EVERYBODY - WHO[cohort])):
        question = trend(properties=[{"type": "cohort", "key": "id", "value": int(cohort), "operator": operator}])
        answer = ask(question, dialect)
        assert answer["ok"], answer
        assert answer["answer"]["results"][0]["data"] == [len(who)], (operator, who)
        behind = people(ask, question, dialect)
        assert sorted(behind) == sorted(who)


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
def test_cohorts_break_a_trend_down(ask, dialect):
    question = trend(breakdownFilter={"breakdown_type": "cohort", "breakdown": ["all", *map(int, sorted(WHO))]})
    lines = ask(question, dialect)["answer"]["results"]
    assert {line["label"]: line["data"] for line in lines} == {
        "all users": [5],
        **{COHORTS[cohort]["name"]: [len(who)] for cohort, who in WHO.items()},
    }
    for cohort in ("all", "1", "6"):
        behind = people(ask, question, dialect, breakdown=cohort)
        assert sorted(behind) == sorted(WHO.get(cohort, EVERYBODY))


@pytest.mark.parametrize(
    "kind", ["FunnelsQuery", "LifecycleQuery", "StickinessQuery", "RetentionQuery", "PathsQuery", "WebOverviewQuery", "EventsQuery"]
)
def test_every_kind_takes_a_cohort(ask, kind):
    nodes = [{"kind": "EventsNode", "event": "seen"}]
    kinds = {
        "FunnelsQuery": {"series": nodes * 2},
        "LifecycleQuery": {"series": nodes},
        "StickinessQuery": {"series": nodes},
        "RetentionQuery": {"retentionFilter": {"targetEntity": {"id": "seen"}, "returningEntity": {"id": "seen"}}},
        "EventsQuery": {"select": ["event"], "after": "all"},
    }
    question = {"kind": kind, "properties": [{"type": "cohort", "key": "id", "value": 4}], **kinds.get(kind, {})}
    if kind != "EventsQuery":
        question["dateRange"] = {"date_from": DAY, "date_to": DAY}
    one, other = (ask(question, dialect) for dialect in ("duckdb", "basin"))
    assert one["ok"] and one["answer"]["results"] == other["answer"]["results"]
    if kind == "EventsQuery":
        assert len(one["answer"]["results"]) == 2  # ada's, by both of her ids


@pytest.mark.parametrize(
    "cohort, path",
    [
        (99, "properties.0.value"),
        (10, "properties.0.value.values.0.value"),
        (11, "properties.0.value.values.1.type"),
        (12, "properties.0.value.values.0.type"),
        (13, "properties.0.value"),
    ],
)
def test_what_cannot_be_decided_is_refused_by_its_path(ask, cohort, path):
    answer = ask(trend(properties=[{"type": "cohort", "key": "id", "value": cohort}]), "basin")
    assert not answer["ok"] and answer["path"].startswith(path), answer


def test_a_cohort_that_is_not_asked_about_refuses_nothing(ask):
    assert ask(trend(), "basin")["answer"]["results"][0]["data"] == [5]


def test_negation_means_something_in_cohorts_only(ask):
    answer = ask(trend(properties=[leaf("plan", "pro", negation=True)]), "basin")
    assert not answer["ok"] and answer["path"] == "properties.0.negation"
