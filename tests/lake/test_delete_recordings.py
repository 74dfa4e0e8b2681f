"""Recordings of a person's sessions are removed from the bucket together with the rows, before them."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyarrow as pa
from conftest import PROJECT
from pyiceberg.catalog.sql import SqlCatalog

EXAMPLE = str(PROJECT / "examples/delete_person.py")
EVENTS = pa.schema([("uuid", pa.string()), ("team_id", pa.int64()), ("event", pa.string()),
                    ("distinct_id", pa.string()), ("person_id", pa.string()),
                    ("session_id", pa.string())])  # fmt: skip
IDS = pa.schema([("uuid", pa.string()), ("team_id", pa.int64()), ("distinct_id", pa.string()),
                 ("person_id", pa.string()), ("version", pa.int64()),
                 ("is_deleted", pa.bool_())])  # fmt: skip


def recorded(uuid, distinct_id, session, team=1):
    """A row of a recording names no person."""
    return dict(uuid=uuid, team_id=team, event="$snapshot_items", distinct_id=distinct_id,
                person_id=None, session_id=session)  # fmt: skip


def lake(folder, events):
    catalog = SqlCatalog("local", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("default")
    catalog.create_table("default.hogflare_events_v1", EVENTS).append(pa.Table.from_pylist(events, EVENTS))
    ids = [dict(uuid=d, team_id=1, distinct_id=d, person_id=p, version=1, is_deleted=False)
           for d, p in (("ada", "P"), ("anon", "P"), ("bob", "Q"))]  # fmt: skip
    catalog.create_table("default.hogflare_distinct_ids_v1", IDS).append(pa.Table.from_pylist(ids, IDS))
    return catalog


def worker(asked):
    """A Worker that removes one session a request and says what remains."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path, self.headers["authorization"], body["session_recording_ids"]))
            remaining = body["session_recording_ids"][1:]
            answer = {"success": not remaining, "deleted_objects": 2, "remaining": remaining}
            self.send_response(202 if remaining else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_sessions_of_all_their_ids_are_removed_and_asked_for_until_none_remains(tmp_path):
    catalog = lake(tmp_path, [
        recorded("1", "ada", "s-ada"), recorded("2", "anon", "s-anon"), recorded("3", "anon", "s-anon"),
        recorded("4", "bob", "s-bob"), recorded("5", "ada", "s-other-team", team=2),
        dict(uuid="6", team_id=1, event="$pageview", distinct_id="ada", person_id="P", session_id="s-plain"),
    ])  # fmt: skip
    asked = []
    server = worker(asked)
    words = [sys.executable, EXAMPLE, "--local", str(tmp_path), "--team-id", "1", "--distinct-id",
             "ada", "--worker", f"http://127.0.0.1:{server.server_port}/"]  # fmt: skip
    try:
        found = subprocess.run([*words, "--dry-run"], check=True, capture_output=True, text=True)
        assert "recordings: 2 sessions found" in found.stdout and asked == []
        removed = subprocess.run(words, check=True, capture_output=True, text=True,
                                 env={**os.environ, "HOGFLARE_ADMIN_TOKEN": "secret"})  # fmt: skip
    finally:
        server.shutdown()
    path = "/api/projects/1/session_recordings/bulk_delete"
    assert asked == [(path, "Bearer secret", ["s-ada", "s-anon"]), (path, "Bearer secret", ["s-anon"])]
    assert "recordings: 4 objects of 2 sessions removed" in removed.stdout
    left = catalog.load_table("default.hogflare_events_v1").scan().to_arrow().to_pylist()
    assert sorted(row["uuid"] for row in left) == ["4", "5"]
