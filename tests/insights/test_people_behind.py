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


def hour_of(utc, *ids):
    """A page view of each id at a minute of the hour that begins at `utc`."""
    return [
        {
            "uuid": f"{utc} {n}",
            "event": "$pageview",
            "distinct_id": one,
            "person": f"p-{one}",
            "timestamp": utc.replace(":00:00Z", ":10:00Z"),
            "properties": {},
        }
        for n, one in enumerate(ids)
    ]


@pytest.fixture(scope="module")
def berlin():
    events = [
        *hour_of("2026-10-24T23:00:00Z", "first"),
        *hour_of("2026-10-25T00:00:00Z", "ada", "bob"),
        *hour_of("2026-10-25T01:00:00Z", "bob", "cleo", "dan"),
        *hour_of("2026-10-25T02:00:00Z", "last"),
        *hour_of("2026-03-29T00:00:00Z", "early"),
        *hour_of("2026-03-29T01:00:00Z", "spring", "bob"),
    ]
    return world.load({"merges": [], "persons": {}, "events": events})


@pytest.fixture(params=["duckdb", "basin"])
def ask_in(request, planner, berlin):
    def ask(zone, question):
        project = {"now": "2026-10-27T12:00:00Z", "team_id": 1, "timezone": zone}
        return world.answer(planner, berlin, project, question, request.param)

    return ask


def hourly(kind, day):
    return {
        "kind": kind,
        "series": [{"kind": "EventsNode", "event": "$pageview", **({"math": "dau"} if kind == "TrendsQuery" else {})}],
        "interval": "hour",
        "dateRange": {"date_from": day, "date_to": f"{day} 23:59:59"},
    }


def behind(ask_in, source, zone="Europe/Berlin", **more):
    return people(lambda question: ask_in(zone, question), source, **more)


def test_both_of_a_clocks_equal_hours_have_their_people(ask_in):
    source = hourly("TrendsQuery", "2026-10-25")
    [trend] = ask_in("Europe/Berlin", source)["answer"]["results"]
    twice = [i for i, day in enumerate(trend["days"]) if day == "2026-10-25 02:00:00"]
    assert [trend["data"][i] for i in twice] == [2, 3]
    # The text is the first of the two; an instant is no other, whatever zone it is told in.
    for day in ("2026-10-25 02:00:00", "2026-10-25T02:00:00+02:00", "2026-10-25T00:00:00Z"):
        assert behind(ask_in, source, day=day) == ["p-ada", "p-bob"], day
    for day in ("2026-10-25T02:00:00+01:00", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00.000Z", "2026-10-24T20:00:00-05:00"):
        assert behind(ask_in, source, day=day) == ["p-bob", "p-cleo", "p-dan"], day
    assert behind(ask_in, source, day="2026-10-25 01:00:00") == ["p-first"]
    assert behind(ask_in, source, day="2026-10-25 03:00:00") == ["p-last"]


def test_a_lifecycles_equal_hours_have_their_people(ask_in):
    source = hourly("LifecycleQuery", "2026-10-25")
    returning = {"status": "returning"}
    assert behind(ask_in, source, day="2026-10-25T01:00:00Z", **returning) == ["p-bob"]
    assert behind(ask_in, source, day="2026-10-25 02:00:00", **returning) == []


def test_springs_missing_hour_is_no_bucket_and_its_instant_is_the_next(ask_in):
    source = hourly("TrendsQuery", "2026-03-29")
    [trend] = ask_in("Europe/Berlin", source)["answer"]["results"]
    assert trend["days"][1:3] == ["2026-03-29 01:00:00", "2026-03-29 03:00:00"]
    for day in ("2026-03-29 03:00:00", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00+01:00"):
        assert behind(ask_in, source, day=day) == ["p-bob", "p-spring"], day
    # Neither a reading that the clock skips nor an instant within an hour is where one begins.
    for day in ("2026-03-29 02:00:00", "2026-03-29T01:30:00Z", "2026-03-29 03:00:00+05:00"):
        query = {"kind": "ActorsQuery", "select": ["id"], "source": {"kind": "InsightActorsQuery", "source": source, "day": day}}
        refused = ask_in("Europe/Berlin", query)
        assert (refused["ok"], refused["path"]) == (False, "source.day"), day


def test_a_day_may_be_told_by_the_instant_it_begins_at(ask_in):
    source = {**hourly("TrendsQuery", "2026-10-25"), "interval": "day"}
    everybody = ["p-ada", "p-bob", "p-cleo", "p-dan", "p-first", "p-last"]
    for day in ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T00:00:00+02:00", "2026-10-25T00:00:00Z"):
        assert behind(ask_in, source, day=day) == everybody, day
