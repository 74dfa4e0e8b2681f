"""Faults ordered through POST /faults."""

import socket
import struct
import time
from urllib.parse import urlsplit

import httpx
import pytest
from pipeline_client import event_row


def uuids(pipeline):
    return [row["uuid"] for row in pipeline.rows()]


def test_a_status_fault_meets_the_next_n_sends_and_stores_nothing(pipeline):
    pipeline.fault(count=2, status=503, retry_after=7)
    for _ in range(2):
        answer = pipeline.post("[]")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "7"
    assert pipeline.send([event_row(uuid="after")]) == 1
    assert uuids(pipeline) == ["after"]


def test_a_status_fault_may_come_after_the_commit(pipeline):
    pipeline.fault(count=1, status=500, after_commit=True)
    with pytest.raises(httpx.HTTPStatusError):
        pipeline.send([event_row(uuid="kept")])
    assert uuids(pipeline) == ["kept"]


def wait_until_met(pipeline):
    """Until every fault has been met, or is over."""
    while pipeline.faults() != []:
        time.sleep(0.01)


def test_a_fault_for_seconds_meets_every_send_until_they_are_over(pipeline):
    pipeline.fault(seconds=3600, status=429)
    assert [pipeline.post("[]").status_code for _ in range(3)] == [429] * 3
    pipeline.fault(clear=True)
    pipeline.fault(seconds=0.05, status=429)
    wait_until_met(pipeline)
    assert pipeline.post("[]").status_code == 200


def test_a_delay_answers_late_but_rightly(pipeline):
    pipeline.fault(count=1, delay_ms=300)
    started = time.monotonic()
    assert pipeline.send([event_row(uuid="late")]) == 1
    assert time.monotonic() - started >= 0.3
    assert uuids(pipeline) == ["late"]


def test_a_hang_never_answers_and_stores_nothing(pipeline):
    pipeline.fault(count=1, hang=True)
    with pytest.raises(httpx.ReadTimeout):
        pipeline.post("[" + "{}" + "]", timeout=0.4)
    wait_until_met(pipeline)
    assert pipeline.rows() == [] and pipeline.bad() == []
    assert pipeline.post("[]").status_code == 200


def test_a_hang_after_commit_stores_the_rows_and_never_answers(pipeline):
    pipeline.fault(count=1, hang_after_commit=True)
    with pytest.raises(httpx.ReadTimeout):
        pipeline.post(b'[{"uuid":"x"}]', timeout=0.5)
    assert len(pipeline.bad()) == 1


def raw_send(pipeline):
    """Sends one event over a bare socket; the socket, to see how the connection ends."""
    address = urlsplit(pipeline.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=5)
    body = b'[{"uuid":"u","source":"s","event":"e","distinct_id":"d","created_at":0}]'
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.parametrize("after_commit, rows", [(False, 0), (True, 1)])
def test_a_reset_really_resets_the_connection(pipeline, after_commit, rows):
    pipeline.fault(count=1, reset=True, after_commit=after_commit)
    with raw_send(pipeline) as connection:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert len(pipeline.rows()) == rows
    with raw_send(pipeline) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_leaves_by_itself_harms_nobody(pipeline):
    pipeline.fault(count=1, delay_ms=200)
    connection = raw_send(pipeline)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    pipeline.wait_for("SELECT count(*) AS n FROM events", [{"n": 1}], timeout_s=5)
    assert pipeline.post("[]").status_code == 200


def test_a_fault_can_be_kept_to_one_stream(pipeline):
    pipeline.fault(count=1, status=503, stream="persons")
    assert pipeline.post("[]").status_code == 200
    assert pipeline.post("[]", "rejects").status_code == 200
    assert pipeline.post("[]", "persons").status_code == 503
    assert pipeline.post("[]", "persons").status_code == 200


def test_faults_are_met_in_the_order_they_were_ordered(pipeline):
    pipeline.fault(count=1, status=500)
    pipeline.fault(count=2, status=429)
    assert [pipeline.post("[]").status_code for _ in range(4)] == [500, 429, 429, 200]


def test_clear_ends_all_faults_and_looking_is_never_faulted(pipeline):
    pipeline.fault(seconds=60, status=503)
    pipeline.fault(count=5, hang=True)
    assert pipeline.rows() == [] and pipeline.health()["faults"] == 2
    pipeline.clear_faults()
    assert pipeline.faults() == []
    assert pipeline.post("[]").status_code == 200


def test_the_active_faults_can_be_seen(pipeline):
    pipeline.fault(count=3, status=503, stream="events")
    pipeline.post("[]")
    assert pipeline.faults() == [
        {
            "status": 503, "stream": "events", "after_commit": False, "retry_after": None,
            "remaining": 2, "seconds_left": None, "hits": 1,
        }
    ]  # fmt: skip
    (fault,) = [f for f in pipeline.fault(seconds=50, hang=True) if "hang" in f]
    assert fault["hang"] is True and 0 < fault["seconds_left"] <= 50


@pytest.mark.parametrize(
    "order, message",
    [
        ({}, "exactly one of"),
        ({"count": 1}, "exactly one of"),
        ({"count": 1, "status": 503, "hang": True}, "exactly one of"),
        ({"status": 503}, "count"),
        ({"count": 1, "seconds": 1, "status": 503}, "count"),
        ({"count": 0, "status": 503}, "count"),
        ({"count": True, "status": 503}, "count"),
        ({"seconds": 0, "status": 503}, "seconds"),
        ({"seconds": "5", "status": 503}, "seconds"),
        ({"count": 1, "status": 99}, "status"),
        ({"count": 1, "status": "503"}, "status"),
        ({"count": 1, "delay_ms": -1}, "delay_ms"),
        ({"count": 1, "hang": False}, "hang"),
        ({"count": 1, "reset": 1}, "reset"),
        ({"count": 1, "status": 503, "stream": "nobody"}, "stream"),
        ({"count": 1, "hang": True, "after_commit": True}, "after_commit"),
        ({"count": 1, "hang": True, "retry_after": 1}, "retry_after"),
        ({"count": 1, "statuss": 503}, "unknown keys"),
        ([], "JSON object"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_its_reason(pipeline, order, message):
    answer = pipeline.http.post("/faults", json=order)
    assert answer.status_code == 400
    assert message in answer.json()["errors"][0]["message"]
    assert pipeline.faults() == []


def test_an_order_that_is_no_json_is_refused(pipeline):
    assert pipeline.http.post("/faults", content="{").status_code == 400
