"""Sends one of everything posthog-python can send to the server in HOGFLARE_RECORD_URL."""

import os
from datetime import datetime, timedelta, timezone

import posthog
from posthog import Posthog

OLD = int(posthog.VERSION.split(".")[0]) < 6


def capture(client, distinct_id, event, **more):
    """The first argument was the distinct_id until version 6."""
    if OLD:
        client.capture(distinct_id, event, **more)
    else:
        client.capture(event, distinct_id=distinct_id, **more)


def run(**options):
    client = Posthog("phc_golden", host=os.environ["HOGFLARE_RECORD_URL"], **options)
    capture(
        client,
        "python-user",
        "purchase",
        properties={
            "amount": 29.99,
            "count": 9007199254740993,
            "text": "grüße 🦔",
            "nested": {"a": [1, 2], "b": None},
        },
    )
    capture(
        client,
        "python-user",
        "in the past",
        timestamp=datetime(2026, 1, 2, 3, 4, 5, 678000, timezone(timedelta(hours=5, minutes=30))),
        groups={"company": "acme"},
    )
    if OLD:
        client.identify("python-user", {"email": "p@example.com"})
    client.set(distinct_id="python-user", properties={"plan": "pro"})
    client.set_once(distinct_id="python-user", properties={"first": "python"})
    client.alias("python-user", "python-alias")
    client.group_identify("company", "acme", {"size": 12})
    capture(
        client,
        "python-anonymous",
        "personless",
        properties={"$process_person_profile": False},
    )
    client.shutdown()


run()
run(gzip=True, historical_migration=True)
if not OLD:
    for compression in ("none", "gzip", "deflate", "zstd"):
        try:
            run(capture_mode="v1", capture_compression=compression)
        except (TypeError, ValueError) as error:
            print(f"capture v1 with {compression}: {error}")
