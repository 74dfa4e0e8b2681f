"""The views of sql/ on hand-made rows, with JSON columns of type JSON and as text.

Each test runs twice: through the fake pipeline, and in a bare DuckDB whose tables are as the sink's
Iceberg tables appear (JSON columns are VARCHAR).
"""

import json
import random

import duckdb
import pytest
from conftest import PROJECT
from fake_pipeline.store import sql_files
from pipeline_client import event_row, person_row

TEXT_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN", "json": "VARCHAR"}


class IcebergLike:
    """Tables as the sink's: text for JSON, timestamps with time zone, __ingest_ts added."""

    def __init__(self):
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.arrived = 0
        for stream in ("events", "persons", "distinct_ids", "rejects"):
            columns = [f'"{name}" {TEXT_TYPES.get(kind, "TIMESTAMPTZ")}' for name, kind in self._fields(stream)]
            self.connection.execute(f"CREATE TABLE {stream} ({', '.join(columns)}, __ingest_ts TIMESTAMPTZ)")
        for path in sql_files(PROJECT / "sql"):
            self.connection.execute(path.read_text())

    @staticmethod
    def _fields(stream):
        document = json.loads((PROJECT / "schemas" / f"{stream}.json").read_text())
        return [(field["name"], field["type"]) for field in document["fields"]]

    def send(self, rows, stream="events"):
        for row in rows:
            self.arrived += 1
            values = []
            for name, kind in self._fields(stream):
                value = row.get(name)
                is_text = kind == "json" and value is not None
                values.append(json.dumps(value) if is_text else value)
            marks = ", ".join("?" for _ in values)
            self.connection.execute(f"INSERT INTO {stream} VALUES ({marks}, to_timestamp({self.arrived}))", values)

    def sql(self, query):
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


@pytest.fixture(params=["fake pipeline", "text columns"])
def tables(request):
    if request.param == "fake pipeline":
        return request.getfixturevalue("pipeline")
    return IcebergLike()


def values(tables, query):
    return [tuple(row.values()) for row in tables.sql(query)]


# events_deduplicated


def plan(name):
    return {"plan": name}


def test_each_event_is_there_once(tables):
    tables.send([event_row(uuid="a"), event_row(uuid="b")])
    tables.send([event_row(uuid="a")])
    tables.send([event_row(uuid="c"), event_row(uuid="c")])
    found = values(tables, "SELECT uuid FROM events_deduplicated ORDER BY uuid")
    assert found == [("a",), ("b",), ("c",)]


def test_events_of_other_names_or_people_that_share_a_uuid_are_all_kept(tables):
    for _ in range(2):
        tables.send([event_row(uuid="a", event="placed"), event_row(uuid="a", event="shipped")])
        tables.send([event_row(uuid="b", distinct_id="x"), event_row(uuid="b", distinct_id="y")])
    query = "SELECT event FROM events_deduplicated WHERE uuid = 'a' ORDER BY event"
    assert values(tables, query) == [("placed",), ("shipped",)]
    query = "SELECT distinct_id FROM events_deduplicated WHERE uuid = 'b' ORDER BY distinct_id"
    assert values(tables, query) == [("x",), ("y",)]


def test_copies_whose_time_drifted_are_folded_into_the_first(tables):
    at = "2026-01-02T00:00:00Z"
    tables.send([event_row(uuid="a", timestamp=at, properties=plan("first"))])
    tables.send([event_row(uuid="a", timestamp="2025-01-01T00:00:00Z", properties=plan("earlier clock"))])
    tables.send([event_row(uuid="a", timestamp=None, properties=plan("no clock"))])
    query = "SELECT properties->>'plan' FROM events_deduplicated"
    assert values(tables, query) == [("first",)]


def test_of_copies_equal_in_time_the_last_accepted_gives_the_content(tables):
    for second, name in enumerate(["wrong", "still wrong", "right"]):
        created_at = f"2026-01-02T00:00:0{second}Z"
        tables.send([event_row(uuid="a", created_at=created_at, properties=plan(name))])
    drifted = event_row(
        uuid="a",
        created_at="2026-01-02T00:00:09Z",
        timestamp="2026-01-01T00:00:01Z",
        properties=plan("drifted"),
    )
    tables.send([drifted])
    query = "SELECT properties->>'plan' FROM events_deduplicated"
    assert values(tables, query) == [("right",)]


