"""A person's rows: found by the recipe, removed by examples/delete_person.py, nobody else's touched."""

import shutil
import subprocess
import sys
from collections import Counter

from conftest import NODE, PROJECT, STREAMS
from pyiceberg.catalog.sql import SqlCatalog

EXAMPLE = str(PROJECT / "examples/delete_person.py")


def someone(system):
    """A person of project 1 with several ids; one of them that is not the survivor's, and all."""
    by_person = {}
    for (team, distinct_id), person in system.month.people.items():
        if team == 1:
            by_person.setdefault(person, set()).add(distinct_id)
    ids = max(by_person.values(), key=lambda each: (len(each), sorted(each)))
    assert len(ids) >= 3
    return sorted(ids)[0], ids


def theirs(system, ids):
    return {
        stream: Counter(
            row["uuid"]
            for row in system.rows(stream, "uuid", "team_id", "distinct_id")
            if row["team_id"] == 1 and row["distinct_id"] in ids
        )
        for stream in STREAMS
    }


def test_the_recipe_finds_every_row_about_a_person(system, engine):
    one, ids = someone(system)
    command = [NODE, str(PROJECT / "scripts/sql.mjs"), "person_everything", f"distinct_id={one}"]
    texts = {
        dialect: subprocess.run(command + words, check=True, capture_output=True, text=True).stdout
        for dialect, words in (("duckdb", []), ("basin", ["--basin"]))
    }
    found = {stream: Counter() for stream in STREAMS}
    for stream, uuid, _, distinct_id, _ in engine(texts):
        assert distinct_id in ids
        found[stream][uuid] += 1
    assert found == theirs(system, ids)


def test_deleting_a_person_removes_exactly_their_rows(system, tmp_path):
    # pyiceberg's metadata names absolute places, so the tables are removed from where they stand;
    # what they were is put back for the other tests.
    place = system.state / "lake"
    shutil.copytree(place, tmp_path / "kept")
    one, ids = someone(system)
    expected = theirs(system, ids)
    before = {stream: uuids(system.catalog(), stream) for stream in STREAMS}
    words = [sys.executable, EXAMPLE, "--local", str(place), "--team-id", "1", "--distinct-id", one]
    try:
        counted = subprocess.run([*words, "--dry-run"], check=True, capture_output=True, text=True)
        assert {s: uuids(system.catalog(), s) for s in STREAMS} == before
        removed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        assert removed.splitlines() == [f"{s}: {sum(expected[s].values())} rows removed" for s in
                                        ("events", "persons", "distinct_ids", "rejects")]  # fmt: skip
        assert removed.replace("removed", "found") == counted.stdout
        for stream in STREAMS:
            assert before[stream] - uuids(system.catalog(), stream) == expected[stream]
            assert uuids(system.catalog(), stream) == before[stream] - expected[stream]
        assert sum(map(len, expected.values())) > 3
    finally:
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "kept", place)


def uuids(catalog: SqlCatalog, stream: str) -> Counter:
    table = catalog.load_table(f"default.hogflare_{stream}_v1")
    return Counter(table.scan(selected_fields=("uuid",)).to_arrow()["uuid"].to_pylist())
