"""Starts the fake pipeline: python -m fake_pipeline --port 8088 --state-dir DIR

FAKE_PIPELINE_TOKEN, when set, is the Bearer token that every send must carry;
FAKE_BASIN_SQL_TOKEN the one of every question to Basin SQL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .app import Pipeline, create_app, keep_lake_written
from .basin_check import Limits
from .lake import Lake
from .schema import SchemaError, load_schemas
from .store import StateUnusable, Store

PROJECT = Path(__file__).resolve().parents[2]


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_pipeline", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8088, help="0 takes any free port")
    parser.add_argument("--state-dir", type=Path, required=True, help="holds the DuckDB file")
    parser.add_argument("--schemas", type=Path, default=PROJECT / "schemas")
    parser.add_argument("--sql", type=Path, default=PROJECT / "sql", help="views to create")
    parser.add_argument(
        "--basin-roll-seconds",
        type=float,
        default=float(os.environ.get("FAKE_BASIN_SQL_ROLL_SECONDS") or 0),
        help="Basin SQL sees rows once the sink closed their file, so often; 0 at once",
    )
    parser.add_argument(
        "--basin-budget-bytes",
        type=int,
        default=int(os.environ.get("FAKE_BASIN_SQL_BUDGET_BYTES") or Limits.budget_bytes),
        help="what a Basin SQL query with windows or DISTINCT aggregates may scan",
    )
    parser.add_argument(
        "--lake-seconds",
        type=float,
        default=float(os.environ.get("FAKE_LAKE_SECONDS") or 0),
        help="appends to the Iceberg tables in STATE_DIR/lake so often; 0 only on POST /lake",
    )
    return parser.parse_args(words)


class Server(uvicorn.Server):
    """Says when it listens, and ends at once on a signal: what was answered is on disk."""

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"fake pipeline ready http://{host}:{port}", flush=True)

    def handle_exit(self, sig, frame) -> None:
        self.should_exit = True
        self.force_exit = True


def serve(arguments: argparse.Namespace) -> None:
    transports: dict = {}

    class Protocol(AutoHTTPProtocol):
        """Remembers each client's connection, so that the fault "reset" can cut it."""

        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            transports[self.client] = transport

        def connection_lost(self, error) -> None:
            transports.pop(self.client, None)
            super().connection_lost(error)

    schemas = load_schemas(arguments.schemas)
    store = Store(arguments.state_dir, schemas, arguments.sql)
    token = os.environ.get("FAKE_PIPELINE_TOKEN") or None
    limits = Limits(
        budget_bytes=arguments.basin_budget_bytes,
        roll_seconds=arguments.basin_roll_seconds,
        token=os.environ.get("FAKE_BASIN_SQL_TOKEN") or None,
    )
    lake = Lake(arguments.state_dir / "lake", store)
    pipeline = Pipeline(store, tuple(schemas), token, transports, lake, limits)
    config = uvicorn.Config(
        create_app(pipeline),
        host=arguments.host,
        port=arguments.port,
        http=Protocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
        # Forwarded headers would change a client's address, by which `transports` is kept.
        proxy_headers=False,
        timeout_keep_alive=120,
    )

    async def run() -> None:
        tasks = [asyncio.create_task(pipeline.writer.run())]
        if arguments.lake_seconds > 0:
            tasks.append(asyncio.create_task(keep_lake_written(lake, arguments.lake_seconds)))
        await Server(config).serve()
        for task in tasks:
            task.cancel()

    asyncio.run(run())


def main() -> None:
    try:
        serve(parse_arguments())
    except (SchemaError, StateUnusable) as error:
        print(f"fake pipeline: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
