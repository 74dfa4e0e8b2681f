"""What was decided about issues, by events, and what holds once they are met again."""

import pytest
import world

NOW = {"now": "2026-11-26T12:00:00Z", "timezone": "Europe/Berlin", "week_start_day": 1}
LONG = "x" * 3_000


class Story:
    def __init__(self):
        self.events = []

    def add(self, event, at, person, properties):
        number = len(self.events) + 1
        self.events.append(
            {
                "uuid": f"00000000-0000-7000-8000-{number:012}",
                "event": event,
                "distinct_id": person,
                "person": person,
                "timestamp": f"2026-11-{at}:00Z",
                "properties": properties,
            }
        )

    def met(self, issue, at, person, **more):
        self.add("$exception", at, person, {"$exception_fingerprint": issue, **more})

    def decided(self, issue, at, status, **bounds):
        self.add(
            "issue_status_changed", at, "hogflare-console", {"issue": issue, "status": status, "$process_person_profile": False, **bounds}
        )


def told():
    """The story, and of each issue what holds and what came since the newest decision."""
    story = Story()
    want = {}

    def issue(name, status, since, decide=(), before=1, people=()):
        for number in range(before):
            story.met(name, f"10T0{number}:00", f"early-{number}")
        for at, decided, bounds in decide:
            story.decided(name, at, decided, **bounds)
        for number, person in enumerate(people):
            story.met(name, f"20T{number:02}:00", person)
        want[name] = (status, since)

    issue("nothing was decided", "active", None)
    issue("resolved, and not met since", "resolved", (0, 0), [("12T00:00", "resolved", {})])
    issue("resolved, and met since", "active", (1, 1), [("12T00:00", "resolved", {})], people=["a"])
    issue("resolved at the moment it was met", "resolved", (0, 0), [("20T00:00", "resolved", {})], people=["a"])
    issue("ignored for good", "ignored", (2, 3), [("12T00:00", "ignored", {})], people=["a", "b", "a"])
    # What was before the decision does not count.
    issue("one person below its bound", "ignored", (2, 3), [("12T00:00", "ignored", {"until_people": 3})], before=5, people=["a", "b", "a"])
    issue("as many people as its bound", "active", (3, 3), [("12T00:00", "ignored", {"until_people": 3})], people=["a", "b", "c"])
    issue("one event below its bound", "ignored", (1, 3), [("12T00:00", "ignored", {"until_occurrences": 4})], people=["a", "a", "a"])
    issue("as many events as its bound", "active", (1, 4), [("12T00:00", "ignored", {"until_occurrences": 4})], people=["a", "a", "a", "a"])
    issue(
        "the first of two bounds",
        "active",
        (2, 2),
        [("12T00:00", "ignored", {"until_people": 2, "until_occurrences": 100})],
        people=["a", "b"],
    )
    issue(
        "bounds that are none",
        "ignored",
        (2, 2),
        [("12T00:00", "ignored", {"until_people": 0, "until_occurrences": "soon"})],
        people=["a", "b"],
    )
    issue(
        "the newest decision counts",
        "active",
        (2, 2),
        [("12T00:00", "ignored", {"until_people": 9}), ("13T00:00", "active", {}), ("11T00:00", "resolved", {})],
        people=["a", "b"],
    )
    issue("a status nobody knows", "active", None, [("12T00:00", "won't fix", {})])
    # Two ids of one person; and a text that Basin SQL's JSON functions refuse, in what is counted.
    issue("one person by two ids", "ignored", (1, 2), [("12T00:00", "ignored", {"until_people": 2})], people=["a", "a-2"])
    story.met("ignored for good", "10T09:00", "early-0", note=LONG)
    story.decided("ignored for good", "14T00:00", LONG)
    return {"events": story.events, "merges": [{"distinct_id": "a-2", "person": "a"}]}, want


DATASET, WANT = told()


@pytest.fixture(scope="module")
def planner():
    planner = world.Planner()
    yield planner
    planner.close()


def ask(planner, dialect, **question):
    got = world.answer(
        planner,
        world.load(DATASET),
        world.project_of(DATASET, NOW),
        {"kind": "ErrorTrackingQuery", "dateRange": {"date_from": "-30d"}, **question},
        dialect,
    )
    assert got["ok"], got
    return {one["id"]: one for one in got["answer"]["results"]}, got["answer"]


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
def test_the_newest_decision_holds_until_its_bound(planner, dialect):
    found, _ = ask(planner, dialect)
    assert {name: one["status"] for name, one in found.items()} == {name: status for name, (status, _) in WANT.items()}
    since = {name: one["decision"] and (one["decision"]["people"], one["decision"]["occurrences"]) for name, one in found.items()}
    assert since == {name: since for name, (_, since) in WANT.items()}
    bounded = found["the first of two bounds"]["decision"]
    assert bounded == {
        "status": "ignored",
        "at": "2026-11-12T00:00:00.000000Z",
        "until_people": 2,
        "until_occurrences": 100,
        "people": 2,
        "occurrences": 2,
    }
    assert "until_people" not in found["bounds that are none"]["decision"]


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
def test_neither_the_range_nor_a_filter_decides_the_status(planner, dialect):
    found, _ = ask(planner, dialect, dateRange={"date_from": "2026-11-09", "date_to": "2026-11-11"}, searchQuery="")
    assert found["resolved, and met since"]["status"] == "active"
    assert found["as many people as its bound"]["status"] == "active"
    assert found["ignored for good"]["status"] == "ignored"


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
@pytest.mark.parametrize("status", ["active", "resolved", "ignored"])
def test_a_list_of_one_status_is_paged_like_any(planner, dialect, status):
    every, _ = ask(planner, dialect, orderBy="first_seen")
    wanted = [name for name, one in every.items() if one["status"] == status]
    found, first = ask(planner, dialect, orderBy="first_seen", status=status, limit=1)
    rest, last = ask(planner, dialect, orderBy="first_seen", status=status, limit=100, offset=1)
    assert [*found, *rest] == wanted and first["hasMore"] == (len(wanted) > 1) and not last["hasMore"]


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
def test_a_status_that_is_not_kept_is_refused_by_its_path(planner, dialect):
    got = world.answer(
        planner, world.load(DATASET), world.project_of(DATASET, NOW), {"kind": "ErrorTrackingQuery", "status": "suppressed"}, dialect
    )
    assert not got["ok"] and got["path"] == "status"
