"""The schema files: the seed's columns, Cloudflare's format, and the documentation's tables."""

import json
import re

import pytest
from conftest import PROJECT
from fake_pipeline.schema import SchemaError, load_schemas

SEED_EVENTS = """
uuid:string! team_id:int64 source:string! event:string! distinct_id:string! timestamp:timestamp
created_at:timestamp! properties:json context:json person_id:string person_created_at:timestamp
person_properties:json group0:string group1:string group2:string group3:string group4:string
group_properties:json api_key:string extra:json
""".split()


def read(stream):
    return json.loads((PROJECT / "schemas" / f"{stream}.json").read_text())


TYPED_EVENTS = """
session_id window_id current_url host pathname screen_name referrer referring_domain utm_source
utm_medium utm_campaign utm_term utm_content browser browser_version os os_version device_type
country_code region city lib lib_version is_identified:bool person_mode feature_flag
feature_flag_variant exception_type exception_message exception_fingerprint properties_bytes:int64
custom_properties:json
""".split()


def test_the_events_stream_has_the_columns_of_the_seed_and_then_the_typed_ones():
    typed = [name if ":" in name else f"{name}:string" for name in TYPED_EVENTS]
    found = [f"{f['name']}:{f['type']}{'!' if f['required'] else ''}" for f in read("events")["fields"]]
    assert found == SEED_EVENTS + typed


@pytest.mark.parametrize("stream", ["events", "persons", "rejects", "distinct_ids"])
def test_a_schema_file_holds_nothing_that_cloudflare_does_not_know(stream):
    document = read(stream)
    assert set(document) == {"fields"}
    for field in document["fields"]:
        assert set(field) == {"name", "type", "required"}
        assert isinstance(field["required"], bool)


@pytest.mark.parametrize("stream", ["events", "persons", "rejects", "distinct_ids"])
def test_the_documentation_lists_exactly_the_columns_with_type_and_need(stream):
    text = (PROJECT / "docs" / "SCHEMAS.md").read_text()
    section = re.search(rf"^## {stream}$(.*?)^## ", text, re.MULTILINE | re.DOTALL).group(1)
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (yes|no) \| \S.* \|$", section, re.MULTILINE)
    expected = [(f["name"], f["type"], "yes" if f["required"] else "no") for f in read(stream)["fields"]]
    assert documented == expected


SQL = (PROJECT / "docs" / "SQL.md").read_text()


def test_every_view_has_a_head_and_is_documented():
    files = sorted((PROJECT / "sql" / "views").rglob("*.sql"))
    for path in files:
        view = path.stem.split("_", 1)[1]
        text = path.read_text()
        assert f"CREATE OR REPLACE VIEW {view} AS" in text
        assert text.startswith(f"-- {view}") and "Columns" in text and re.search("[Cc]ost: |Columns and", text)
        assert f"| `{view}` |" in SQL
    documented = re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]* \|$", SQL.split("## Recipes")[0], re.MULTILINE)
    assert set(documented) == {path.stem.split("_", 1)[1] for path in files}


def test_every_recipe_says_what_it_answers_its_parameters_and_its_cost():
    for path in sorted((PROJECT / "sql" / "recipes").glob("*.sql")):
        text = path.read_text()
        head, body = text[: text.index("\n-- Cost: ")], text[text.index("\n-- Cost: ") :]
        assert text.startswith(f"-- {path.stem}: ") and "\n-- Parameters:\n" in head
        declared = re.findall(r"^-- \$(\w+) = (?:'[^']*'|\d+): \S", head, re.MULTILINE)
        used = set(re.findall(r"\$(\w+)", re.sub(r"'[^']*'", "", body.split("\n", 2)[2])))
        assert set(declared) == used, path.name
        row = f"| `{path.stem}` | "
        assert row in SQL
        listed = SQL[SQL.index(row) :].split("\n")[0].rsplit("|", 2)[1]
        assert re.findall(r"`(\w+)`", listed) == declared


def test_the_macros_of_both_engines_define_what_the_other_has_not():
    """Basin SQL has json_get_str; the rest must be in both files."""
    names = {engine: set(re.findall(r"MACRO (\w+)", (PROJECT / f"sql/macros/{engine}.sql").read_text())) for engine in ("duckdb", "basin")}
    assert {name for name in names["duckdb"] if not name.startswith("json_")} == names["basin"]


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "no events.json"),
        ({"events": "{"}, "expected"),
        ({"events": '{"fields":[{"name":"a","type":"string"}]}'}, "expected"),
        ({"events": '{"fields":[{"name":"a","type":"text","required":true}]}'}, "type 'text'"),
        ({"events": '{"fields":[{"name":"a\\"","type":"json","required":true}]}'}, "no usable"),
        (
            {"events": '{"fields":[{"name":"a","type":"json","required":true},{"name":"a","type":"json","required":true}]}'},
            "no unique name",
        ),
        ({"events": '{"fields":[]}', "a-b": '{"fields":[]}'}, "letters"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_reason(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    with pytest.raises(SchemaError, match=message):
        load_schemas(tmp_path)
