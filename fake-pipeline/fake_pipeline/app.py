"""The HTTP interface.

Ingest, as the real sink: POST / and POST /streams/NAME with a JSON array of objects.
Looking:  GET /events, /streams/NAME, /bad, /all, /health, /sql?q=SELECT…,
          /export/parquet?stream=NAME, /export/iceberg?stream=NAME
Asking:   POST /api/v1/accounts/ANY/basin-sql/query/ANY {"query"} as Basin SQL answers
Control:  POST /lake appends to the Iceberg tables; POST /reset, POST /faults {"count":n}|{"seconds":s} + one fault, GET /faults
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from .basin import BasinSql
from .basin_check import Limits
from .faults import Fault, FaultRefused, Faults
from .iceberg import IcebergMissing
from .lake import Lake
from .rows import BODY_BYTES_MAX, BodyRefused, check_body
from .store import Batch, QueryRefused, Store

log = logging.getLogger("fake_pipeline")

# A longer body is read to its end (so that the client sees the 413), but not kept.
KEEP_BYTES_MAX = BODY_BYTES_MAX + 1
# Up to so many requests share one transaction.
GROUP_MAX = 64


class Writer:
    """Commits what concurrent requests bring in shared transactions, in order of arrival."""

    def __init__(self, store: Store):
        self._store = store
        self._waiting: asyncio.Queue[tuple[Batch, asyncio.Future]] = asyncio.Queue()

    async def commit(self, batch: Batch) -> None:
        """Returns once the batch is on disk; raises what went wrong with this batch."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((batch, done))
        await done

    async def run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while len(group) < GROUP_MAX and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            await self._commit_group(group)

    async def _commit_group(self, group: list[tuple[Batch, asyncio.Future]]) -> None:
        try:
            await run_in_threadpool(self._store.commit, [batch for batch, _ in group])
        except Exception as error:
            if len(group) > 1:
                # One batch must not fail its neighbours.
                for entry in group:
                    await self._commit_group([entry])
                return
            log.exception("a batch could not be stored")
            _settle(group[0][1], error)
            return
        for _, done in group:
            _settle(done, None)


