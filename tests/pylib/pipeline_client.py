"""Starts and talks to the fake pipeline; for every test suite and example that needs one.

with PipelineProcess(state_dir) as pipeline:      # on a free port
    pipeline.client.send([event_row(uuid="u1")])
    pipeline.client.fault(count=1, status=503)
    assert pipeline.client.sql("SELECT count(*) AS n FROM events") == [{"n": 1}]
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 30.0
_READY_LINE = re.compile(r"ready (http://\S+)")


def event_row(**columns) -> dict:
    """A row of the events stream that fits its schema; columns given replace or add."""
    row = {
        "uuid": "00000000-0000-4000-8000-000000000001",
        "team_id": 1,
        "source": "test",
        "event": "test event",
        "distinct_id": "user",
        "created_at": "2026-01-02T03:04:05.678Z",
    }
    return {**row, **columns}


def person_row(person_id: str, version: int, **columns) -> dict:
    """A snapshot row of the persons stream; its row uuid is made from person and version."""
    row = {
        "uuid": f"{person_id}/{version}",
        "team_id": 1,
        "person_id": person_id,
        "distinct_id": person_id,
        "is_identified": False,
        "is_deleted": False,
        "version": version,
        "operation": "update",
        "timestamp": f"2026-01-01T00:00:{version % 60:02d}Z",
    }
    return {**row, **columns}


class PipelineClient:
    """The fake pipeline's HTTP interface."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 30.0):
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

    def close(self) -> None:
        self.http.close()

    def post(self, body: bytes | str, stream: str = "events", **options) -> httpx.Response:
        """Sends a body as it is; returns whatever the pipeline answers."""
        path = "/" if stream == "events" else f"/streams/{stream}"
        return self.http.post(path, content=body, **options)

    def send(self, rows: list, stream: str = "events") -> int:
        """Sends rows and expects success; the number committed."""
        answer = self.post(json.dumps(rows), stream)
        answer.raise_for_status()
        return answer.json()["result"]["committed"]

    def rows(self, stream: str = "events") -> list[dict]:
        return self._get(f"/streams/{stream}")

    def bad(self) -> list[dict]:
        return self._get("/bad")

    def all(self) -> dict:
        return self._get("/all")

    def health(self) -> dict:
        return self._get("/health")

    def sql(self, query: str) -> list[dict]:
        answer = self.http.get("/sql", params={"q": query})
        if answer.status_code != 200:
            raise ValueError(answer.json()["errors"][0]["message"])
        return answer.json()

    def fault(self, **order) -> list[dict]:
        """Orders a fault: fault(count=1, status=503); the faults now active."""
        answer = self.http.post("/faults", json=order)
        if answer.status_code != 200:
            raise ValueError(answer.json()["errors"][0]["message"])
        return answer.json()["faults"]

    def clear_faults(self) -> None:
        self.fault(clear=True)

    def faults(self) -> list[dict]:
        return self._get("/faults")["faults"]

    def reset(self) -> None:
        self.http.post("/reset").raise_for_status()

    def wait_for(self, query: str, expected: list[dict], timeout_s: float = 30.0) -> None:
        """Waits until the query gives what is expected; fails with what it gave instead."""
        deadline = time.monotonic() + timeout_s
        while (found := self.sql(query)) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(f"{query}\nexpected {expected}\nfound    {found}")
            time.sleep(0.05)

    def _get(self, path: str):
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()


class PipelineProcess:
    """A fake pipeline of one's own, stopped by its process id."""

    def __init__(self, state_dir: Path, port: int = 0, token: str | None = None, words=()):
        self.state_dir = Path(state_dir)
        self.port = port
        self.token = token
        self.words = list(words)
        self.process: subprocess.Popen | None = None
        self.client: PipelineClient | None = None

    def start(self) -> PipelineProcess:
        command = [sys.executable, "-m", "fake_pipeline", "--port", str(self.port)]
        command += ["--state-dir", str(self.state_dir), *self.words]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT / "fake-pipeline")}
        environment.pop("FAKE_PIPELINE_TOKEN", None)
        if self.token is not None:
            environment["FAKE_PIPELINE_TOKEN"] = self.token
        self.state_dir.mkdir(parents=True, exist_ok=True)
        log_path = self.state_dir / "pipeline.log"
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        url = self._wait_until_ready(log_path)
        self.client = PipelineClient(url, self.token)
        return self

    def _wait_until_ready(self, log_path: Path) -> str:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            said = log_path.read_text(encoding="utf-8", errors="replace")
            if ready := _READY_LINE.search(said):
                return ready.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the fake pipeline did not start: {log_path.read_text()}")

    @property
    def url(self) -> str:
        return self.client.url

    def kill(self) -> None:
        """Ends it as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, sig: signal.Signals) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(timeout=10)

    def __enter__(self) -> PipelineProcess:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()
