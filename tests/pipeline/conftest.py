"""Fixtures: a fake pipeline shared by the session and emptied for each test, or one of one's own."""

import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "pylib"))
sys.path.insert(0, str(PROJECT / "fake-pipeline"))

from pipeline_client import PipelineProcess  # noqa: E402


@pytest.fixture(scope="session")
def shared_pipeline(tmp_path_factory):
    with PipelineProcess(tmp_path_factory.mktemp("pipeline")) as process:
        yield process


@pytest.fixture
def pipeline(shared_pipeline):
    """The client of an empty pipeline without faults."""
    shared_pipeline.client.reset()
    return shared_pipeline.client


@pytest.fixture
def own_pipeline(tmp_path):
    """A pipeline process that the test may kill and start again on the same state."""
    process = PipelineProcess(tmp_path / "state")
    process.start()
    yield process
    process.stop()
