"""Reads flags with posthog-python, by asking the server and by evaluating locally.

Called by flags.test.mjs with a file {"host", "token", "personal", "timeout_seconds", "people",
"wanted"}, the last being what /flags says for each of the people; prints JSON:
"remote" for the first 12 people, "local" for all (only what can be computed without the server),
"both" for the first 60 (computed or asked), "remote_config" the payload of `everyone`.
"""

import json
import logging
import sys
import time

from posthog.client import Client

logging.disable(logging.CRITICAL)


def arguments_of(person):
    return {
        "person_properties": person["person_properties"],
        "groups": person["groups"],
        "group_properties": person["group_properties"],
    }


def values(flags):
    """What is left out counts as false."""
    return {key: value for key, value in (flags or {}).items() if value is not False}


def all_flags(client, person, wanted):
    """A server without time answers some flags as failed; it is asked again for a while."""
    for _ in range(60):
        found = client.get_all_flags(person["distinct_id"], **arguments_of(person))
        if values(found) == values(wanted):
            break
        time.sleep(1)
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    people, wanted = given["people"], given["wanted"]
    patience = {"feature_flags_request_timeout_seconds": given["timeout_seconds"]}
    report = {"remote": [], "local": [], "both": []}

    asking = Client(given["token"], host=given["host"], send=False, **patience)
    for i, person in enumerate(people[:12]):
        id, arguments = person["distinct_id"], arguments_of(person)
        report["remote"].append(
            {
                "all": all_flags(asking, person, wanted[i]),
                "look": asking.get_feature_flag("look", id, **arguments),
                "payload": asking.get_feature_flag_payload("look", id, **arguments),
            }
        )

    computing = Client(
        given["token"],
        host=given["host"],
        personal_api_key=given["personal"],
        poll_interval=600,
        send=False,
        **patience,
    )
    computing.load_feature_flags()
    for person in people:
        report["local"].append(computing.get_all_flags(person["distinct_id"], only_evaluate_locally=True, **arguments_of(person)))
    for i, person in enumerate(people[:60]):
        report["both"].append(all_flags(computing, person, wanted[i]))
    report["remote_config"] = computing.get_remote_config_payload("everyone")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
