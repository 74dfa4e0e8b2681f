"""Writes a stream as an Iceberg table in local files, the shape in which the real sink keeps it.

    export_iceberg(arrow_table, "events", Path(".hogflare/export/iceberg"))  # the metadata's path

Needs pyiceberg (requirements-iceberg.txt). DuckDB's own Iceberg extension would have to be
downloaded from DuckDB's servers when first used, which the set-up must not depend on.
"""

from __future__ import annotations

from pathlib import Path

NAMESPACE = "default"


class IcebergMissing(RuntimeError):
    """pyiceberg is not installed; the message says how to get it."""


def export_iceberg(rows, stream: str, folder: Path) -> str:
    """Replaces the table default.STREAM by these rows (a pyarrow table)."""
    SqlCatalog = catalog_class()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()
    catalog = SqlCatalog("local", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}")
    name = f"{NAMESPACE}.{stream}"
    catalog.create_namespace_if_not_exists(NAMESPACE)
    if catalog.table_exists(name):
        catalog.drop_table(name)
    table = catalog.create_table(name, schema=rows.schema)
    table.append(rows)
    return table.metadata_location


def require_iceberg() -> None:
    """Raises IcebergMissing before any work is done."""
    catalog_class()


def catalog_class():
    """pyiceberg's SqlCatalog; raises IcebergMissing."""
    try:
        from pyiceberg.catalog.sql import SqlCatalog
    except ImportError as error:
        raise IcebergMissing("pyiceberg is not installed: pip install -r fake-pipeline/requirements-iceberg.txt") from error
    return SqlCatalog