def test_a_late_copy_that_was_accepted_earlier_changes_nothing(tables):
    tables.send([event_row(uuid="a", created_at="2026-01-02T00:00:00Z", properties=plan("new"))])
    before = tables.sql("SELECT * FROM events_deduplicated")
    tables.send([event_row(uuid="a", created_at="2026-01-01T00:00:00Z", properties=plan("old"))])
    assert tables.sql("SELECT * FROM events_deduplicated") == before


def test_one_uuid_in_two_teams_is_two_events_and_no_team_is_a_team(tables):
    for _ in range(2):
        tables.send([event_row(uuid="a", team_id=team) for team in (1, 2, None)])
    query = "SELECT team_id FROM events_deduplicated ORDER BY team_id NULLS LAST"
    assert values(tables, query) == [(1,), (2,), (None,)]


def test_the_deduplicated_view_has_the_columns_of_the_table(tables):
    names = [list(tables.sql(f"DESCRIBE {name}")) for name in ("events", "events_deduplicated")]
    assert [c["column_name"] for c in names[0]] == [c["column_name"] for c in names[1]]


# persons_current


def test_the_highest_version_of_a_person_wins_whatever_arrives_last(tables):
    tables.send(
        [
            person_row("p", 2, properties={"v": 2}),
            person_row("p", 3, properties={"v": 3}),
            person_row("p", 1, properties={"v": 1}),
            person_row("p", 3, properties={"v": 3}),
            person_row("p", 1, team_id=2),
        ],
        "persons",
    )
    query = "SELECT team_id, version FROM persons_current ORDER BY team_id"
    assert values(tables, query) == [(1, 3), (2, 1)]


def test_deleted_people_are_gone_until_a_higher_version_brings_them_back(tables):
    tables.send([person_row("p", 4), person_row("p", 104, is_deleted=True)], "persons")
    tables.send([person_row("p", 5)], "persons")
    assert values(tables, "SELECT version FROM persons_current") == []
    tables.send([person_row("p", 105)], "persons")
    assert values(tables, "SELECT version FROM persons_current") == [(105,)]


# person_distinct_ids

OWNERS = "SELECT distinct_id, person_id FROM person_distinct_ids ORDER BY team_id, distinct_id"


def tombstone(person_id, version, merged_into=None, **columns):
    return person_row(
        person_id,
        version,
        is_deleted=True,
        merged_into=merged_into,
        operation="merge" if merged_into else "delete",
        **columns,
    )


def owners(tables):
    return dict(values(tables, OWNERS))


def test_every_id_of_a_person_maps_to_it_listed_or_concerned(tables):
    tables.send(
        [
            person_row("p", 1, distinct_id="a", distinct_ids=["a"]),
            person_row("p", 2, distinct_id="b", distinct_ids=["a", "b", "c"]),
            person_row("p", 3, distinct_id="d", distinct_ids=None),
        ],
        "persons",
    )
    assert owners(tables) == {"a": "p", "b": "p", "c": "p", "d": "p"}


def test_a_chain_of_merges_leads_every_id_to_the_last_survivor(tables):
    length = 20
    rows = [tombstone(f"p{n}", 101, f"p{n + 1}", distinct_id=f"d{n}") for n in range(length - 1)]
    for n in range(length):
        rows.append(person_row(f"p{n}", 1, distinct_id=f"d{n}", distinct_ids=[f"d{n}"]))
    random.Random(5).shuffle(rows)
    tables.send(rows, "persons")
    assert owners(tables) == {f"d{n}": f"p{length - 1}" for n in range(length)}
    merges = dict(values(tables, "SELECT distinct_id, merges FROM person_distinct_ids"))
    assert merges["d0"] == length - 1 and merges[f"d{length - 1}"] == 0


def test_several_people_merged_into_one_all_map_to_it(tables):
    rows = [person_row("s", 1, distinct_id="user")]
    for n in range(5):
        rows += [person_row(f"p{n}", 1, distinct_id=f"d{n}"), tombstone(f"p{n}", 102, "s")]
    tables.send(rows, "persons")
    found = owners(tables)
    assert {found[f"d{n}"] for n in range(5)} == {"s"} and found["user"] == "s"


def test_a_merge_seen_before_the_survivors_first_row_still_maps(tables):
    tables.send([person_row("old", 1, distinct_id="a"), tombstone("old", 101, "new")], "persons")
    assert owners(tables) == {"a": "new", "old": "new"}


