"""Every case of tests/vectors/insight.json in both dialects."""

import json

import pytest
import world

VECTORS = json.loads((world.ROOT / "tests" / "vectors" / "insight.json").read_text())


@pytest.fixture(scope="module")
def planner():
    planner = world.Planner()
    yield planner
    planner.close()


_connections = {}


def connection_of(name):
    if name not in _connections:
        _connections[name] = world.load(VECTORS["datasets"].get(name, {"events": []}))
    return _connections[name]


def same(expected, actual, path="results"):
    """Compares the named fields only; numbers within a millionth, lists in order."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), f"{path}: {actual!r} is no object"
        for key, value in expected.items():
            same(value, actual.get(key), f"{path}.{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list) and len(actual) == len(expected), f"{path}: {actual!r}, not {expected!r}"
        for index, value in enumerate(expected):
            same(value, actual[index], f"{path}.{index}")
    elif isinstance(expected, (int, float)) and not isinstance(expected, bool):
        assert isinstance(actual, (int, float)), f"{path}: {actual!r}, not {expected!r}"
        assert actual == pytest.approx(expected, abs=1e-6), path
    else:
        assert actual == expected, f"{path}: {actual!r}, not {expected!r}"


def reduced(kind, expected, got):
    """The answer in the vectors' shape."""
    if kind == "RetentionQuery":
        for row in got["results"]:
            row["counts"] = [cell["count"] for cell in row["values"]]
            row["date"] = row["date"][:10]
    elif kind == "FunnelsQuery" and isinstance(expected["results"], list) and "day" in expected["results"][0]:
        got["results"] = got["results"][0]["raw"]
    elif kind == "WebStatsTableQuery":
        got["results"] = [[row[0], row[1][0], row[2][0], *[cell[0] for cell in row[3:]]] for row in got["results"]]
        got["results"] = [row[: len(wanted)] for row, wanted in zip(got["results"], expected["results"])] + got["results"][
            len(expected["results"]) :
        ]
    elif kind == "ErrorTrackingQuery":
        got["results"] = [{**row, **row["aggregations"]} for row in got["results"]]
    elif kind == "ExperimentQuery":
        got["results"] = [got["baseline"], *got["variant_results"]]
    return got


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_case(planner, case, dialect):
    dataset = VECTORS["datasets"].get(case["dataset"], {"events": []})
    project = world.project_of(dataset, case["settings"])
    got = world.answer(planner, connection_of(case["dataset"]), project, case["query"], dialect)
    if "error" in case["expected"]:
        assert not got["ok"] and got["path"], got
        return
    assert got["ok"], got
    kind = case["query"]["kind"]
    expected = case["expected"]
    if isinstance(expected["results"], list):
        expected = dict(expected)
    same(expected, reduced(kind, expected, got["answer"]))
