"""The streams as Iceberg tables in local files, the shape in which the real sink keeps them.

    lake = Lake(state_dir / "lake", store)
    lake.write()     # {"events": {"rows": 12, "metadata_location": "…"}}: appends what is new

A table is default.hogflare_STREAM_v1 in a SQL catalog (catalog.db, SQLite), partitioned by the day of
`__ingest_ts`; JSON columns are text. Any Iceberg reader opens it: catalog "sql", uri sqlite:///…/catalog.db.

How far a table has come stands in its own properties and changes in the same commit as the rows, so a
kill at any moment neither loses nor doubles a row.
"""

from __future__ import annotations

import threading
from pathlib import Path

from .basin_check import NAMESPACE, table_name
from .iceberg import catalog_class
from .store import Store

# The table's property: _seq of the last row it holds.
WRITTEN = "hogflare.seq"
# Rows of one commit; bounds the memory of a long catch-up.
ROWS_MAX = 100_000


class Lake:
    def __init__(self, folder: Path, store: Store):
        self._folder = folder
        self._store = store
        # One writer at a time: two would append the same rows.
        self._lock = threading.Lock()

    def write(self) -> dict[str, dict]:
        """Appends every stream's new rows; how many rows each table has now and where it is."""
        with self._lock:
            catalog = self._catalog()
            return {stream: self._append(catalog, stream) for stream in self._store.schemas}

    def reset(self) -> None:
        """Drops the tables, if pyiceberg ever wrote one."""
        with self._lock:
            if not (self._folder / "catalog.db").exists():
                return
            catalog = self._catalog()
            for name in catalog.list_tables(NAMESPACE):
                catalog.drop_table(name)

    def _catalog(self):
        SqlCatalog = catalog_class()
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder.resolve()
        catalog = SqlCatalog("local", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")
        catalog.create_namespace_if_not_exists(NAMESPACE)
        return catalog

    def _append(self, catalog, stream: str) -> dict:
        name = f"{NAMESPACE}.{table_name(stream)}"
        table = None
        if catalog.table_exists(name):
            table = catalog.load_table(name)
        while True:
            after = 0 if table is None else int(table.properties[WRITTEN])
            rows, seq = self._store.arrow_rows(stream, after, ROWS_MAX)
            if table is None:
                table = self._create(catalog, name, rows.schema)
            if rows.num_rows == 0:
                break
            with table.transaction() as change:
                change.append(rows)
                change.set_properties({WRITTEN: str(seq)})
        held = table.scan(selected_fields=("uuid",)).to_arrow().num_rows
        return {"rows": held, "metadata_location": table.metadata_location}

    @staticmethod
    def _create(catalog, name: str, schema):
        from pyiceberg.transforms import DayTransform

        with catalog.create_table_transaction(name, schema=schema) as change:
            with change.update_spec() as spec:
                spec.add_field("__ingest_ts", DayTransform(), "__ingest_ts_day")
            change.set_properties({WRITTEN: "0"})
        return catalog.load_table(name)