def test_a_tombstones_own_list_of_ids_follows_the_merge(tables):
    tables.send([tombstone("old", 101, "new", distinct_id="a", distinct_ids=["a", "b"])], "persons")
    assert owners(tables) == {"a": "new", "b": "new"}


def test_a_person_deleted_outright_leaves_no_mapping(tables):
    tables.send([person_row("p", 1, distinct_ids=["a"]), tombstone("p", 101)], "persons")
    assert owners(tables) == {}


def test_of_one_version_the_tombstone_wins_in_both_views_of_people(tables):
    rows = [tombstone("p", 101), person_row("p", 101), person_row("q", 5), tombstone("q", 5)]
    tables.send(rows, "persons")
    assert owners(tables) == {}
    assert values(tables, "SELECT person_id FROM persons_current") == []


def test_a_person_created_again_does_not_get_its_former_ids_back(tables):
    tables.send(
        [
            person_row("p", 1, distinct_id="a", distinct_ids=["a", "b"]),
            tombstone("p", 101, distinct_id="a"),
            tombstone("p", 101, distinct_id="a"),
            person_row("p", 102, distinct_id="a", distinct_ids=["a"]),
        ],
        "persons",
    )
    assert owners(tables) == {"a": "p"}


def test_a_merged_person_created_again_leaves_its_ids_with_the_survivor(tables):
    tables.send(
        [
            person_row("p", 1, distinct_id="a", distinct_ids=["a"]),
            person_row("s", 1, distinct_id="user", distinct_ids=["user"]),
            tombstone("p", 101, "s", distinct_id="a"),
            person_row("s", 2, distinct_id="user", distinct_ids=["user", "a"]),
            person_row("p", 102, distinct_id="b", timestamp="2026-01-02T00:00:00Z"),
        ],
        "persons",
    )
    assert owners(tables) == {"a": "s", "user": "s", "b": "p"}


def test_redelivered_snapshots_change_no_mapping(tables):
    rows = [
        person_row("p", 1, distinct_id="a"),
        tombstone("p", 101, "s", distinct_id="a"),
        person_row("s", 2, distinct_id="user", distinct_ids=["user", "a"]),
    ]
    tables.send(rows, "persons")
    before = owners(tables)
    tables.send(rows[::-1], "persons")
    tables.send(rows[:1], "persons")
    assert owners(tables) == before == {"a": "s", "user": "s"}


def test_where_claims_disagree_the_later_change_wins(tables):
    tables.send(
        [
            person_row("q", 1, distinct_ids=["a"], timestamp="2026-01-05T00:00:00Z"),
            person_row("p", 9, distinct_ids=["a"], timestamp="2026-01-04T00:00:00Z"),
        ],
        "persons",
    )
    assert owners(tables)["a"] == "q"


def test_a_cycle_of_tombstones_ends_and_maps_nothing(tables):
    rows = [tombstone("p", 101, "q"), tombstone("q", 101, "p"), person_row("r", 1)]
    tables.send(rows, "persons")
    assert owners(tables) == {"r": "r"}


def test_teams_share_no_people(tables):
    for team in (1, 2, None):
        tables.send([person_row("p", 1, distinct_id="a", team_id=team)], "persons")
    tables.send([tombstone("p", 101, "s", distinct_id="a", team_id=2)], "persons")
    query = "SELECT team_id, person_id FROM person_distinct_ids ORDER BY team_id NULLS LAST"
    assert values(tables, query) == [(1, "p"), (2, "s"), (None, "p")]


def test_a_person_with_10000_ids_is_mapped_whole(tables):
    ids = [f"d{n}" for n in range(10_000)]
    tables.send([person_row("p", 1, distinct_id="d0", distinct_ids=ids)], "persons")
    tables.send([tombstone("p", 101, "s", distinct_id="d0")], "persons")
    query = "SELECT count(*) AS n, min(person_id), max(person_id) FROM person_distinct_ids"
    assert values(tables, query) == [(10_000, "s", "s")]


