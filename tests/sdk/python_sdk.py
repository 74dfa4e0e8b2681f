"""What tests/sdk/python.test.mjs has PostHog's own Python client do.

    python_sdk.py SCENARIO URL TOKEN    SCENARIO is the name of one of the functions below

Prints what the scenario returns as JSON. Ends with an error when the client reports one.
"""

import datetime
import json
import sys

from posthog import Posthog, identify_context, new_context

errors: list = []


def client(url: str, token: str, **settings) -> Posthog:
    return Posthog(token, host=url, on_error=lambda error, _: errors.append(repr(error)), **settings)


def capture(url, token):
    with_defaults = client(url, token)
    with_defaults.capture("purchase", distinct_id="py-user", properties={"amount": 29.99, "name": "Zoë"})
    with_defaults.set(distinct_id="py-user", properties={"email": "py@example.com", "plan": "free"})
    with_defaults.set_once(distinct_id="py-user", properties={"plan": "pro", "since": "today"})
    with_defaults.capture("upgraded", distinct_id="py-user", properties={"$set": {"plan": "pro"}})
    with_defaults.shutdown()


def identify(url, token):
    in_context = client(url, token)
    in_context.capture("anonymous", distinct_id="py-anonymous")
    in_context.alias("py-anonymous", "py-known")
    with new_context(client=in_context):
        identify_context("py-known")
        in_context.capture("in context")
    in_context.shutdown()


def groups(url, token):
    grouped = client(url, token)
    grouped.group_identify("company", "py-acme", {"size": 12}, distinct_id="py-grouped")
    grouped.flush()
    grouped.capture("in a group", distinct_id="py-grouped", groups={"company": "py-acme"})
    grouped.shutdown()


def gzipped(url, token):
    compressing = client(url, token, gzip=True)
    for number in range(250):
        compressing.capture("numbered", distinct_id="py-many", properties={"n": number})
    compressing.shutdown()


def migrate(url, token):
    migrating = client(url, token, historical_migration=True)
    migrating.capture(
        "long ago",
        distinct_id="py-historic",
        timestamp=datetime.datetime(2019, 5, 4, 3, 2, 1, tzinfo=datetime.timezone.utc),
    )
    migrating.shutdown()


def exceptions(url, token):
    reporting = client(url, token)
    try:
        [][1]
    except IndexError as error:
        reporting.capture_exception(error, distinct_id="py-exception")
    reporting.shutdown()


def capture_v1(url, token):
    newest = client(url, token, capture_mode="v1")
    newest.capture("over v1", distinct_id="py-v1", properties={"n": 1})
    newest.shutdown()


def flags_remote(url, token):
    asking = client(url, token, feature_flags_request_timeout_seconds=60)
    answers = read_flags(asking)
    asking.shutdown()
    return answers


def flags_local(url, token):
    evaluating = client(url, token, personal_api_key="phx_test", poll_interval=3600)
    evaluating.load_feature_flags()
    answers = read_flags(evaluating, only_evaluate_locally=True)
    evaluating.shutdown()
    return answers


def read_flags(reader, **how):
    answers = {}
    for who, properties in [("py-staff", {"email": "py@example.com"}), ("py-guest", {"email": "py@elsewhere.org"})]:
        answers[who] = {
            "all": reader.get_all_flags(who, person_properties=properties, **how),
            "payload": reader.get_feature_flag_payload("new-checkout", who, person_properties=properties, **how),
            "staff": reader.feature_enabled("staff-only", who, person_properties=properties, **how),
        }
    return answers


SCENARIOS = [capture, identify, groups, gzipped, migrate, exceptions, capture_v1, flags_remote, flags_local]

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    chosen = {scenario.__name__: scenario for scenario in SCENARIOS}[name]
    print(json.dumps(chosen(*arguments)))
    if errors:
        sys.exit("the client reported: " + "; ".join(errors))
