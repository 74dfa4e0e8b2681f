"""A seeded month of traffic of two projects: what is sent, and what it plainly means.

    month = make_month(seed=1, events=1500)
    month = make_month(seed=1, events=500_000, people=20_000)   # so many people, who come back
    month.phases     # lists of requests; a phase begins when the one before has been answered
    month.events     # every event once, as it should be counted: [Event]

People have several ids, merged in awkward orders; some requests come twice, some late, some with a
clock that is wrong. Everything is drawn from the seed.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SINCE = datetime(2026, 10, 1)
UNTIL = datetime(2026, 11, 1)
TOKENS = {1: "phc_one", 2: "phc_two"}
PAGES = ["/", "/pricing", "/docs", "/blog", "/signup", "/app"]
SOURCES = ["google", "newsletter", "hn", None, None]
BROWSERS = ["Chrome", "Firefox", "Safari", None]
PLANS = ["free", "pro", "team"]
COMPANIES = ["acme", "globex", "initech"]
MODELS = ["small-1", "large-2"]
# Of team 1: the day, the issue, and what was decided about it.
DECISIONS = [
    (4, "fp-0", {"status": "ignored", "until_people": 1_000}),
    (9, "fp-0", {"status": "resolved"}),
    (9, "fp-1", {"status": "ignored", "until_people": 3}),
    (9, "fp-2", {"status": "ignored", "until_people": 1_000, "until_occurrences": 1_000}),
    (9, "fp-3", {"status": "ignored", "until_people": 0}),
    (9, "fp-4", {"status": "reopened"}),
]
# What a recording's event is stored as.
RECORDED = "$snapshot_items"
# An event whose clock is ahead is moved to the time it was received, which is after the month.
AFTER = datetime(9999, 1, 1)


@dataclass
class Event:
    team: int
    name: str
    distinct_id: str
    at: datetime
    properties: dict
    uuid: str
    person: str = ""
    personless: bool = False
    # What it was sent with each time, where it was sent again with other properties.
    versions: list[dict] = field(default_factory=list)

    def get(self, name):
        return self.properties.get(name)

    def least(self, name):
        """As get, but the smallest text of all versions: what a question takes of copies that differ."""
        texts = [json.dumps(v[name]) for v in self.versions if name in v]
        return json.loads(min(texts)) if texts else self.get(name)


@dataclass
class Month:
    phases: list[list[list[dict]]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rejects: int = 0
    copies: int = 0
    people: dict[tuple[int, str], str] = field(default_factory=dict)


class _Person:
    """One person's requests in their order, in each phase."""

    def __init__(self, month: _Maker, team: int, number: int):
        self.m = month
        self.draw = month.draw
        self.team = team
        self.number = number
        self.user = f"user-{team}-{number}"
        self.requests: list[dict] = []
        self.late: list[dict] = []
        self.company = self.draw.choice(COMPANIES)
        self.buys = self.draw.random() < 0.4
        # Makes some events more; None for those who come but once.
        self.comes_again = None

    def event(self, name, distinct_id, at, properties, personless=False, late=False, path="/batch/"):
        stored = RECORDED if name == "$snapshot" else name
        e = Event(self.team, stored, distinct_id, at, dict(properties), self.m.new_uuid(), personless=personless)
        self.m.month.events.append(e)
        sent = dict(properties)
        if personless:
            sent["$process_person_profile"] = False
        body = {"event": name, "distinct_id": distinct_id, "uuid": e.uuid, "properties": sent,
                "timestamp": at.isoformat() + "Z"}  # fmt: skip
        (self.late if late else self.requests).append({"path": path, "body": {"api_key": TOKENS[self.team], "batch": [body]}})
        return e

    def machine(self):
        """Of the number and not drawn, so that the rest of the month stays as it is without."""
        device = ["Desktop", "Desktop", "Mobile"][self.number % 3]
        referring = ["$direct", "www.google.com", "news.ycombinator.com", "example.org", None][self.number % 5]
        medium = ["cpc", "email", None, None][self.number % 4]
        return {
            "$device_type": device,
            **({"$referring_domain": referring} if referring else {}),
            **({"utm_medium": medium, "utm_campaign": f"c{self.number % 2}"} if medium else {}),
        }

    def session(self, distinct_id, begin, personless=False, late=False):
        draw, session = self.draw, self.m.new_uuid()
        browser = draw.choice(BROWSERS)
        base = {"$session_id": session, "$lib": "web", "$host": "example.com", **self.machine()}
        if browser:
            base["$browser"] = browser
        at = begin
        source = draw.choice(SOURCES)
        flags = {"personless": personless, "late": late}
        for n in range(draw.randrange(1, 5)):
            page = draw.choice(PAGES)
            properties = {**base, "$pathname": page, "$current_url": f"https://example.com{page}"}
            if n == 0 and source:
                properties["utm_source"] = source
            self.event("$pageview", distinct_id, at, properties, **flags)
            at += timedelta(seconds=draw.choice([0, 3, 20, 300]))
            if draw.random() < 0.3:
                self.event("$autocapture", distinct_id, at, {**base, "$event_type": "click"}, **flags)
        if draw.random() < 0.2:
            vitals = {f"$web_vitals_{k}_value": draw.randrange(1, 4000) + 0.5 for k in ("LCP", "INP", "FCP", "CLS")}
            self.event("$web_vitals", distinct_id, at, {**base, **vitals}, **flags)
        if draw.random() < 0.2:
            kind = draw.randrange(3)
            thrown = {"$exception_fingerprint": f"fp-{kind}",
                      "$exception_list": [{"type": f"Error{kind}", "value": f"broke {draw.randrange(2)}"}]}  # fmt: skip
            self.event("$exception", distinct_id, at, {**base, **thrown}, **flags)
        if draw.random() < 0.15 and not personless:
            for n in range(2):
                data = [{"type": 3, "data": {"n": n}, "timestamp": 1}]
                recording = {"$session_id": session, "$window_id": "w1", "$snapshot_data": data}
                self.event("$snapshot", distinct_id, at + timedelta(seconds=n), recording, path="/s/", late=late)
        return at, base

    def identify(self, distinct_id, anonymous, at):
        self.event("$identify", distinct_id, at, {"$anon_distinct_id": anonymous, "$set": {"name": distinct_id}})
        self.m.unite(self.team, distinct_id, anonymous)

    def make(self):
        draw = self.draw
        at = SINCE + timedelta(seconds=draw.randrange(20 * 86400))
        anonymous = f"anon-{self.team}-{self.number}"
        kind = draw.random()
        if kind < 0.15:
            return self.make_server(at)
        if kind < 0.3:
            return self.make_phone(at)
        personless = draw.random() < 0.3
        at, base = self.session(anonymous, at, personless)
        if draw.random() < 0.7:
            self.identify(self.user, anonymous, at)
            self.event("signed_up", self.user, at + timedelta(seconds=5), {**base, "plan": draw.choice(PLANS)})
            self.after_sign_up(at + timedelta(seconds=9))
            self.comes_again = self.visit
        if draw.random() < 0.3:
            # Sent last of all, though it happened first.
            self.session(anonymous, at - timedelta(days=draw.randrange(1, 9), seconds=77), personless, late=True)

    def visit(self):
        """One more session of somebody who has signed up."""
        draw = self.draw
        at, _ = self.session(self.user, UNTIL - timedelta(seconds=draw.randrange(3600, 9 * 86400)))
        if self.buys and draw.random() < 0.5:
            self.event("purchase", self.user, at + timedelta(seconds=1),
                       {"plan": draw.choice(PLANS), "revenue": draw.randrange(1, 200) + 0.25})  # fmt: skip

    def after_sign_up(self, at):
        draw = self.draw
        self.event("$feature_flag_called", self.user, at,
                   {"$feature_flag": "checkout", "$feature_flag_response": draw.choice(["control", "test"])})  # fmt: skip
        if draw.random() < 0.1:
            self.event("$feature_flag_called", self.user, at + timedelta(seconds=3),
                       {"$feature_flag": "checkout", "$feature_flag_response": draw.choice(["control", "test"])})  # fmt: skip
        for _ in range(draw.randrange(0, 4)):
            at += timedelta(days=draw.randrange(0, 9), seconds=draw.randrange(1, 5000))
            at = min(at, UNTIL - timedelta(seconds=draw.randrange(1, 3600)))
            at, _ = self.session(self.user, at)
            if self.buys:
                groups = {"$groups": {"company": self.company}, "$group_0": self.company}
                bought = {"plan": draw.choice(PLANS), "revenue": draw.randrange(1, 200) + 0.25, **groups}
                e = self.event("purchase", self.user, at + timedelta(seconds=1), bought)
                self.maybe_copied(e)
        if draw.random() < 0.4:
            # A second device: its ids are somebody of their own until they sign in.
            device = f"device-{self.team}-{self.number}"
            at, _ = self.session(device, at - timedelta(days=1, seconds=draw.randrange(600)))
            self.identify(self.user, device, at)
        if draw.random() < 0.3:
            # An alias that was somebody before.
            other = f"alias-{self.team}-{self.number}"
            self.event("server event", other, at, {"$lib": "posthog-node"})
            self.event("$create_alias", self.user, at + timedelta(seconds=1), {"alias": other})
            self.m.unite(self.team, self.user, other)
            self.event("server event", other, at + timedelta(seconds=2), {"$lib": "posthog-node"})

    def maybe_copied(self, e):
        """Sends an event again: as it was, with a drifted clock, or corrected."""
        draw = self.draw
        how = draw.random()
        if how > 0.5:
            return
        properties, at = dict(e.properties), e.at
        e.versions.append(dict(properties))
        if how < 0.15:
            at += timedelta(seconds=30)
            properties["revenue"] = 1.0
        elif how < 0.3:
            properties["revenue"] = e.properties["revenue"] = draw.randrange(1, 200) + 0.75
        self.m.month.copies += 1
        e.versions.append(dict(properties))
        body = {"event": e.name, "distinct_id": e.distinct_id, "uuid": e.uuid, "properties": properties,
                "timestamp": at.isoformat() + "Z"}  # fmt: skip
        self.m.again.append([{"path": "/batch/", "body": {"api_key": TOKENS[self.team], "batch": [body]}}])

    def make_server(self, at):
        draw = self.draw
        self.comes_again = lambda: self.calls(SINCE + timedelta(seconds=draw.randrange(29 * 86400)))
        self.calls(at)
        self.event("$groupidentify", self.user, at,
                   {"$group_type": "company", "$group_key": self.company, "$group_set": {"seats": draw.randrange(99)}})  # fmt: skip

    def calls(self, at):
        draw = self.draw
        for n in range(draw.randrange(1, 6)):
            at = min(at + timedelta(days=draw.randrange(3), seconds=n), UNTIL - timedelta(seconds=9 - n))
            call = {"$ai_model": draw.choice(MODELS), "$ai_input_tokens": draw.randrange(9000),
                    "$ai_output_tokens": draw.randrange(900), "$ai_total_cost_usd": draw.randrange(99) / 64,
                    "$lib": "posthog-python"}  # fmt: skip
            self.event("$ai_generation", self.user, at, call)

    def make_phone(self, at):
        draw, phone = self.draw, f"phone-{self.team}-{self.number}"
        self.comes_again = lambda: self.screens(phone, SINCE + timedelta(seconds=draw.randrange(30 * 86400)))
        self.screens(phone, at)
        if draw.random() < 0.3:
            # This phone's clock is days ahead, and says so in sent_at.
            ahead = Event(self.team, "from the future", phone, AFTER, {}, self.m.new_uuid())
            self.m.month.events.append(ahead)
            clock = datetime(2200, 1, 1)
            self.requests.append({"path": "/batch/", "body": {
                "api_key": TOKENS[self.team], "sent_at": clock.isoformat() + "Z",
                "batch": [{"event": ahead.name, "distinct_id": phone, "uuid": ahead.uuid,
                           "timestamp": clock.isoformat() + "Z", "properties": {}}]}})  # fmt: skip

    def screens(self, phone, at):
        draw, base = self.draw, {"$session_id": self.m.new_uuid(), "$lib": "posthog-ios", "$os": "iOS"}
        for n in range(draw.randrange(1, 4)):
            self.event("$screen", phone, at + timedelta(seconds=40 * n), {**base, "$screen_name": draw.choice(["Home", "Cart"])})