@pytest.mark.parametrize("seed", range(20))
def test_random_merges_agree_with_a_plain_model(tables, seed):
    """Replay: the seed is the test's parameter."""
    draw = random.Random(seed)
    owner = {}
    versions = {}
    rows = []
    for clock in range(60):
        stamp = f"2026-01-01T00:00:{clock:02d}Z"
        people = sorted(set(owner.values()))
        if len(people) >= 2 and draw.random() < 0.4:
            loser, survivor = draw.sample(people, 2)
            for distinct_id in [d for d, p in owner.items() if p == loser]:
                owner[distinct_id] = survivor
            versions[loser] += 100
            rows.append(tombstone(loser, versions[loser], survivor, timestamp=stamp))
            versions[survivor] += 1
            person, concerned = survivor, draw.choice([d for d in owner if owner[d] == survivor])
        elif people and draw.random() < 0.3:
            person, concerned = draw.choice(people), f"extra{clock}"
            owner[concerned] = person
            versions[person] += 1
        else:
            person = concerned = f"p{clock}"
            owner[concerned] = person
            versions[person] = 0
        listed = [d for d, p in owner.items() if p == person]
        row = person_row(person, versions[person], distinct_id=concerned, timestamp=stamp)
        rows.append({**row, "distinct_ids": listed if draw.random() < 0.7 else None})
    rows += draw.choices(rows, k=20)
    draw.shuffle(rows)
    tables.send(rows, "persons")
    assert owners(tables) == owner


# events_with_person


def test_events_follow_their_distinct_id_through_merges(tables):
    tables.send(
        [
            event_row(uuid="1", distinct_id="anon", person_id="p-anon"),
            event_row(uuid="2", distinct_id="user", person_id="p-user"),
            event_row(uuid="3", distinct_id="other", person_id="p-other"),
            event_row(uuid="1", distinct_id="anon", person_id="p-anon"),
        ]
    )
    tables.send(
        [
            person_row("p-anon", 0, distinct_id="anon"),
            person_row("p-user", 0, distinct_id="user"),
            tombstone("p-anon", 100, "p-user", distinct_id="anon"),
            person_row(
                "p-user", 1, distinct_id="user", distinct_ids=["user", "anon"],
                properties={"plan": "pro"}, is_identified=True, created_at="2026-01-01T00:00:00Z",
            ),
        ],
        "persons",
    )  # fmt: skip
    query = (
        "SELECT uuid, event_person_id, person_id, is_identified, "
        "json_extract_string(current_person_properties, '$.plan') AS plan "
        "FROM events_with_person ORDER BY uuid"
    )
    assert values(tables, query) == [
        ("1", "p-anon", "p-user", True, "pro"),
        ("2", "p-user", "p-user", True, "pro"),
        ("3", "p-other", "p-other", None, None),
    ]


def test_personless_events_join_the_person_their_distinct_id_later_gets(tables):
    deterministic = "4f2b0f84-6b3c-5c52-9d53-0d2cfb9d7f10"
    tables.send([event_row(uuid="1", distinct_id="anon", person_id=deterministic)])
    query = "SELECT person_id, event_person_id FROM events_with_person"
    assert values(tables, query) == [(deterministic, deterministic)]
    attach = person_row("p-user", 2, distinct_id="anon", distinct_ids=["user", "anon"])
    tables.send([attach], "persons")
    assert values(tables, query) == [("p-user", deterministic)]


def test_events_of_deleted_people_keep_the_person_they_were_stored_with(tables):
    tables.send([event_row(uuid="1", distinct_id="a", person_id="p")])
    tables.send([person_row("p", 1, distinct_id="a"), tombstone("p", 101)], "persons")
    query = "SELECT person_id, is_identified FROM events_with_person"
    assert values(tables, query) == [("p", None)]


def test_events_of_another_team_are_not_touched_by_a_merge(tables):
    tables.send([event_row(uuid=str(t), team_id=t, distinct_id="a", person_id="p") for t in (1, 2, None)])
    tables.send([tombstone("p", 101, "s", distinct_id="a", team_id=None)], "persons")
    query = "SELECT team_id, person_id FROM events_with_person ORDER BY team_id NULLS LAST"
    assert values(tables, query) == [(1, "p"), (2, "p"), (None, "s")]


# sessions_replay


def recording(uuid, session="s1", **properties):
    named = {"$session_id": session, "$window_id": "w1", **properties}
    return event_row(uuid=uuid, event="$snapshot", properties=named)


