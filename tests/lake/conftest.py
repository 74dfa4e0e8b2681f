"""A month sent once through the Worker into the fake pipeline, and three engines that answer over it.

HOGFLARE_LAKE_EVENTS sets its size (1,000; the large run is 500000, of 20,000 people; it says how far it
is), HOGFLARE_LAKE_SEED its seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(PROJECT / "fake-pipeline"), str(PROJECT / "tests/pylib")]

from fake_pipeline.store import sql_files  # noqa: E402
from month import SINCE, UNTIL, make_month  # noqa: E402
from planner import Planner  # noqa: E402
from pyiceberg.catalog.sql import SqlCatalog  # noqa: E402

NODE = str(PROJECT / "node_modules/.bin/node")
STREAMS = ("events", "persons", "rejects", "distinct_ids")
SEED = int(os.environ.get("HOGFLARE_LAKE_SEED", "1"))
EVENTS = int(os.environ.get("HOGFLARE_LAKE_EVENTS", "1000"))
# A large month has people who come back; a small one many people, for the sake of variety.
IS_LARGE = EVENTS >= 20_000
EVENTS_PER_PERSON = 25
PEOPLE = EVENTS // EVENTS_PER_PERSON if IS_LARGE else None
# With many requests at once the Worker's sends, and the fake pipeline's commits, carry many rows each.
SENDERS = 64 if IS_LARGE else 8
# A busy machine's pipeline may be slow, and an outbox full of its rows would be another test.
PATIENT = {"CLOUDFLARE_PIPELINE_TIMEOUT_SECS": "60", "HOGFLARE_ANSWER_WITHIN_SECS": "60"}
# So often nothing new, 0.2 s apart, until everything has arrived: a busy machine's alarms are late.
QUIET_LOOKS = 50
SAY_EVERY_SECONDS = 20
# Basin SQL answers with at most 10,000 rows, so whole views are read there in pages; of a small month in smaller ones.
PAGE_ROWS = 10_000 if IS_LARGE else 300


class System:
    """The Worker and the pipeline, with the month in them."""

    def __init__(self, addresses: dict, month, say=None):
        self.say = say or (lambda text: None)
        self.sent = 0
        self.began = self.said = time.monotonic()
        connections = httpx.Limits(max_connections=SENDERS, max_keepalive_connections=SENDERS)
        self.worker = httpx.Client(base_url=addresses["worker"], timeout=120, limits=connections)
        self.pipeline = httpx.Client(base_url=addresses["pipeline"], timeout=300)
        self.state = Path(addresses["state"])
        self.month = month

    def send(self) -> None:
        with ThreadPoolExecutor(SENDERS) as senders:
            for phase in self.month.phases:
                for _ in senders.map(self._send_each, phase):
                    self._tell()
                # The first copy to arrive gives an event its time, so one must not overtake it.
                self.settle()

    def _send_each(self, requests: list[dict]) -> None:
        """One person's requests, in their order; events of one kind in a row share a request."""
        for path, body in in_batches(requests):
            for _ in range(50):
                answer = self.worker.post(path, json=body)
                if answer.status_code != 503:
                    break
                time.sleep(0.2)
            nobodys = not any("distinct_id" in event for event in body.get("batch", [body]))
            assert answer.status_code == (400 if nobodys else 200), answer.text
            self.sent += len(body.get("batch", [body]))

    def _tell(self) -> None:
        """Says now and then how far it is."""
        now = time.monotonic()
        if now - self.said < SAY_EVERY_SECONDS:
            return
        self.said = now
        events = len(self.month.events) + self.month.copies
        self.say(f"{self.sent} of {events} events sent in {now - self.began:.0f} s")

    def settle(self) -> None:
        """Waits until no row has arrived for a while: merges are finished by alarms."""
        held, quiet = None, 0
        while quiet < QUIET_LOOKS:
            time.sleep(0.2)
            counts = {n: s["rows"] for n, s in self.pipeline.get("/health").json()["streams"].items()}
            quiet = quiet + 1 if counts == held else 0
            held = counts

    def rows(self, stream: str, *columns: str) -> list[dict]:
        """The rows as they were sent, or only these columns of each."""
        if columns:
            names = ", ".join(f'"{name}"' for name in columns)
            return self.pipeline.get("/sql", params={"q": f"SELECT {names} FROM {stream}"}).json()
        return self.pipeline.get(f"/streams/{stream}").json()

    def catalog(self) -> SqlCatalog:
        place = (self.state / "lake").resolve()
        return SqlCatalog("local", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")

    # Each of these gives rows as tuples, moments without their zone.

    def duckdb(self, sql: str) -> list[tuple]:
        answer = self.pipeline.get("/sql", params={"q": sql})
        assert answer.status_code == 200, answer.text
        return [tuple(map(plain, row.values())) for row in answer.json()]

    def basin(self, sql: str) -> list[tuple]:
        answer = self.pipeline.post(
            "/api/v1/accounts/a/basin-sql/query/b",
            json={"query": sql},
            headers={"authorization": "Bearer x"},
        )
        assert answer.status_code == 200, answer.text
        return [tuple(map(plain, row.values())) for row in answer.json()["result"]["rows"]]

    def iceberg(self, sql: str) -> list[tuple]:
        return [tuple(map(plain, row)) for row in over_iceberg(self.catalog()).execute(sql).fetchall()]


def over_iceberg(catalog: SqlCatalog) -> duckdb.DuckDBPyConnection:
    """A DuckDB whose tables are the files of the Iceberg tables, with the views of sql/ above them."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for stream in STREAMS:
        table = catalog.load_table(f"default.hogflare_{stream}_v1")
        files = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
        if files:
            names = ", ".join(f"'{name}'" for name in files)
            connection.execute(f"CREATE VIEW {stream} AS SELECT * FROM read_parquet([{names}], union_by_name = true)")
        else:
            connection.register(stream, table.scan().to_arrow())
    for path in sql_files(PROJECT / "sql"):
        connection.execute(path.read_text())
    return connection


def plain(value):
    """A value without what the engines spell differently: zones, texts of moments."""
    if isinstance(value, str) and len(value) >= 20 and value[10] == "T" and value.endswith("Z"):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc).replace(tzinfo=None)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if hasattr(value, "as_integer_ratio"):
        return round(float(value), 6)
    return value


def paged(ask, page) -> list[tuple]:
    """All rows of a query that answers with so many at once; the last column is what they are paged by."""
    after, rows = "", []
    while True:
        found = ask(page(after))
        rows += [row[:-1] for row in found]
        if len(found) < PAGE_ROWS:
            return rows
        after = found[-1][-1]


def in_batches(requests: list[dict]):
    """Requests joined as an SDK joins them, so long as it changes nothing about order or clock."""
    held: list[dict] = []
    for request in [*requests, None]:
        joins = request is not None and request["path"] == "/batch/" and "sent_at" not in request["body"]
        if held and (not joins or len(held) >= 20):
            yield "/batch/", {"api_key": held[0]["api_key"], "batch": [b["batch"][0] for b in held]}
            held = []
        if request is None:
            return
        if joins:
            held.append(request["body"])
        elif request["path"] == "/batch/":
            yield "/batch/", request["body"]
        else:
            (event,) = request["body"]["batch"]
            yield request["path"], {"api_key": request["body"]["api_key"], **event}


@contextmanager
def running(month, say=None, **variables: str):
    """The Worker with these variables and the pipeline, the month sent and in the Iceberg tables.

    `say` is told how far it is.
    """
    process = subprocess.Popen(
        [NODE, str(Path(__file__).with_name("system.mjs")), json.dumps(variables)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        made = System(json.loads(process.stdout.readline()), month, say)
        made.send()
        made.say(f"all sent in {time.monotonic() - made.began:.0f} s; writing the Iceberg tables")
        made.pipeline.post("/lake").raise_for_status()
        yield made
    finally:
        process.stdin.close()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def system(pytestconfig):
    captured = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(text):
        with captured.global_and_fixture_disabled():
            print(f"lake: {text}", file=sys.stderr, flush=True)

    with running(make_month(SEED, EVENTS, PEOPLE), say, **PATIENT) as made:
        yield made


@pytest.fixture(scope="session")
def planner():
    planner = Planner()
    yield planner
    planner.close()


@pytest.fixture(scope="session")
def composed() -> dict:
    """Every recipe and view as text for each engine, by npm run sql's own means."""
    words = [f"since={SINCE.isoformat()}Z", f"until={UNTIL.isoformat()}Z"]
    command = [NODE, str(PROJECT / "scripts/sql.mjs"), "--json", *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(params=["duckdb", "basin", "iceberg"])
def engine(request, system):
    """Asks one of the three engines: engine(composed["recipes"]["funnel"])."""
    dialect = "basin" if request.param == "basin" else "duckdb"

    def ask(texts):
        if dialect == "basin" and "page" in texts:
            return paged(system.basin, texts["page"])
        return getattr(system, request.param)(texts[dialect])

    ask.dialect = dialect
    return ask
