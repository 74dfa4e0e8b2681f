"""A stand-in for Basin SQL (formerly R2 SQL): the engine that comes with the bucket.

    basin = BasinSql(store, Limits(roll_seconds=60))
    status, answer = basin.answer("Bearer …", b'{"query": "SELECT …"}')

Its questions are checked as the real engine checks them (basin_check.py) and answered by DuckDB, in
the real answer's shape: {"success", "errors", "result": {"request_id", "schema", "rows", "metrics"}}.
"""

from __future__ import annotations

import hmac
import json
import re
import time
import uuid
from datetime import datetime, timezone

import duckdb

from .basin_check import (
    INVALID_QUERY,
    NAMESPACE,
    BasinRefused,
    Checked,
    Limits,
    check,
    syntax_error,
    table_name,
)
from .store import Store, encode_value

# What Parquet makes of a column's text: one production's sink wrote a quarter of its JSON.
STORED_PART = 4
# Types of the real answer's schema by the type DuckDB names.
_KINDS = {
    "VARCHAR": "string",
    "JSON": "string",
    "UUID": "string",
    "BOOLEAN": "boolean",
    "INTEGER": "int32",
    "DOUBLE": "float64",
    "FLOAT": "float32",
    "DATE": "date32",
    "TIMESTAMP": "timestamp_us",
    "TIMESTAMP WITH TIME ZONE": "timestamp_us",
}
_SHOW = re.compile(r"(?is)\s*show\s+(databases|namespaces|schemas|tables)(?:\s+in\s+(\S+?))?\s*;?\s*\Z")
_DESCRIBE = re.compile(r"(?is)\s*(?:describe|desc)\s+(\S+?)\s*;?\s*\Z")
_EXPLAIN = re.compile(r"(?is)\s*explain\s+(?:format\s+json\s+)?(.*)\Z")


class BasinSql:
    def __init__(self, store: Store, limits: Limits):
        self._store = store
        self._limits = limits

    def answer(self, authorization: str, body: bytes) -> tuple[int, dict]:
        """HTTP status and answer of one request."""
        try:
            self._check_token(authorization)
            return 200, {"success": True, "errors": [], "result": self._ask(_query_of(body))}
        except BasinRefused as refusal:
            error = {"code": refusal.code, "message": refusal.message}
            return refusal.status, {"success": False, "errors": [error], "result": None}

    def _check_token(self, authorization: str) -> None:
        given = authorization.removeprefix("Bearer ").strip()
        wanted = self._limits.token
        known = wanted is None or hmac.compare_digest(given.encode(), wanted.encode())
        if not authorization.startswith("Bearer ") or not given or not known:
            raise BasinRefused(10000, "Authentication error", 403)

    def _ask(self, sql: str) -> dict:
        if found := _SHOW.match(sql):
            return self._show(found.group(1).lower(), found.group(2))
        if found := _DESCRIBE.match(sql):
            return self._describe(found.group(1).replace('"', ""))
        if found := _EXPLAIN.match(sql):
            checked = check(found.group(1), self._store.schemas, self._limits)
            return _result([("plan", "VARCHAR")], [(checked.sql,)], 0, 0)
        return self._select(check(sql, self._store.schemas, self._limits))

    def _show(self, what: str, namespace: str | None) -> dict:
        if what != "tables":
            return _result([("namespace", "VARCHAR")], [(NAMESPACE,)], 0, 0)
        if namespace != NAMESPACE:
            raise BasinRefused(INVALID_QUERY, f"namespace '{namespace}' not found")
        names = [(NAMESPACE, table_name(stream)) for stream in self._store.schemas]
        return _result([("namespace", "VARCHAR"), ("table", "VARCHAR")], names, 0, 0)

    def _describe(self, table: str) -> dict:
        for stream, schema in self._store.schemas.items():
            if table == f"{NAMESPACE}.{table_name(stream)}":
                rows = [(f.name, "string" if f.type == "json" else f.type) for f in schema.fields]
                rows.append(("__ingest_ts", "timestamp"))
                return _result([("column_name", "VARCHAR"), ("type", "VARCHAR")], rows, 0, 0)
        raise BasinRefused(INVALID_QUERY, f"table '{table}' not found")

    def _select(self, checked: Checked) -> dict:
        scanned, files = self._cost(checked)
        if checked.gated and scanned > self._limits.budget_bytes:
            raise BasinRefused(
                INVALID_QUERY,
                f"query would scan {scanned} bytes for {', '.join(checked.gated)}, which may scan "
                f"{self._limits.budget_bytes}: filter more, or use approximate functions",
            )
        try:
            columns, rows = self._store.select(checked.sql, self._visible_until_us())
        except duckdb.Error as error:
            raise BasinRefused(INVALID_QUERY, _sentence(error)) from error
        return _result(columns, rows, scanned, files)

    def _visible_until_us(self) -> int | None:
        """Rows that arrived before this moment are in files that the sink has closed."""
        roll_us = int(self._limits.roll_seconds * 1_000_000)
        if roll_us <= 0:
            return None
        return time.time_ns() // 1000 // roll_us * roll_us

    def _cost(self, checked: Checked) -> tuple[int, int]:
        """Bytes of the columns that are read in the days that are not left out, and their files.

        As the real engine's files are one a day or more, a day of a table is taken for one file.
        """
        scanned = files = 0
        for stream, columns in checked.columns.items():
            since = _date_of(checked.since.get(stream, ""))
            for day, (rows, sizes) in self._store.column_bytes(stream).items():
                if rows and day >= since:
                    files += 1
                    scanned += sum(size for name, size in sizes.items() if name in columns)
        return scanned // STORED_PART, files


def _query_of(body: bytes) -> str:
    try:
        query = json.loads(body)["query"]
    except (ValueError, KeyError, TypeError) as error:
        raise syntax_error('the body must be {"query": "…"}') from error
    if not isinstance(query, str) or not query.strip():
        raise syntax_error("the query is empty")
    return query


def _date_of(bound: str) -> str:
    try:
        moment = datetime.fromisoformat(bound.replace("Z", "+00:00"))
    except ValueError:
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    return moment.date().isoformat()


def _sentence(error: duckdb.Error) -> str:
    text = str(error).split("\n\nLINE ")[0]
    return text.removeprefix("Invalid Input Error: ").removeprefix("Binder Error: ")


def _result(columns: list[tuple[str, str]], rows: list[tuple], scanned: int, files: int) -> dict:
    schema = [{"name": name, "descriptor": {"type": {"name": _kind(kind)}, "nullable": True}} for name, kind in columns]
    names = [name for name, _ in columns]
    return {
        "request_id": f"local-{uuid.uuid4()}",
        "schema": schema,
        "rows": [dict(zip(names, map(_plain, row))) for row in rows],
        "metrics": {
            "bytes_scanned": scanned,
            "files_scanned": files,
            "r2_requests_count": files,
            "cache_hits": 0,
        },
    }


def _kind(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "decimal128"
    return _KINDS.get(kind, "list" if kind.endswith("[]") else "int64")


def _plain(value: object) -> object:
    return json.loads(encode_value(value))
