"""Faults that tests order for coming sends: wrong statuses, delays, hangs, resets.

faults = Faults()
faults.add({"count": 2, "status": 503})
faults.take("events")   # Fault(status=503), twice; then None
"""

from __future__ import annotations

import time
from dataclasses import dataclass

KINDS = ("status", "delay_ms", "hang", "hang_after_commit", "reset")
OPTIONS = ("count", "seconds", "stream", "after_commit", "retry_after", "clear")
SECONDS_MAX = 86_400


class FaultRefused(ValueError):
    """The order cannot be understood; the message says what would be right."""


@dataclass
class Fault:
    kind: str
    value: int
    stream: str | None
    after_commit: bool
    retry_after: int | None
    remaining: int | None
    ends_at: float | None
    hits: int = 0

    def describe(self) -> dict:
        seconds_left = None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())
        value = self.value if self.kind in ("status", "delay_ms") else True
        return {
            self.kind: value,
            "stream": self.stream,
            "after_commit": self.after_commit,
            "retry_after": self.retry_after,
            "remaining": self.remaining,
            "seconds_left": seconds_left,
            "hits": self.hits,
        }


class Faults:
    """The ordered faults, oldest first; a send meets the first one meant for its stream."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, order: object, streams: tuple[str, ...] = ()) -> None:
        if not isinstance(order, dict):
            raise FaultRefused("a fault must be a JSON object")
        unknown = sorted(set(order) - set(KINDS) - set(OPTIONS))
        if unknown:
            raise FaultRefused(f"unknown keys {unknown}; known are {[*OPTIONS, *KINDS]}")
        if order.get("clear") is True:
            self.clear()
            return
        self._faults.append(_parse(order, streams))

    def clear(self) -> None:
        self._faults.clear()

    def active(self) -> list[Fault]:
        now = time.monotonic()
        self._faults = [
            fault
            for fault in self._faults
            if (fault.remaining is None or fault.remaining > 0) and (fault.ends_at is None or fault.ends_at > now)
        ]
        return self._faults

    def take(self, stream: str) -> Fault | None:
        """The fault that this send meets, counted off; None where all is well."""
        for fault in self.active():
            if fault.stream in (None, stream):
                fault.hits += 1
                if fault.remaining is not None:
                    fault.remaining -= 1
                return fault
        return None


def _parse(order: dict, streams: tuple[str, ...]) -> Fault:
    kinds = [kind for kind in KINDS if kind in order]
    if len(kinds) != 1:
        raise FaultRefused(f"exactly one of {list(KINDS)} is needed, got {kinds}")
    kind = kinds[0]
    value = _check_value(kind, order[kind])
    if ("count" in order) == ("seconds" in order):
        raise FaultRefused('exactly one of "count" and "seconds" is needed')
    count = order.get("count")
    if count is not None and not (_is_int(count) and count >= 1):
        raise FaultRefused('"count" must be a whole number of at least 1')
    seconds = order.get("seconds")
    if seconds is not None and not (_is_number(seconds) and 0 < seconds <= SECONDS_MAX):
        raise FaultRefused(f'"seconds" must be a number above 0, at most {SECONDS_MAX}')
    stream = order.get("stream")
    if stream is not None and stream not in streams:
        raise FaultRefused(f'"stream" must be one of {list(streams)}, got {stream!r}')
    after_commit = order.get("after_commit", False)
    if not isinstance(after_commit, bool) or (after_commit and kind not in ("status", "reset")):
        raise FaultRefused('"after_commit" must be true or false, beside "status" or "reset"')
    retry_after = order.get("retry_after")
    if retry_after is not None and not (_is_int(retry_after) and kind == "status"):
        raise FaultRefused('"retry_after" must be whole seconds beside "status"')
    return Fault(
        kind=kind,
        value=value,
        stream=stream,
        after_commit=after_commit or kind == "hang_after_commit",
        retry_after=retry_after,
        remaining=count,
        ends_at=None if seconds is None else time.monotonic() + seconds,
    )


def _check_value(kind: str, value: object) -> int:
    if kind == "status":
        if not (_is_int(value) and 200 <= value <= 599):
            raise FaultRefused('"status" must be an HTTP status from 200 to 599')
        return value
    if kind == "delay_ms":
        if not (_is_int(value) and 0 <= value <= SECONDS_MAX * 1000):
            raise FaultRefused(f'"delay_ms" must be from 0 to {SECONDS_MAX * 1000}')
        return value
    if value is not True:
        raise FaultRefused(f'"{kind}" must be true')
    return 0


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
