"""Every recipe and every view over the month, on each engine, against plain Python over what was sent."""

from __future__ import annotations

import json
import subprocess
from collections import Counter, defaultdict

import plain as computed
import pytest
from conftest import IS_LARGE, NODE, PAGE_ROWS, PROJECT
from conftest import plain as normal
from month import RECORDED, SINCE, UNTIL

RECIPES = sorted(path.stem for path in (PROJECT / "sql/recipes").glob("*.sql"))
# Recipes that are compared with something else than a computation over the events alone.
REPLAYS_LISTED = 500  # the recipe's LIMIT
OTHERS = {"replays", "person_everything", "rejects", "lateness"}


def as_set(rows):
    return Counter(tuple(map(normal, row)) for row in rows)


def test_every_recipe_is_compared_with_something():
    assert set(RECIPES) == set(computed.ANSWERS) | OTHERS


def test_everything_sent_arrived_and_nothing_else(system):
    sent = Counter((e.team, e.uuid) for e in system.month.events)
    rows = system.rows("events", "team_id", "uuid")
    assert {(row["team_id"], row["uuid"]) for row in rows} == set(sent)
    # At least once: under load the outbox may send again what had arrived.
    assert len(rows) >= len(system.month.events) + system.month.copies
    assert system.pipeline.get("/bad").json() == []


@pytest.mark.parametrize("recipe", sorted(computed.ANSWERS))
def test_a_recipe_answers_what_was_sent(system, composed, engine, recipe):
    found = engine(composed["recipes"][recipe])
    expected = computed.ANSWERS[recipe](system.month.events)
    assert found and as_set(found) == as_set(expected)


def test_present_people_are_those_of_the_merges(system, composed, engine):
    """One person_id for the ids of one person, and another for another's."""
    ids = defaultdict(set)
    for team, distinct_id, person_id in engine(columns(composed, "activity", "team_id, distinct_id, person_id")):
        ids[person_id].add((team, distinct_id))
    expected = defaultdict(set)
    for e in system.month.events:
        if e.name != RECORDED:
            expected[e.person].add((e.team, e.distinct_id))
    assert sorted(map(sorted, ids.values())) == sorted(map(sorted, expected.values()))


def columns(composed, view, names, key="uuid"):
    """The texts of a whole view with these columns alone, for each engine; `key` tells its rows apart."""
    texts = {
        dialect: text.replace(f"SELECT * FROM {view} LIMIT", f"SELECT {names} FROM {view} LIMIT")
        for dialect, text in composed["views"][view].items()
    }
    limit = " LIMIT 10000"

    def page(after):
        whole = composed["views"][view]["basin"].replace(f"SELECT * FROM {view}{limit}", f"SELECT {names}, {key} AS page_key FROM {view}")
        return f"{whole} WHERE {key} > '{after}' ORDER BY {key} LIMIT {PAGE_ROWS}"

    # Only Basin SQL has to have a limit, and pages where there is more.
    return {**texts, "duckdb": texts["duckdb"].removesuffix(limit), "page": page}


def test_each_event_is_there_once_with_its_last_content(system, composed, engine):
    expected = Counter((e.team, e.uuid, e.name, e.distinct_id) for e in system.month.events)
    bought = {e.uuid: e.get("revenue") for e in system.month.events if e.name == "purchase"}
    assert len(expected) == len(system.month.events)
    for view in ("events_deduplicated", "events_with_person", "activity"):
        names = "team_id, uuid, event, distinct_id, properties"
        texts = columns(composed, view, names)
        if IS_LARGE and engine.dialect == "basin" and view != "activity":
            # Windows have a budget there, which a large month may be over: docs/SQL.md says to ask activity.
            try:
                rows = engine(texts)
            except AssertionError as refused:
                assert "for window functions" in str(refused)
                continue
        else:
            rows = engine(texts)
        kept = {key for key in expected if view != "activity" or key[2] != RECORDED}
        assert Counter(row[:4] for row in rows) == Counter(kept), view
        for _, uuid, event, _, properties in rows:
            if event == "purchase":
                read = json.loads(properties) if isinstance(properties, str) else properties
                assert read["revenue"] == bought[uuid], view


def test_sessions_are_as_they_were(system, composed, engine):
    names = "session_id, started_at, ended_at, seconds, events, pages, entry_page, exit_page, utm_source, is_bounce"
    found = engine(columns(composed, "sessions", f"team_id, {names}", "session_id"))
    keys = ("id", "began", "ended", "seconds", "events", "pages", "entry", "exit", "utm", "bounce")
    expected = [tuple(s[key] for key in keys) for s in computed.sessions_of(system.month.events)]
    assert as_set(row[1:] for row in found if row[0] == 1) == as_set(expected)


def recordings(events):
    seen = defaultdict(list)
    for e in events:
        if e.team == 1 and e.name == RECORDED:
            seen[e.get("$session_id")].append(e.at)
    return seen