class _Maker:
    def __init__(self, seed: int):
        self.draw = random.Random(seed)
        self.month = Month()
        self.again: list[list[dict]] = []
        self._united: dict[tuple[int, str], tuple[int, str]] = {}

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.draw.getrandbits(128), version=4))

    def find(self, who):
        while who in self._united:
            who = self._united[who]
        return who

    def unite(self, team, survivor, other):
        a, b = self.find((team, survivor)), self.find((team, other))
        if a != b:
            self._united[b] = a


def make_month(seed: int, events: int, people: int | None = None) -> Month:
    """At least `events` events; of `people`, if given, else of as many as come."""
    maker = _Maker(seed)
    month = maker.month
    firsts, lasts = [], []
    number = 0
    users = {1: [], 2: []}
    returning = []
    while len(month.events) < events:
        if people is not None and number >= people:
            maker.draw.choice(returning).comes_again()
            continue
        number += 1
        team = 1 if maker.draw.random() < 0.7 else 2
        person = _Person(maker, team, number)
        person.make()
        if person.comes_again:
            returning.append(person)
        firsts.append(person.requests)
        if person.late:
            lasts.append(person.late)
        if any(r["body"]["batch"][0]["event"] == "$identify" for r in person.requests):
            users[team].append(person.user)
    refused = []
    for team, names in users.items():
        for survivor, other in zip(names[::7], names[1::7]):
            # Both are identified: PostHog refuses this merge, and so they stay two.
            e = Event(team, "$identify", survivor, UNTIL - timedelta(seconds=1), {"$anon_distinct_id": other}, maker.new_uuid())
            month.events.append(e)
            body = {"event": e.name, "distinct_id": survivor, "uuid": e.uuid, "timestamp": e.at.isoformat() + "Z",
                    "properties": {"$anon_distinct_id": other}}  # fmt: skip
            refused.append([{"path": "/batch/", "body": {"api_key": TOKENS[team], "batch": [body]}}])
    for _ in range(5):
        bad = {"event": "nobody's", "properties": {}, "timestamp": SINCE.isoformat() + "Z"}
        refused.append([{"path": "/batch/", "body": {"api_key": TOKENS[1], "batch": [bad]}}])
        month.rejects += 1
    # Nothing is drawn for these: the rest of the month is as it would be without them.
    decisions = []
    for number, (day, issue, said) in enumerate(DECISIONS):
        at = SINCE + timedelta(days=day)
        properties = {"issue": issue, **said}
        e = Event(1, "issue_status_changed", "hogflare-console", at, properties, f"00000000-0000-7000-8000-{number:012}", personless=True)
        month.events.append(e)
        body = {"event": e.name, "distinct_id": e.distinct_id, "uuid": e.uuid, "timestamp": at.isoformat() + "Z",
                "properties": {**properties, "$process_person_profile": False}}  # fmt: skip
        decisions.append({"path": "/batch/", "body": {"api_key": TOKENS[1], "batch": [body]}})
    # What came first comes again in another request, as an SDK's retry does.
    exact = maker.draw.sample([r for each in firsts for r in each], k=max(1, number // 10))
    month.copies += len(exact)
    # Corrections are the last to arrive: a retry of what they correct would take its place again.
    month.phases = [firsts, lasts, [*refused, decisions], [[r] for r in exact], maker.again]
    for e in month.events:
        e.person = "/".join(map(str, maker.find((e.team, e.distinct_id))))
        month.people[(e.team, e.distinct_id)] = e.person
    return month
