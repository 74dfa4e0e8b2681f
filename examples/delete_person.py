"""Removes every row about a person from the Iceberg tables (GDPR), on R2 Data Catalog or on one's own disk.

    .venv/bin/python examples/delete_person.py --local .hogflare/pipeline/lake --team-id 1 --distinct-id user-1
    CATALOG_TOKEN=… .venv/bin/python examples/delete_person.py --catalog-uri https://catalog.cloudflarestorage.com/… \
        --warehouse <account>_<bucket> --team-id 1 --distinct-id user-1 --dry-run

The person's ids are those that belong to it now, by the stream distinct_ids and by the events' own
person_id, as in sql/recipes/person_everything.sql. Needs pyiceberg: neither Basin SQL nor DuckDB can
delete from these tables. Files that held the rows are written anew; the old ones go when their
snapshots expire (30 days unless set otherwise), so expire snapshots where the law is in a hurry.

With --worker and HOGFLARE_ADMIN_TOKEN, the recordings of the person's sessions that lie in the bucket
RECORDINGS go first (docs/RECORDINGS.md).
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.request
from pathlib import Path

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.expressions import And, EqualTo, In

NAMESPACE = "default"
STREAMS = ("events", "persons", "distinct_ids", "rejects")
# What the Worker takes at once.
SESSIONS_AT_ONCE = 100


def tables_of(catalog: Catalog) -> dict:
    """The streams' tables that there are."""
    names = {stream: f"{NAMESPACE}.hogflare_{stream}_v1" for stream in STREAMS}
    return {s: catalog.load_table(name) for s, name in names.items() if catalog.table_exists(name)}


def present_owners(tables: dict, team_id: int) -> dict[str, str]:
    """Whom each distinct_id belongs to now: its newest row in distinct_ids, else its events' person."""
    owners: dict[str, str] = {}
    fields = ("distinct_id", "person_id")
    scan = tables["events"].scan(row_filter=EqualTo("team_id", team_id), selected_fields=fields)
    for batch in scan.to_arrow_batch_reader():
        for row in batch.to_pylist():
            if row["person_id"] is not None:
                owners[row["distinct_id"]] = row["person_id"]
    if "distinct_ids" in tables:
        fields = (*fields, "version", "is_deleted")
        found = tables["distinct_ids"].scan(EqualTo("team_id", team_id), selected_fields=fields)
        for row in sorted(found.to_arrow().to_pylist(), key=lambda row: row["version"]):
            if not row["is_deleted"]:
                owners[row["distinct_id"]] = row["person_id"]
    return owners


def ids_of(tables: dict, team_id: int, distinct_id: str) -> set[str]:
    """All distinct_ids of the person to whom this one belongs."""
    owners = present_owners(tables, team_id)
    person_id = owners.get(distinct_id)
    return {distinct_id} | {d for d, owner in owners.items() if person_id and owner == person_id}


def recorded_sessions(tables: dict, theirs) -> list[str]:
    """Sessions of which there are recordings, in rows or in the bucket."""
    recorded = And(theirs, EqualTo("event", "$snapshot_items"))
    found = tables["events"].scan(recorded, selected_fields=("session_id",)).to_arrow()
    return sorted({row["session_id"] for row in found.to_pylist() if row["session_id"] is not None})


def delete_recordings(worker: str, token: str, team_id: int, sessions: list[str]) -> int:
    """Removes the sessions' objects from the bucket; how many there were."""
    url = f"{worker.rstrip('/')}/api/projects/{team_id}/session_recordings/bulk_delete"
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    removed = 0
    while sessions:
        body = json.dumps({"session_recording_ids": sessions[:SESSIONS_AT_ONCE]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
            answer = json.load(response)
        removed += answer["deleted_objects"]
        sessions = answer["remaining"] + sessions[SESSIONS_AT_ONCE:]
    return removed


def person_filter(tables: dict, team_id: int, distinct_id: str):
    """The rows that are the person's."""
    return And(EqualTo("team_id", team_id), In("distinct_id", ids_of(tables, team_id, distinct_id)))


def delete_person(catalog: Catalog, team_id: int, distinct_id: str, dry_run: bool = False) -> dict:
    """Removes the person's rows; how many there were in each stream."""
    tables = tables_of(catalog)
    theirs = person_filter(tables, team_id, distinct_id)
    counts = {}
    for stream, table in tables.items():
        counts[stream] = table.scan(theirs, selected_fields=("uuid",)).to_arrow().num_rows
        if counts[stream] and not dry_run:
            table.delete(theirs)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--local", type=Path, help="folder of the fake pipeline's Iceberg tables")
    parser.add_argument("--catalog-uri", help="of R2 Data Catalog: wrangler basin catalog get BUCKET")
    parser.add_argument("--warehouse", help="of R2 Data Catalog, from the same command")
    parser.add_argument("--team-id", type=int, required=True)
    parser.add_argument("--distinct-id", required=True)
    parser.add_argument("--worker", help="its address: removes the recordings in its bucket too")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    chosen = parser.parse_args()
    if chosen.local is not None:
        uri = f"sqlite:///{chosen.local.resolve()}/catalog.db"
        catalog = load_catalog("local", type="sql", uri=uri)
    elif chosen.catalog_uri and chosen.warehouse:
        given = {"uri": chosen.catalog_uri, "warehouse": chosen.warehouse}
        catalog = load_catalog("r2", type="rest", token=os.environ["CATALOG_TOKEN"], **given)
    else:
        parser.error("either --local, or --catalog-uri and --warehouse")
    if chosen.worker is not None:
        tables = tables_of(catalog)
        theirs = person_filter(tables, chosen.team_id, chosen.distinct_id)
        sessions = recorded_sessions(tables, theirs)
        if chosen.dry_run:
            print(f"recordings: {len(sessions)} sessions found")
        else:
            token = os.environ["HOGFLARE_ADMIN_TOKEN"]
            removed = delete_recordings(chosen.worker, token, chosen.team_id, sessions)
            print(f"recordings: {removed} objects of {len(sessions)} sessions removed")
    counts = delete_person(catalog, chosen.team_id, chosen.distinct_id, chosen.dry_run)
    for stream, rows in counts.items():
        print(f"{stream}: {rows} rows {'found' if chosen.dry_run else 'removed'}")


if __name__ == "__main__":
    main()
