"""The tables: rows that arrived, rows that did not, and the views of `sql/`, in one DuckDB file.

    store = Store(state_dir, schemas, sql_dir)
    store.commit([Batch("events", rows, bad)])    # on disk when this returns
    store.query("SELECT count(*) AS n FROM events")   # '[{"n":1}]'

Each stream NAME has a table NAME_landed (the columns, `_seq` for the order of arrival, `_row` for
the text as it came) and a view NAME with what the real table has: the schema's columns and
`__ingest_ts`, which grows with every row.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import duckdb

from .iceberg import export_iceberg, require_iceberg
from .rows import BadRow, Row
from .schema import Schema

FETCH_ROWS = 500
BASIN_MACROS = Path(__file__).with_name("basin_macros.sql")
# Below DuckDB's default, since the Worker and its tests share the machine.
MEMORY_LIMIT = "1GB"
THREADS = 2


class QueryRefused(ValueError):
    """The query is not one read-only statement, or DuckDB found a mistake in it."""


class StateUnusable(RuntimeError):
    """The state directory cannot be opened; the message says why and what to do."""


@dataclass(frozen=True)
class Batch:
    """What one request brought to one stream."""

    stream: str
    rows: list[Row]
    bad: list[BadRow]


class Store:
    def __init__(self, state_dir: Path, schemas: dict[str, Schema], sql_dir: Path):
        state_dir.mkdir(parents=True, exist_ok=True)
        self._schemas = schemas
        self._export_dir = state_dir / "export"
        self._export_dir.mkdir(exist_ok=True)
        self._connection = self._open(state_dir / "pipeline.duckdb")
        # Held while writing: one writer at a time keeps the order of arrival and of `_seq` equal.
        self._write_lock = threading.Lock()
        self._column_bytes: dict[str, tuple[int, dict]] = {}
        self._create_tables()
        self._connection.execute(BASIN_MACROS.read_text(encoding="utf-8"))
        self._create_views(sql_dir)
        # No query may reach the machine's files or undo these settings.
        folder = str(self._export_dir.resolve()).replace("'", "''")
        self._connection.execute(f"SET allowed_directories = ['{folder}']")
        self._connection.execute("SET autoinstall_known_extensions = false")
        self._connection.execute("SET autoload_known_extensions = false")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        self._inserts: dict[tuple, str] = {}
        self._seq, self._ingest_us = self._last_arrival()

    @staticmethod
    def _open(path: Path) -> duckdb.DuckDBPyConnection:
        config = {
            "memory_limit": MEMORY_LIMIT,
            "threads": THREADS,
            # Checkpoints stall the sender whose commit triggers them; make them rare.
            "checkpoint_threshold": "64MB",
        }
        try:
            connection = duckdb.connect(str(path), config=config)
        except duckdb.Error as error:
            raise StateUnusable(
                f"{path} cannot be opened: {error}. If another fake pipeline uses it, stop that "
                "one; if the file is damaged or of another DuckDB version, remove its directory."
            ) from error
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _create_tables(self) -> None:
        run = self._connection.execute
        for name, schema in self._schemas.items():
            table = f"{name}_landed"
            run(f"CREATE TABLE IF NOT EXISTS {table} (_seq BIGINT, _row VARCHAR, __ingest_ts TIMESTAMP)")
            for field in schema.fields:
                run(f'ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "{field.name}" {field.sql_type}')
            stored = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?"
            found = dict(run(stored, [table]).fetchall())
            for field in schema.fields:
                if found[field.name] != field.sql_type:
                    raise StateUnusable(
                        f"the stored column {name}.{field.name} is {found[field.name]}, the schema "
                        f"now says {field.sql_type}: start with an empty state directory"
                    )
            columns = ", ".join(f'"{field.name}"' for field in schema.fields)
            run(f"CREATE OR REPLACE VIEW {name} AS SELECT {columns}, __ingest_ts FROM {table}")
            # As Basin SQL sees it: JSON is text, and rows of files that are still open are not there.
            as_text = ", ".join(f'"{f.name}"::VARCHAR AS "{f.name}"' if f.type == "json" else f'"{f.name}"' for f in schema.fields)
            run(
                f"CREATE OR REPLACE VIEW basin_{name} AS SELECT {as_text}, __ingest_ts FROM {table} "
                "WHERE epoch_us(__ingest_ts) < coalesce(getvariable('basin_until_us'), 4611686018427387904)"
            )
        run(
            "CREATE TABLE IF NOT EXISTS bad (_seq BIGINT, stream VARCHAR, reason VARCHAR, "
            "field VARCHAR, detail VARCHAR, row VARCHAR, received_at TIMESTAMP)"
        )

    def _create_views(self, sql_dir: Path) -> None:
        left_out: set[str] = set()
        for path in sql_files(sql_dir):
            try:
                self._connection.execute(path.read_text(encoding="utf-8"))
            except (duckdb.BinderException, duckdb.CatalogException) as error:
                if path.parent == sql_dir or self._has_present_columns():
                    raise StateUnusable(f"{path} does not run: {error}") from error
                left_out.add(path.stem)
            except duckdb.Error as error:
                raise StateUnusable(f"{path} does not run: {error}") from error
        if left_out:
            names = ", ".join(sorted(left_out))
            print(f"fake pipeline: the streams lack columns for the views {names}", file=sys.stderr)

    def _has_present_columns(self) -> bool:
        """Whether the streams have what the views read; those of the first Hogflare have not."""
        events = {field.name for field in self._schemas["events"].fields}
        return "custom_properties" in events and "distinct_ids" in self._schemas

    def _last_arrival(self) -> tuple[int, int]:
        seq, ingest_us = 0, 0
        for name in self._schemas:
            row = self._connection.execute(
                f"SELECT coalesce(max(_seq), 0), coalesce(epoch_us(max(__ingest_ts)), 0) FROM {name}_landed"
            ).fetchone()
            seq, ingest_us = max(seq, row[0]), max(ingest_us, row[1])
        row = self._connection.execute("SELECT coalesce(max(_seq), 0) FROM bad").fetchone()
        return max(seq, row[0]), ingest_us

    def schema(self, stream: str) -> Schema:
        return self._schemas[stream]

    @property
    def schemas(self) -> dict[str, Schema]:
        return self._schemas

    def commit(self, batches: list[Batch]) -> None:
        """Stores all batches in one transaction; they survive a kill once this has returned."""
        with self._write_lock:
            seq, ingest_us = self._seq, max(self._ingest_us, time.time_ns() // 1000)
            landed: dict[str, list[tuple]] = {}
            bad: list[tuple] = []
            for batch in batches:
                tuples = landed.setdefault(batch.stream, [])
                for row in batch.rows:
                    seq += 1
                    ingest_us += 1
                    tuples.append((seq, row.text, ingest_us, *row.values))
                for row in batch.bad:
                    seq += 1
                    bad.append((seq, batch.stream, row.reason, row.field, row.detail, row.text, ingest_us))
            self._write(landed, bad)
            self._seq, self._ingest_us = seq, ingest_us

    def _write(self, landed: dict[str, list[tuple]], bad: list[tuple]) -> None:
        connection = self._connection
        connection.execute("BEGIN TRANSACTION")
        try:
            for stream, tuples in landed.items():
                if tuples:
                    self._insert(stream, tuples)
            if bad:
                connection.execute(_BAD_INSERT, [list(c) for c in zip(*bad)])
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _insert(self, stream: str, tuples: list[tuple]) -> None:
        # Most rows fill few columns; one that is null in all of them costs nothing.
        columns = {i: list(c) for i, c in enumerate(zip(*tuples)) if any(v is not None for v in c)}
        key = (stream, *columns)
        if key not in self._inserts:
            self._inserts[key] = _insert_statement(self._schemas[stream], columns)
        self._connection.execute(self._inserts[key], list(columns.values()))

    def row_texts(self, stream: str) -> Iterator[str]:
        """The texts of the rows that arrived, in order of arrival."""
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT _row FROM {stream}_landed ORDER BY _seq")
        while chunk := cursor.fetchmany(FETCH_ROWS):
            for (text,) in chunk:
                yield text

    def bad_texts(self) -> Iterator[str]:
        """The rows that did not arrive, with the reason, as JSON texts in order of arrival."""
        cursor = self._connection.cursor()
        cursor.execute("SELECT _seq, stream, reason, field, detail, received_at, row FROM bad ORDER BY _seq")
        names = [column[0] for column in cursor.description[:-1]]
        while chunk := cursor.fetchmany(FETCH_ROWS):
            for *values, row in chunk:
                named = zip(names, map(encode_value, values))
                parts = [f'"{name.lstrip("_")}":{value}' for name, value in named]
                yield "{" + ",".join([*parts, f'"row":{row}']) + "}"

    def counts(self) -> dict[str, dict[str, int]]:
        cursor = self._connection.cursor()
        bad = dict(cursor.execute("SELECT stream, count(*) FROM bad GROUP BY stream").fetchall())
        return {
            name: {
                "rows": cursor.execute(f"SELECT count(*) FROM {name}_landed").fetchone()[0],
                "bad": bad.get(name, 0),
            }
            for name in self._schemas
        }

    def reset(self) -> None:
        with self._write_lock:
            self._connection.execute("BEGIN TRANSACTION")
            for table in (*(f"{name}_landed" for name in self._schemas), "bad"):
                self._connection.execute(f"DELETE FROM {table}")
            self._connection.execute("COMMIT")
            self._column_bytes.clear()

    def query(self, sql: str) -> str:
        """The result of one SELECT (or WITH … SELECT) as a JSON array of objects."""
        cursor = self._connection.cursor()
        try:
            statements = cursor.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QueryRefused("only a single SELECT (or WITH … SELECT) statement is allowed")
            # The parser calls WITH x AS (INSERT …) a SELECT too; the transaction refuses it.
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                cursor.execute(statements[0])
                columns = [(name, str(kind)) for name, kind, *_ in cursor.description]
                return _encode_rows(columns, cursor.fetchall())
            finally:
                cursor.execute("ROLLBACK")
        except duckdb.Error as error:
            raise QueryRefused(str(error)) from error
        finally:
            cursor.close()

    def select(self, sql: str, until_us: int | None) -> tuple[list[tuple[str, str]], list[tuple]]:
        """Columns (name, type) and rows of a checked query over the views basin_STREAM."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(f"SET VARIABLE basin_until_us = {until_us if until_us else 'NULL'}")
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                cursor.execute(sql)
                columns = [(name, str(kind)) for name, kind, *_ in cursor.description]
                return columns, cursor.fetchall()
            finally:
                cursor.execute("ROLLBACK")
        finally:
            cursor.close()

    def column_bytes(self, stream: str) -> dict[str, tuple[int, dict[str, int]]]:
        """For each day of arrival how many rows there are and how many bytes each column has."""
        held_seq, held = self._column_bytes.get(stream, (-1, {}))
        if held_seq == self._seq:
            return held
        names = [field.name for field in self.schema(stream).fields] + ["__ingest_ts"]
        sizes = ", ".join(f'coalesce(sum(strlen("{name}"::VARCHAR)), 0)::BIGINT' for name in names)
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT __ingest_ts::DATE::VARCHAR, count(*), {sizes} FROM {stream}_landed GROUP BY 1")
        held = {day: (rows, dict(zip(names, each))) for day, rows, *each in cursor.fetchall()}
        self._column_bytes[stream] = (self._seq, held)
        return held

    def export_parquet(self, stream: str) -> Path:
        """Writes the stream's table, as the real one would have it, to a Parquet file."""
        path = self._export_dir / f"{stream}.parquet"
        target = str(path.resolve()).replace("'", "''")
        self._connection.cursor().execute(
            f"COPY (SELECT * FROM {stream} ORDER BY __ingest_ts) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        )
        return path

    def export_iceberg(self, stream: str) -> str:
        """Writes the stream's table as a local Iceberg table; where its metadata is."""
        require_iceberg()
        rows, _ = self.arrow_rows(stream)
        return export_iceberg(rows, stream, self._export_dir / "iceberg")

    def arrow_rows(self, stream: str, after_seq: int = 0, rows_max: int = 1 << 62) -> tuple:
        """Rows that arrived after one, as an Arrow table of the real table's types, and the last's seq."""
        kinds = {"JSON": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ"}
        columns = [(f.name, kinds.get(f.sql_type, f.sql_type)) for f in self.schema(stream).fields]
        columns.append(("__ingest_ts", "TIMESTAMPTZ"))
        selected = ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in columns)
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT {selected}, _seq FROM {stream}_landed WHERE _seq > {after_seq} ORDER BY _seq LIMIT {rows_max}")
        rows = cursor.to_arrow_table()
        seq = rows["_seq"][-1].as_py() if rows.num_rows else after_seq
        return rows.drop_columns(["_seq"]), seq


def sql_files(sql_dir: Path) -> list[Path]:
    """The macros, then the views for DuckDB in the order of their numbers."""
    views = [*sql_dir.glob("*.sql"), *sql_dir.glob("views/*.sql"), *sql_dir.glob("views/duckdb/*.sql")]
    return [*sql_dir.glob("macros/duckdb.sql"), *sorted(views, key=lambda path: path.name)]


def _insert_statement(schema: Schema, indexes: Iterable[int]) -> str:
    """One statement for any number of rows: a list per column, unnested side by side."""
    names = ["_seq", "_row", "__ingest_ts", *(f'"{field.name}"' for field in schema.fields)]
    kinds = ["BIGINT", "VARCHAR", "TIMESTAMP", *(field.sql_type for field in schema.fields)]
    columns = ", ".join(names[i] for i in indexes)
    values = ", ".join(_unnest(kinds[i]) for i in indexes)
    return f"INSERT INTO {schema.stream}_landed ({columns}) SELECT {values}"


def _unnest(kind: str) -> str:
    if kind == "TIMESTAMP":
        return "make_timestamp(unnest(?::BIGINT[]))"
    if kind == "JSON":
        return "unnest(?::VARCHAR[])"
    return f"unnest(?::{kind}[])"


_BAD_INSERT = "INSERT INTO bad SELECT " + ", ".join(
    map(_unnest, ["BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "TIMESTAMP"])
)


def _encode_rows(columns: list[tuple[str, str]], rows: list[tuple]) -> str:
    names = [json.dumps(name) for name, _ in columns]
    # A JSON column's text goes out as it is stored; parsing it would lose digits.
    encoders = [_encode_json if kind == "JSON" else encode_value for _, kind in columns]
    texts = []
    for row in rows:
        parts = [f"{n}:{encode(v)}" for n, encode, v in zip(names, encoders, row)]
        texts.append("{" + ",".join(parts) + "}")
    return "[" + ",".join(texts) + "]"


def _encode_json(text: str | None) -> str:
    return "null" if text is None else text


def encode_value(value: object) -> str:
    """A value of a result as JSON text."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return json.dumps(value) if math.isfinite(value) else "null"
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc).replace(tzinfo=None)
        return f'"{value.isoformat()}Z"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(encode_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(k))}:{encode_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(str(value), ensure_ascii=False)
