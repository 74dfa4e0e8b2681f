"""Evaluates a file of feeds and people with posthog-python's local evaluator.

Called by flags_differential.test.mjs; prints {"compared", "declined", "different"} as JSON.
"""

import json
import logging
import sys

from posthog.client import Client

logging.disable(logging.CRITICAL)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    compared = declined = 0
    different = []
    for case in cases:
        client = Client("phc_test", host="http://127.0.0.1:9", send=False)
        feed = case["feed"]
        client.feature_flags = feed["flags"]
        client.feature_flags_by_key = {flag["key"]: flag for flag in feed["flags"]}
        client.cohorts = feed["cohorts"]
        client.group_type_mapping = feed["group_type_mapping"]
        for person, values in zip(case["people"], case["values"]):
            local = client.get_all_flags(
                person["distinct_id"],
                person_properties=person["person_properties"],
                only_evaluate_locally=True,
            )
            for flag in feed["flags"]:
                key = flag["key"]
                if local is None or local.get(key) is None:
                    declined += 1
                    continue
                compared += 1
                if local[key] != values.get(key, False):
                    different.append([flag, person, local[key], values.get(key, False)])
    print(json.dumps({"compared": compared, "declined": declined, "different": different[:5]}))


if __name__ == "__main__":
    main()