def _settle(done: asyncio.Future, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


@dataclass
class Pipeline:
    """What the routes share. `transports` maps a client's address to its open connection."""

    store: Store
    streams: tuple[str, ...]
    token: str | None
    transports: dict
    lake: Lake
    basin: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    sends: Counter = field(default_factory=Counter)
    faulted: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.writer = Writer(self.store)


async def keep_lake_written(lake: Lake, seconds: float) -> None:
    """Appends to the Iceberg tables every so often, as the real sink rolls its files."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await run_in_threadpool(lake.write)
        except Exception:
            log.exception("the Iceberg tables could not be written")


def create_app(pipeline: Pipeline) -> FastAPI:
    app = FastAPI(title="Hogflare fake pipeline", docs_url=None, redoc_url=None, openapi_url=None)
    _add_ingest(app, pipeline)
    _add_looking(app, pipeline)
    _add_basin_sql(app, pipeline)
    _add_control(app, pipeline)
    return app


def _add_ingest(app: FastAPI, pipeline: Pipeline) -> None:
    @app.post("/")
    async def ingest_events(request: Request) -> Response:
        return await _ingest(pipeline, "events", request)

    @app.post("/streams/{name}")
    async def ingest_stream(name: str, request: Request) -> Response:
        return await _ingest(pipeline, name, request)


async def _ingest(pipeline: Pipeline, stream: str, request: Request) -> Response:
    body = await _read_body(request)
    if stream not in pipeline.streams:
        return _no_stream(pipeline, stream)
    pipeline.sends[stream] += 1
    fault = pipeline.faults.take(stream)
    if fault is None:
        return await _accept(pipeline, stream, request, body)
    pipeline.faulted[stream] += 1
    if fault.kind == "delay_ms":
        await asyncio.sleep(fault.value / 1000)
        return await _accept(pipeline, stream, request, body)
    if fault.after_commit:
        answer = await _accept(pipeline, stream, request, body)
        if answer.status_code != 200:
            return answer
    return await _act_out(pipeline, fault, request)


async def _act_out(pipeline: Pipeline, fault: Fault, request: Request) -> Response:
    if fault.kind == "status":
        answer = _error(fault.value, "fault ordered through POST /faults")
        if fault.retry_after is not None:
            answer.headers["Retry-After"] = str(fault.retry_after)
        return answer
    try:
        # Nothing is said until the client gives up, or the server ends.
        while fault.kind != "reset" and (await request.receive())["type"] != "http.disconnect":
            pass
    finally:
        _reset_connection(pipeline, request)
    return Response(status_code=499)  # reaches nobody: there is no connection any more


def _reset_connection(pipeline: Pipeline, request: Request) -> None:
    transport = pipeline.transports.get(tuple(request.scope["client"]))
    if transport is None:
        return
    # Lingering for zero seconds makes the kernel send RST instead of FIN.
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _accept(pipeline: Pipeline, stream: str, request: Request, body: bytes) -> Response:
    if pipeline.token is not None:
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {pipeline.token}"
        if not hmac.compare_digest(given.encode("utf-8"), wanted.encode("utf-8")):
            return _error(401, "the Authorization header must be Bearer and the stream's token")
    try:
        rows, bad = check_body(body, pipeline.store.schema(stream))
    except BodyRefused as refusal:
        return _error(refusal.status, refusal.message)
    if rows or bad:
        await pipeline.writer.commit(Batch(stream, rows, bad))
    # The real sink counts the rows it took, also those it will drop.
    return JSONResponse({"success": True, "result": {"committed": len(rows) + len(bad)}})


async def _read_body(request: Request) -> bytes:
    chunks = []
    size = 0
    async for chunk in request.stream():
        if size < KEEP_BYTES_MAX:
            chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _add_looking(app: FastAPI, pipeline: Pipeline) -> None:
    store = pipeline.store

    @app.get("/events")
    def events() -> Response:
        return _stream_json(_array(store.row_texts("events")))

    @app.get("/streams/{name}")
    def stream(name: str) -> Response:
        if name not in pipeline.streams:
            return _no_stream(pipeline, name)
        return _stream_json(_array(store.row_texts(name)))

    @app.get("/bad")
    def bad() -> Response:
        return _stream_json(_array(store.bad_texts()))

    @app.get("/all")
    def everything() -> Response:
        return _stream_json(_all_texts(pipeline))

    @app.get("/health")
    def health() -> dict:
        counts = store.counts()
        for name, numbers in counts.items():
            numbers["sends"] = pipeline.sends[name]
            numbers["faulted"] = pipeline.faulted[name]
        return {"status": "ok", "streams": counts, "faults": len(pipeline.faults.active())}

    @app.get("/sql")
    def sql(q: str = "") -> Response:
        try:
            return Response(store.query(q), media_type="application/json")
        except QueryRefused as refusal:
            return _error(400, str(refusal))

    @app.get("/export/parquet")
    def export_parquet(stream: str = "events") -> Response:
        if stream not in pipeline.streams:
            return _no_stream(pipeline, stream)
        path = store.export_parquet(stream)
        return FileResponse(path, media_type="application/vnd.apache.parquet", filename=path.name)

    @app.get("/export/iceberg")
    def export_iceberg(stream: str = "events") -> Response:
        if stream not in pipeline.streams:
            return _no_stream(pipeline, stream)
        try:
            return JSONResponse({"metadata_location": store.export_iceberg(stream)})
        except IcebergMissing as missing:
            return _error(501, str(missing))


def _add_basin_sql(app: FastAPI, pipeline: Pipeline) -> None:
    """The real engine's path, and the one it had while it was called R2 SQL."""
    basin = BasinSql(pipeline.store, pipeline.basin)

    @app.post("/api/v1/accounts/{account}/basin-sql/query/{bucket}")
    @app.post("/api/v1/accounts/{account}/r2-sql/query/{bucket}")
    async def query(account: str, bucket: str, request: Request) -> Response:
        body = await _read_body(request)
        given = request.headers.get("authorization", "")
        status, answer = await run_in_threadpool(basin.answer, given, body)
        return JSONResponse(answer, status_code=status)


def _add_control(app: FastAPI, pipeline: Pipeline) -> None:
    @app.post("/faults")
    async def order_fault(request: Request) -> Response:
        try:
            pipeline.faults.add(json.loads(await request.body()), pipeline.streams)
        except FaultRefused as refusal:
            return _error(400, str(refusal))
        except ValueError as error:
            return _error(400, f"the body is not JSON: {error}")
        return _show_faults(pipeline)

    @app.get("/faults")
    async def show_faults() -> Response:
        return _show_faults(pipeline)

    @app.post("/lake")
    async def write_lake() -> Response:
        try:
            return JSONResponse({"tables": await run_in_threadpool(pipeline.lake.write)})
        except IcebergMissing as missing:
            return _error(501, str(missing))

    @app.post("/reset")
    async def reset() -> dict:
        await run_in_threadpool(pipeline.store.reset)
        await run_in_threadpool(pipeline.lake.reset)
        pipeline.faults.clear()
        pipeline.sends.clear()
        pipeline.faulted.clear()
        return {"success": True}


def _show_faults(pipeline: Pipeline) -> Response:
    return JSONResponse({"faults": [fault.describe() for fault in pipeline.faults.active()]})


def _all_texts(pipeline: Pipeline) -> Iterator[str]:
    yield "{"
    for name in pipeline.streams:
        yield f'"{name}":'
        yield from _array(pipeline.store.row_texts(name))
        yield ","
    yield '"bad":'
    yield from _array(pipeline.store.bad_texts())
    yield "}"


def _array(texts: Iterable[str]) -> Iterator[str]:
    lead = "["
    for text in texts:
        yield lead + text
        lead = ",\n"
    yield "[]" if lead == "[" else "]"


def _stream_json(texts: Iterable[str]) -> Response:
    return StreamingResponse(_in_pieces(texts), media_type="application/json")


def _in_pieces(texts: Iterable[str], piece_chars: int = 262_144) -> Iterator[str]:
    """Joins small texts, since every piece costs a hop between threads."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= piece_chars:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def _no_stream(pipeline: Pipeline, name: str) -> Response:
    return _error(404, f"no stream {name!r}; there are {', '.join(pipeline.streams)}")


def _error(status: int, message: str) -> Response:
    body = {"success": False, "errors": [{"code": status, "message": message}], "result": None}
    return JSONResponse(body, status_code=status)