def test_the_replay_index_and_the_list_have_each_recorded_session(system, composed, engine):
    seen = recordings(system.month.events)
    assert seen
    expected = as_set((s, min(at), max(at), len(at)) for s, at in seen.items())
    names = "team_id, session_id, started_at, ended_at, parts"
    found = engine(columns(composed, "replay_index", names, "session_id"))
    assert as_set(row[1:] for row in found if row[0] == 1) == expected
    pages = {s["id"]: s["pages"] for s in computed.sessions_of(system.month.events)}
    failed = Counter(e.get("$session_id") for e in computed.mine(system.month.events, "$exception"))
    begun = sorted((s for s, at in seen.items() if SINCE <= min(at) < UNTIL), key=lambda s: (-min(seen[s]).timestamp(), s))
    listed = as_set((s, min(seen[s]), max(seen[s]), pages[s], failed[s], len(seen[s])) for s in begun[:REPLAYS_LISTED])
    rows = engine(composed["recipes"]["replays"])
    assert as_set((r[0], r[3], r[4], r[6], r[7], r[8]) for r in rows) == listed


def test_flag_exposures_are_per_person(system, composed, engine):
    names = "team_id, feature_flag, variant, exposed_at, exposures, is_multiple"
    found = engine(columns(composed, "flag_exposures", names, "person_id"))
    expected = [("checkout", *seen) for seen in computed.exposures(system.month.events).values()]
    assert as_set(row[1:] for row in found if row[0] == 1) == as_set(expected)


def test_groups_have_their_present_properties(system, composed, engine):
    names = "team_id, group_type, group_key, changed_at"
    found = engine(columns(composed, "groups_current", names, "group_key"))
    last = {}
    for e in system.month.events:
        if e.name == "$groupidentify":
            key = (e.team, e.get("$group_type"), e.get("$group_key"))
            last[key] = max(last.get(key, e.at), e.at)
    assert as_set(found) == as_set((*key, at) for key, at in last.items())
    for (properties,) in engine(columns(composed, "groups_current", "properties", "group_key")):
        assert "seats" in json.loads(properties)


def test_exception_issues_and_people_views_answer(system, composed, engine):
    assert engine(composed["views"]["exception_issues"])
    people = engine(columns(composed, "persons_current", "team_id, person_id", "person_id"))
    assert people and len(set(people)) == len(people)
    owners = engine(columns(composed, "person_distinct_ids", "team_id, distinct_id, person_id", "distinct_id"))
    assert len({row[:2] for row in owners}) == len(owners)
    current = engine(columns(composed, "distinct_ids_current", "team_id, distinct_id, person_id", "distinct_id"))
    assert set(current) <= set(owners)


def test_issues_have_the_status_of_the_newest_decision(system, composed, engine):
    names = "team_id, exception_fingerprint, status, decided, decided_at, until_people, until_occurrences, people_since, occurrences_since"
    found = engine(columns(composed, "issue_status", names, key="exception_fingerprint"))
    expected = computed.issue_status(system.month.events)
    assert {row[1] for row in expected} == {"active", "ignored"} and as_set(found) == as_set((1, *row) for row in expected)


def test_rejects_are_counted_by_reason(system, engine):
    command = [NODE, str(PROJECT / "scripts/sql.mjs"), "rejects", "since=2000-01-01T00:00:00Z", "until=2999-01-01T00:00:00Z"]
    texts = {
        dialect: subprocess.run(command + words, check=True, capture_output=True, text=True).stdout
        for dialect, words in (("duckdb", []), ("basin", ["--basin"]))
    }
    stored = Counter(
        (row["kind"], row["reason"]) for row in system.rows("rejects", "kind", "reason", "team_id") if row["team_id"] in (1, None)
    )
    assert {row[:2]: row[2] for row in engine(texts)} == dict(stored)
    assert sum(n for (kind, _), n in stored.items() if kind == "reject") == system.month.rejects


def test_lateness_counts_events_and_copies_of_each_day(system, composed, engine):
    days = defaultdict(set)
    copies = Counter()
    firsts = {}
    for row in system.rows("events", "team_id", "uuid", "event", "distinct_id", "timestamp"):
        at = normal(row["timestamp"])
        if row["team_id"] == 1 and SINCE <= at < UNTIL:
            key = (row["uuid"], row["event"], row["distinct_id"])
            firsts[key] = min(firsts.get(key, at), at)
            copies[key] += 1
    for key, at in firsts.items():
        days[computed.day_of(at)].add(key)
    expected = {day: (len(keys), sum(copies[k] - 1 for k in keys)) for day, keys in days.items()}
    found = engine(composed["recipes"]["lateness"])
    assert {row[0]: (row[1], row[2]) for row in found} == expected
    assert sum(row[2] for row in found) > 0 and all(row[4] > 0 for row in found)
