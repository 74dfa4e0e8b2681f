"""Who is behind an edge of paths and behind web analytics' visitors: as many as the number says, in both dialects."""

import pytest
import world


@pytest.fixture(scope="module")
def planner():
    planner = world.Planner()
    yield planner
    planner.close()


@pytest.fixture(scope="module")
def connection():
    return world.load(DATASET)


def seen(number, distinct_id, minute, page, session, browser="Chrome"):
    return {
        "uuid": f"e{number}",
        "event": "$pageview",
        "distinct_id": distinct_id,
        "person": f"p-{distinct_id}",
        "timestamp": f"2024-02-01T10:{minute:02}:00Z",
        "properties": {
            "$session_id": session,
            "$current_url": f"https://x.test{page}",
            "$pathname": page,
            **({"$browser": browser} if browser else {}),
        },
    }


DATASET = {
    "merges": [{"distinct_id": "anon", "person": "p-ada"}],
    "persons": {},
    "events": [
        seen(1, "anon", 0, "/", "s1"),
        seen(2, "anon", 1, "/docs", "s1"),
        seen(3, "ada", 2, "/", "s2"),
        seen(4, "ada", 3, "/docs", "s2"),
        seen(5, "bob", 0, "/", "s3", "Firefox"),
        seen(6, "bob", 1, "/docs", "s3", "Firefox"),
        seen(7, "bob", 2, "/pricing", "s3", "Firefox"),
        seen(8, "cleo", 5, "/pricing", "s4"),
        seen(9, "cleo", 6, "/docs", "s4"),
    ],
}
PROJECT = {"now": "2024-02-02T12:00:00Z", "team_id": 1}
RANGE = {"date_from": "2024-02-01", "date_to": "2024-02-01"}


@pytest.fixture(params=["duckdb", "basin"])
def ask(request, planner, connection):
    return lambda question: world.answer(planner, connection, PROJECT, question, request.param)


def people(ask, source, **more):
    answer = ask({"kind": "ActorsQuery", "select": ["id"], "source": {"kind": "InsightActorsQuery", "source": source, **more}})
    assert answer["ok"], answer
    return sorted(row[0] for row in answer["answer"]["results"])


def test_an_edge_has_the_people_of_its_visits(ask):
    question = {"kind": "PathsQuery", "dateRange": RANGE, "pathsFilter": {"includeEventTypes": ["$pageview"]}}
    edges = ask(question)["answer"]["results"]
    # ada's two visits lie a minute apart, and so are one path.
    assert {(edge["source"], edge["target"]): edge["value"] for edge in edges} == {
        ("1_https://x.test", "2_https://x.test/docs"): 2,
        ("2_https://x.test/docs", "3_https://x.test"): 1,
        ("3_https://x.test", "4_https://x.test/docs"): 1,
        ("2_https://x.test/docs", "3_https://x.test/pricing"): 1,
        ("1_https://x.test/pricing", "2_https://x.test/docs"): 1,
    }
    for edge in edges:
        source = {**question, "pathsFilter": {**question["pathsFilter"], "pathStartKey": edge["source"], "pathEndKey": edge["target"]}}
        assert len(people(ask, source)) == edge["value"]
    at = {**question, "pathsFilter": {**question["pathsFilter"], "pathEndKey": "2_https://x.test/docs"}}
    assert people(ask, at) == ["p-ada", "p-bob", "p-cleo"]


def test_visitors_are_as_many_as_the_card_and_the_rows_say(ask):
    overview = {"kind": "WebOverviewQuery", "dateRange": RANGE}
    cards = {card["key"]: card["value"] for card in ask(overview)["answer"]["results"]}
    assert cards["visitors"] == 3
    assert people(ask, overview) == ["p-ada", "p-bob", "p-cleo"]
    compared = {**overview, "compareFilter": {"compare": True}}
    assert people(ask, compared, compare="previous") == []
    for by in ("Page", "InitialPage", "Browser"):
        for more in ({}, {"includeBounceRate": True}):
            table = {"kind": "WebStatsTableQuery", "dateRange": RANGE, "breakdownBy": by, **more}
            rows = ask(table)["answer"]["results"]
            assert len(rows) > 1
            for value, [visitors, _], *_ in rows:
                assert len(people(ask, table, breakdown=value)) == visitors, (by, value)


@pytest.mark.parametrize(
    "question, path",
    [
        ({"kind": "PathsQuery", "pathsFilter": {"pathStartKey": "1_/"}}, "pathsFilter.pathStartKey"),
        (
            {"kind": "ActorsQuery", "source": {"kind": "InsightActorsQuery", "source": {"kind": "PathsQuery", "pathsFilter": {}}}},
            "source.source.pathsFilter.pathStartKey",
        ),
        (
            {"kind": "ActorsQuery", "source": {"kind": "InsightActorsQuery", "day": "2024-02-01", "source": {"kind": "WebOverviewQuery"}}},
            "source.day",
        ),
        (
            {
                "kind": "ActorsQuery",
                "source": {"kind": "InsightActorsQuery", "compare": "previous", "source": {"kind": "WebOverviewQuery"}},
            },
            "source.compare",
        ),
    ],
)
def test_what_says_nothing_is_refused_by_its_path(ask, question, path):
    answer = ask(question)
    assert not answer["ok"] and answer["path"] == path, answer
