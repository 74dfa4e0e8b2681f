"""Rows made shorter by HOGFLARE_PERSON_PROPERTIES and HOGFLARE_ROWS give the answers that full rows give."""

from __future__ import annotations

import json

import plain as computed
import pytest
from conftest import SEED, in_batches, running
from month import RECORDED, make_month
from test_recipes import as_set, columns, recordings

EVENTS = 300
MODES = {
    "full": {},
    "lean": {"HOGFLARE_ROWS": "lean"},
    "changed": {"HOGFLARE_PERSON_PROPERTIES": "changed"},
    "lean and off": {"HOGFLARE_ROWS": "lean", "HOGFLARE_PERSON_PROPERTIES": "off"},
}


@pytest.fixture(scope="module")
def systems():
    """The same month through each kind of row: {mode: System}, stopped but for its answers' sake."""
    made = {}
    managers = []
    try:
        for mode, variables in MODES.items():
            managers.append(running(make_month(SEED, EVENTS), **variables))
            made[mode] = managers[-1].__enter__()
        yield made
    finally:
        for manager in managers:
            manager.__exit__(None, None, None)


@pytest.fixture(params=[(mode, dialect) for mode in MODES for dialect in ("duckdb", "basin")], ids=" on ".join)
def asked(request, systems):
    """(mode, System, ask): one kind of rows on one engine."""
    mode, dialect = request.param
    system = systems[mode]
    return mode, system, lambda texts: getattr(system, dialect)(texts[dialect])


def kept_by_lean(month) -> set[str]:
    """Events but the calls of a flag that repeat one of the same request: their uuids."""
    kept = set()
    for phase in month.phases:
        for requests in phase:
            for _, body in in_batches(requests):
                said = set()
                for event in body.get("batch", [body]):
                    flag = [event["properties"].get(name) for name in ("$feature_flag", "$feature_flag_response")]
                    call = (event.get("distinct_id"), *flag)
                    if event["event"] != "$feature_flag_called" or call not in said:
                        kept.add(event.get("uuid"))
                    said.add(call)
    return kept


def present(mode, system):
    events = system.month.events
    if not mode.startswith("lean"):
        return events
    kept = kept_by_lean(system.month)
    return [e for e in events if e.uuid in kept]


def test_shorter_rows_are_shorter(systems):
    sizes = {
        mode: sum(len(json.dumps(row, default=str)) for row in system.rows("events") if row["event"] != RECORDED)
        for mode, system in systems.items()
    }
    assert sizes["lean and off"] < sizes["lean"] < sizes["full"]
    assert sizes["changed"] < sizes["full"]
    for mode in ("changed", "lean and off"):
        assert any(row.get("person_properties") is None for row in systems[mode].rows("events"))
    assert all(row.get("person_properties") is None for row in systems["lean and off"].rows("events"))


def test_every_recipe_answers_the_same(asked, composed):
    mode, system, ask = asked
    events = present(mode, system)
    for recipe, compute in computed.ANSWERS.items():
        assert as_set(ask(composed["recipes"][recipe])) == as_set(compute(events)), recipe
    listed = [row[0] for row in ask(composed["recipes"]["replays"])]
    assert set(listed) <= set(recordings(events)) and listed


def test_every_view_answers_the_same(asked, composed):
    mode, system, ask = asked
    events = present(mode, system)
    names = "team_id, feature_flag, variant, exposed_at, is_multiple"
    seen = [("checkout", variant, at, multiple) for variant, at, _, multiple in computed.exposures(events).values()]
    assert as_set(r[1:] for r in ask(columns(composed, "flag_exposures", names)) if r[0] == 1) == as_set(seen)
    groups = {(e.team, e.get("$group_key")) for e in events if e.name == "$groupidentify"}
    assert {(r[0], r[2]) for r in ask(columns(composed, "groups_current", "team_id, group_type, group_key"))} == groups
    kept = sorted((e.team, e.uuid) for e in events)
    for view in ("events_deduplicated", "events_with_person"):
        assert sorted(ask(columns(composed, view, "team_id, uuid"))) == kept, view


def as_of(system, ask, composed):
    names = "team_id, uuid, person_id, created_at, person_properties"
    return {(r[0], r[1]): (*r[2:4], read(r[4])) for r in ask(columns(composed, "person_as_of", names))}


def test_the_person_as_of_the_event_comes_back(asked, systems, composed):
    """What the full rows say, but that a request's earlier events may show the person after the request."""
    mode, system, ask = asked
    whole, after = {}, {}
    for row in sorted(systems["full"].rows("events"), key=lambda row: row["created_at"]):
        if row["person_mode"] == "full" and row["person_id"]:
            whole.setdefault((row["team_id"], row["uuid"]), row)
            after[(row["created_at"], row["person_id"])] = read(row["person_properties"])
    found = as_of(system, ask, composed)
    assert found.keys() == {(e.team, e.uuid) for e in present(mode, system)} & whole.keys()
    assert any(properties for *_, properties in found.values())
    for key, (person_id, _, properties) in found.items():
        row = whole[key]
        if mode == "full":
            assert properties == read(row["person_properties"])
        else:
            allowed = (read(row["person_properties"]), after[(row["created_at"], row["person_id"])])
            assert stored_of(properties) in map(stored_of, allowed), (row["event"], row["distinct_id"])
        assert person_id == row["person_id"]


def test_whole_events_have_their_own_properties_again(systems):
    """events_whole, which is DuckDB's: sorted by name, without what no row of any mode is about."""
    told = {}
    for mode, system in systems.items():
        rows = system.duckdb("SELECT team_id, uuid, event, properties FROM events_whole")
        told[mode] = {(r[0], r[1]): (r[2], own(r[3])) for r in rows}
    full = told.pop("full")
    assert any(properties for _, properties in full.values())
    for mode, rows in told.items():
        kept = {(e.team, e.uuid) for e in present(mode, systems[mode])}
        assert rows == {key: value for key, value in full.items() if key in kept}, mode


# Of what the month sends: on a row they are the event's, and they alone are no change of a stored person.
LAST_SEEN = ("$browser", "$current_url", "$os", "$pathname")


def stored_of(properties):
    """A person's properties without those of its last sight, which PostHog does not store for their own sake."""
    return {name: value for name, value in properties.items() if name not in LAST_SEEN and not name.startswith("$geoip_")}


def own(properties):
    return {k: v for k, v in read(properties).items() if v is not None and not k.startswith("$set")}


def read(value):
    return json.loads(value) if isinstance(value, str) else value or {}
