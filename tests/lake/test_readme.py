"""README's "Query data": the block for DuckDB and the one for one's own machine do what they say.

DuckDB's Iceberg extension would be fetched at run time, so the catalog is an attached database with the same
schema and table names over the files of the Iceberg tables; the statements that need the network are parsed.
"""

import os
import re
import subprocess

import duckdb
from conftest import NODE, PROJECT, STREAMS

README = (PROJECT / "README.md").read_text()
# Statements that reach R2.
REMOTE = ("INSTALL", "LOAD", "CREATE SECRET", "ATTACH")


def block(language: str, word: str) -> str:
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.S) if word in text]
    return found


def test_the_attach_block_gives_tables_and_views(system):
    text = block("sql", "ATTACH")
    setup = subprocess.run([NODE, str(PROJECT / "scripts/sql.mjs"), "--duckdb-setup"], check=True, capture_output=True, text=True)
    lines = [line for line in text.splitlines() if not line.startswith(".read setup.sql")]
    assert len(lines) == len(text.splitlines()) - 1
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.\"default\"")
    for stream in STREAMS:
        table = system.catalog().load_table(f"default.hogflare_{stream}_v1").scan().to_arrow()
        connection.register(f"{stream}_arrow", table)
        connection.execute(f'CREATE TABLE lake."default".hogflare_{stream}_v1 AS SELECT * FROM {stream}_arrow')
    statements = [each.query.strip() for each in duckdb.extract_statements("\n".join(lines))]
    assert sum(each.startswith("ATTACH") for each in statements) == 1
    *prepared, last = [each for each in statements if not each.startswith(REMOTE)]
    for statement in prepared:
        connection.execute(statement)
    connection.execute(setup.stdout)
    counts = dict(connection.execute(last).fetchall())
    expected = {}
    for event in system.month.events:
        expected[event.name] = expected.get(event.name, 0) + 1
    del expected["$snapshot_items"]
    assert counts == expected


def test_the_local_block_reads_the_iceberg_table(system, monkeypatch):
    """In a folder with .hogflare/pipeline/lake, as scripts/dev makes it."""
    text = block("python", "SqlCatalog")
    root = system.state.parent / "checkout"
    (root / ".hogflare").mkdir(parents=True, exist_ok=True)
    link = root / ".hogflare" / "pipeline"
    if not link.exists():
        os.symlink(system.state, link)
    monkeypatch.chdir(root)
    *lines, last = text.strip().splitlines()
    names: dict = {}
    exec("\n".join(lines), names)
    read = eval(last, names)
    assert read.num_rows == len(system.rows("events"))
    assert set(read.column_names) == {"event", "timestamp"}
