"""Sends a few events with PostHog's Python client to a running Worker.

    scripts/dev                                    # in one terminal
    .venv/bin/python examples/python_capture.py    # in another

HOGFLARE_URL and POSTHOG_TOKEN may be set.
"""

import os

from posthog import Posthog

client = Posthog(
    os.environ.get("POSTHOG_TOKEN", "phc_example"),
    host=os.environ.get("HOGFLARE_URL", "http://127.0.0.1:8787"),
)

client.capture(
    "purchase",
    distinct_id="python-user",
    properties={"amount": 29.99, "product_id": "widget-001"},
)
client.set(distinct_id="python-user", properties={"email": "python-user@example.com"})
client.capture("upgraded", distinct_id="python-user", properties={"plan": "pro"})
client.shutdown()
print("sent 3 events as python-user")