def chunk(of, index, count, data, uuid=None):
    return recording(
        uuid or f"{of}/{index}",
        **{
            "$hogflare_chunk_of": of,
            "$hogflare_chunk_index": index,
            "$hogflare_chunk_count": count,
            "$hogflare_chunk_data": data,
        },
    )


def cut(text, count):
    size = -(-len(text) // count)
    return [text[n * size : (n + 1) * size] for n in range(count)]


ORIGINAL = '[{"type":2,"big":12345678901234567890,"price":1.10, "text":"é😀\\u0041\\n\\"q\\""},{"a":[1,2]}]'


def test_chunks_give_the_original_text_in_whatever_order_they_arrive(tables):
    rows = [chunk("u", n, 12, piece) for n, piece in enumerate(cut(ORIGINAL, 12))]
    random.Random(1).shuffle(rows)
    tables.send(rows + rows[:5])
    assert tables.sql(
        "SELECT uuid, session_id, window_id, distinct_id, chunk_count, chunks_present, "
        "is_complete, snapshot_data FROM sessions_replay"
    ) == [
        {
            "uuid": "u", "session_id": "s1", "window_id": "w1", "distinct_id": "user",
            "chunk_count": 12, "chunks_present": 12, "is_complete": True,
            "snapshot_data": ORIGINAL,
        }
    ]  # fmt: skip


def test_a_recording_with_a_missing_chunk_says_so_and_shows_no_broken_text(tables):
    pieces = cut(ORIGINAL, 4)
    tables.send([chunk("u", n, 4, pieces[n]) for n in (0, 1, 3)])
    query = "SELECT chunk_count, chunks_present, is_complete, snapshot_data FROM sessions_replay"
    assert values(tables, query) == [(4, 3, False, None)]
    tables.send([chunk("u", 2, 4, pieces[2])])
    assert values(tables, query) == [(4, 4, True, ORIGINAL)]


def test_a_retried_request_split_under_new_uuids_or_otherwise_is_joined_once(tables):
    tables.send([chunk("u", n, 4, piece) for n, piece in enumerate(cut(ORIGINAL, 4))][:3])
    tables.send([chunk("u", n, 2, p, uuid=f"again{n}") for n, p in enumerate(cut(ORIGINAL, 2))])
    tables.send([chunk("u", n, 2, p, uuid=f"third{n}") for n, p in enumerate(cut(ORIGINAL, 2))])
    query = "SELECT chunk_count, is_complete, snapshot_data FROM sessions_replay"
    assert values(tables, query) == [(2, True, ORIGINAL)]


def test_recordings_that_were_not_split_pass_through(tables):
    data = [{"type": 3, "data": {"x": 1}}]
    tables.send(
        [
            recording("u1", **{"$snapshot_data": data}),
            recording("u1", **{"$snapshot_data": data}),
            recording("u2", session="s2", **{"$snapshot_items": data}),
            event_row(uuid="u3", event="$pageview", properties={"$session_id": "s1"}),
        ]
    )
    query = "SELECT uuid, session_id, chunk_count, is_complete, snapshot_data FROM sessions_replay ORDER BY uuid"
    found = values(tables, query)
    assert [row[:4] for row in found] == [("u1", "s1", 1, True), ("u2", "s2", 1, True)]
    assert [json.loads(row[4]) for row in found] == [data, data]


def test_a_large_recording_of_many_chunks_is_joined(tables):
    text = json.dumps([{"n": n, "s": "x" * 100} for n in range(20_000)])
    rows = [chunk("u", n, 4, piece) for n, piece in enumerate(cut(text, 4))]
    for row in rows:
        tables.send([row])
    (row,) = tables.sql("SELECT snapshot_data FROM sessions_replay")
    assert row["snapshot_data"] == text


def test_recordings_of_two_teams_are_apart(tables):
    rows = [chunk("u", n, 2, piece) for n, piece in enumerate(cut(ORIGINAL, 2))]
    tables.send([rows[0], {**rows[1], "team_id": 2}])
    query = "SELECT team_id, is_complete FROM sessions_replay ORDER BY team_id"
    assert values(tables, query) == [(1, False), (2, False)]


# all of them


@pytest.mark.parametrize(
    "view",
    [path.stem.split("_", 1)[1] for path in sql_files(PROJECT / "sql")[1:]],
)
def test_every_view_is_empty_on_empty_tables(tables, view):
    assert tables.sql(f"SELECT * FROM {view}") == []
