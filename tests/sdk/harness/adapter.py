"""posthog-python as PostHog's SDK test harness drives it: HTTP in, calls of the client out.

adapter.py v0|v1    the capture mode; prints its address
"""

import datetime
import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import posthog
import requests
from posthog.version import VERSION

MODE = sys.argv[1] if len(sys.argv) > 1 else "v0"
# What the SDK calls an option of capture v1 among an event's properties.
OPTION_PROPERTIES = {"disable_skew_correction": "$ignore_sent_at"}

lock = threading.Lock()


class Instance:
    """The client of one test and what was seen of it."""

    def __init__(self):
        self.client = None
        self.captured = self.sent = 0
        self.last_error = None
        self.requests = []
        self.attempts: dict = {}

    def init(self, given):
        settings = {
            "host": given["host"],
            "flush_at": given.get("flush_at", 100),
            "flush_interval": given.get("flush_interval_ms", 500) / 1000,
            "max_retries": given.get("max_retries", 3),
            "gzip": given.get("enable_compression", False),
            "disable_geoip": given.get("disable_geoip", False),
            "historical_migration": given.get("historical_migration", False),
            "on_error": lambda error, _: setattr(self, "last_error", str(error)),
        }
        if MODE == "v1":
            settings["capture_mode"] = "v1"
        self.client = posthog.Posthog(given["api_key"], **settings)
        return {"success": True}

    def capture(self, given, method):
        properties = dict(given.get("properties") or {})
        for name, value in (given.get("options") or {}).items():
            properties[OPTION_PROPERTIES.get(name, f"${name}")] = value
        more = {}
        if given.get("timestamp"):
            text = given["timestamp"].replace("Z", "+00:00")
            more["timestamp"] = datetime.datetime.fromisoformat(text)
        if given.get("uuid"):
            more["uuid"] = given["uuid"]
        self.captured += 1
        send = getattr(self.client, method)
        found = send(given["event"], distinct_id=given["distinct_id"], properties=properties, **more)
        return {"success": True, "uuid": str(found)}

    def flush(self):
        before = self.sent
        self.client.flush()
        return {"success": True, "events_flushed": self.sent - before}

    def flag(self, given):
        names = ("person_properties", "groups", "group_properties", "disable_geoip")
        arguments = {name: given[name] for name in names if name in given}
        value = self.client.get_feature_flag(given["key"], given["distinct_id"], **arguments)
        return {"success": True, "value": value}

    def saw(self, body, status):
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        batch = json.loads(text).get("batch", [])
        uuids = [event.get("uuid") for event in batch]
        with lock:
            attempt = self.attempts.get(tuple(uuids), 0)
            self.attempts[tuple(uuids)] = attempt + 1
            self.sent += len(batch) if status == 200 else 0
            self.requests.append(
                {
                    "timestamp_ms": int(time.time() * 1000),
                    "status_code": status,
                    "retry_attempt": attempt,
                    "event_count": len(batch),
                    "uuid_list": uuids,
                }
            )

    def state(self):
        return {
            "pending_events": self.captured - self.sent,
            "total_events_captured": self.captured,
            "total_events_sent": self.sent,
            "total_retries": sum(1 for one in self.requests if one["retry_attempt"] > 0),
            "last_error": self.last_error,
            "requests_made": self.requests,
        }


# The instance of the test under way.
current = [Instance()]


def watch():
    """Has every request of the SDK seen. Its sessions are shared, so tests run one after the other."""
    send = requests.Session.send

    def watched(session, request, **settings):
        response = send(session, request, **settings)
        path = urlsplit(request.url).path.rstrip("/")
        if path.endswith(("/batch", "/events")):
            body = request.body
            current[0].saw(body.encode() if isinstance(body, str) else body, response.status_code)
        return response

    requests.Session.send = watched


def answer(path, given):
    instance = current[0]
    if path == "/health":
        ai = ["capture_ai_v0"] if MODE == "v0" and hasattr(posthog.Posthog, "capture_ai") else []
        return {
            "sdk_name": "posthog-python",
            "sdk_version": VERSION,
            "adapter_version": "1.0.0",
            "capabilities": [f"capture_{MODE}", "encoding_gzip", *ai],
        }
    if path == "/init":
        return instance.init(given)
    if path == "/capture":
        return instance.capture(given, "capture")
    if path == "/capture_ai":
        return instance.capture(given, "capture_ai")
    if path == "/flush":
        return instance.flush()
    if path == "/get_feature_flag":
        return instance.flag(given)
    if path == "/state":
        return instance.state()
    if path == "/reset":
        if instance.client is not None:
            # What waits belongs to the test before, and would be counted in the next one.
            while not instance.client.queue.empty():
                instance.client.queue.get_nowait()
                instance.client.queue.task_done()
            ending = threading.Thread(target=instance.client.shutdown, daemon=True)
            ending.start()
            ending.join(timeout=5)
        current[0] = Instance()
        return {"success": True}
    return None


class Handler(BaseHTTPRequestHandler):
    def respond(self):
        length = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(length)
        try:
            found = answer(urlsplit(self.path).path, json.loads(text) if text else {})
            status = 404 if found is None else 200
        except Exception as error:  # the harness shows it
            status, found = 500, {"success": False, "error": repr(error)}
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = respond

    def log_message(self, *_):
        pass


watch()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
