"""Tables, lists, errors and experiments answered slowly and plainly from the month's events.

    asked = Asked(month.events, zone="UTC", since=date(2026, 10, 1), until=date(2026, 10, 31))
    table(asked, named(), page, with_bounce=True)    # [[value, visitors, views, bounce rate]]

People are called what the month calls them (Event.person).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from urllib.parse import urlsplit

from month import RECORDED, Event
from plain import TEAM
from plain_questions import Asked, both, by_person, named

VIEWS = ("$pageview", "$screen")


# Visits.


@dataclass
class Visit:
    """Of several events at one time the smallest text is the first and the largest the last."""

    id: str
    events: list[Event]

    @property
    def began(self) -> datetime:
        return min(e.at for e in self.events)

    @property
    def ended(self) -> datetime:
        return max(e.at for e in self.events)

    @property
    def seconds(self) -> int:
        return int((self.ended - self.began).total_seconds())

    @property
    def pageviews(self) -> int:
        return sum(e.name == "$pageview" for e in self.events)

    @property
    def bounce(self) -> bool | None:
        if not self.pageviews:
            return None
        return self.pageviews == 1 and not any(e.name == "$autocapture" for e in self.events) and self.seconds < 10

    def first(self, name):
        return min(((e.at, e.get(name)) for e in self.events if e.get(name)), default=(None, None))[1]

    def last(self, name):
        return max(((e.at, e.get(name)) for e in self.events if e.get(name)), default=(None, None))[1]


def visits_of(asked: Asked) -> dict[str, Visit]:
    """All of them, whenever they were."""
    found = defaultdict(list)
    for e in asked.mine(named()):
        if e.get("$session_id"):
            found[e.get("$session_id")].append(e)
    return {id: Visit(id, events) for id, events in found.items()}


def hits_by_visit(asked: Asked, keep) -> list[tuple[Visit, list[Event]]]:
    """The chosen events of the span by their visits, of those that began in it."""
    visits, hits = visits_of(asked), defaultdict(list)
    for e in asked.within(keep):
        if e.get("$session_id"):
            hits[e.get("$session_id")].append(e)
    chosen = [(visits[id], sorted(seen, key=lambda e: e.at)) for id, seen in hits.items()]
    return [(visit, seen) for visit, seen in chosen if asked.since <= asked.local(visit.began).date() <= asked.until]


def path_of(url: str | None) -> str | None:
    return urlsplit(url).path if url else None


def page(hit: Event, visit: Visit):
    return hit.get("$pathname")


def of_event(name):
    return lambda hit, visit: hit.get(name)


def of_visit(name):
    return lambda hit, visit: visit.first(name)


def entry(hit, visit):
    return path_of(visit.first("$current_url"))


def leaving(hit, visit):
    return path_of(visit.last("$current_url"))


def campaign(hit, visit):
    source = visit.first("utm_source") or visit.first("$referring_domain") or "(none)"
    return f"{source} / {visit.first('utm_medium') or '(none)'} / {visit.first('utm_campaign') or '(none)'}"


SEARCH, SOCIAL = ("google", "www.google.com"), ("hn", "news.ycombinator.com")


def channel_of(source, medium, domain) -> str:
    """PostHog's rules for what the month's visits come from: the source says it, else the medium, else the domain."""

    def kind(name):
        return "Search" if name in SEARCH else "Social" if name in SOCIAL else None

    if medium == "cpc":
        return f"Paid {kind(source) or kind(domain) or 'Unknown'}"
    if domain == "$direct" and not medium and not source:
        return "Direct"
    if source == "newsletter":
        return "Email"
    if kind(source):
        return f"Organic {kind(source)}"
    if medium == "email":
        return "Email"
    if kind(domain):
        return f"Organic {kind(domain)}"
    return "Direct" if domain == "$direct" else "Referral" if domain else "Unknown"


def channel(hit, visit):
    return channel_of(visit.first("utm_source"), visit.first("utm_medium"), visit.first("$referring_domain"))


def table(asked: Asked, keep, value_of, keeps_missing=False, with_bounce=False, order=("visitors", True)) -> list[list]:
    """Each value's visitors, views and bounce rate, ordered by a column, falling or not."""
    people, views, bounces = defaultdict(set), Counter(), defaultdict(list)
    for visit, hits in hits_by_visit(asked, both(keep, named(*VIEWS))):
        by_value = defaultdict(list)
        for hit in hits:
            by_value[value_of(hit, visit) or ""].append(hit)
        for value, seen in by_value.items():
            if not value and not keeps_missing:
                continue
            people[value].add(seen[0].person)
            views[value] += len(seen)
            # A page's rate is of the visits that began on it.
            if visit.bounce is not None and (value_of is not page or entry(None, visit) == value):
                bounces[value].append(visit.bounce)
    column, falls = order

    def place(value):
        visitors, seen = len(people[value]), views[value]
        first, second = (seen, visitors) if column == "views" else (visitors, seen)
        return (-first if falls else first, -second, value)

    rows = []
    for value in sorted(views, key=place):
        rate = sum(bounces[value]) / len(bounces[value]) if bounces[value] else None
        rows.append([value or None, len(people[value]), views[value], *([rate] if with_bounce else [])])
    return rows


def compared(rows: list[list], before: list[list]) -> list[list]:
    """Numbers as [now, before]; what was not there before is 0, but a rate is none."""
    was = {row[0]: row for row in before}
    out = []
    for value, *numbers in rows:
        old = was.get(value, [value, 0, 0, None])
        out.append([value, *([number, old[n]] for n, number in enumerate(numbers, 1))])
    return out


def visitors(asked: Asked, keep, value_of=None, value=None) -> list[str]:
    people = set()
    for visit, hits in hits_by_visit(asked, both(keep, named(*VIEWS))):
        people |= {hit.person for hit in hits if value_of is None or value_of(hit, visit) == value}
    return sorted(people)


def goals(asked: Asked, keep, event) -> dict:
    seen = hits_by_visit(asked, both(keep, named(*VIEWS, event)))
    people = {hits[0].person for _, hits in seen}
    reached = [(hits[0].person, sum(hit.name == event for hit in hits)) for _, hits in seen]
    unique = {person for person, n in reached if n}
    return {
        "visitors": len(people),
        "total conversions": sum(n for _, n in reached),
        "unique conversions": len(unique),
        "conversion rate": 100 * len(unique) / len(people) if people else None,
    }


def sessions(asked: Asked, keep) -> list[dict]:
    """The newest first."""
    rows = [
        {
            "session_id": visit.id,
            "person_id": hits[0].person,
            "start": visit.began,
            "end": visit.began + timedelta(seconds=visit.seconds),
            "duration_s": visit.seconds,
            "pageviews": visit.pageviews,
            "entry_url": visit.first("$current_url"),
            "exit_url": visit.last("$current_url"),
            "is_bounce": visit.bounce,
        }
        for visit, hits in hits_by_visit(asked, keep)
    ]
    rows.sort(key=lambda row: row["session_id"])
    return sorted(rows, key=lambda row: row["start"], reverse=True)


# Events and people.


def events(asked: Asked, keep, after: datetime, before: datetime, order=None) -> list[Event]:
    """Those between the two, which are not of them; the newest first."""
    found = [e for e in asked.mine(keep) if after < e.at < before]
    found.sort(key=lambda e: e.uuid)
    return sorted(found, key=order or (lambda e: -e.at.timestamp()))


def people(events: list[Event]) -> dict[str, list[str]]:
    """Everybody with a person's row, and their ids: whose events say nothing of a person has none until merged."""
    ids, alone = defaultdict(set), set()
    for e in events:
        if e.team == TEAM:
            ids[e.person].add(e.distinct_id)
            alone |= set() if e.personless else {e.person}
    return {person: sorted(own) for person, own in ids.items() if len(own) > 1 or person in alone}


# Errors.


@dataclass
class Issue:
    id: str
    events: list[Event]

    def row(self, since: datetime, until: datetime, bins: int) -> dict:
        thrown = max((e.at, e.get("$exception_list")[0]["type"], e.get("$exception_list")[0]["value"]) for e in self.events)
        volume = [0] * bins
        for e in self.events:
            share = (e.at - since) / (until - since) * bins
            volume[max(math.ceil(share) - 1, 0)] += 1
        return {
            "id": self.id,
            "name": thrown[1],
            "description": max((e.at, e.get("$exception_list")[0]["value"]) for e in self.events)[1],
            "first_seen": min(e.at for e in self.events),
            "last_seen": max(e.at for e in self.events),
            "occurrences": len(self.events),
            "users": len({e.person for e in self.events}),
            "sessions": len({e.get("$session_id") for e in self.events} - {None}),
            "volume": volume,
        }


def issues(asked: Asked, keep, since: datetime, until: datetime, bins=20, order="last_seen", falls=True) -> list[dict]:
    found = defaultdict(list)
    for e in asked.mine(both(keep, named("$exception"))):
        if since <= e.at <= until:
            found[e.get("$exception_fingerprint")].append(e)
    rows = [Issue(id, seen).row(since, until, bins) for id, seen in sorted(found.items())]
    return sorted(rows, key=lambda row: row[order], reverse=falls)


# Experiments.


def exposed(asked: Asked, keep, flag, variants, since, until) -> dict[str, tuple]:
    """Each person's first moment and variant, and whether there were several."""
    calls = asked.mine(both(keep, lambda e: e.name == "$feature_flag_called" and e.get("$feature_flag") == flag))
    seen = defaultdict(list)
    for e in calls:
        if e.get("$feature_flag_response") in variants and since <= e.at <= until:
            seen[e.person].append((e.at, e.get("$feature_flag_response")))
    return {person: (*min(each), len({variant for _, variant in each}) > 1) for person, each in seen.items()}


def mean_of(hits: list[Event], math_name, name) -> float:
    if math_name == "unique_session":
        return len({e.get("$session_id") for e in hits} - {None})
    if math_name == "dau":
        return 1 if hits else 0
    if math_name == "total":
        return len(hits)
    values = [float(e.least(name)) for e in hits if e.least(name) is not None]
    if not values:
        return 0
    return {"sum": sum(values), "avg": sum(values) / len(values), "min": min(values), "max": max(values)}[math_name]


def steps_done(hits: list[Event], steps: list[str]) -> float:
    """Whether all were taken in their order: the earliest next one is always the best."""
    at = None
    left = sorted(hits, key=lambda e: (e.at, e.uuid))
    for step in steps:
        taken = next((e for e in left if e.name == step and (at is None or e.at >= at)), None)
        if taken is None:
            return 0
        left.remove(taken)
        at = taken.at
    return 1


def readout(asked: Asked, keep, x: dict, value_of) -> dict:
    """number_of_samples, sum and sum_squares of each variant; `value_of` is of a person's events in time."""
    seen = exposed(asked, keep, x["flag"], x["variants"], x["since"], x["until"])
    acts = by_person(asked.mine(lambda e: x["since"] <= e.at <= x["until"] + x.get("window", timedelta())))
    arms = {variant: [] for variant in x["variants"]}
    multiple = 0
    for person, (first, variant, is_multiple) in seen.items():
        if is_multiple and not x.get("keeps_first"):
            multiple += 1
            continue
        hits = [e for e in acts[person] if e.at >= first and (e.at < first + x["window"] if "window" in x else e.at <= x["until"])]
        arms[variant].append(value_of(hits))
    sums = {variant: (len(values), sum(values), sum(v * v for v in values)) for variant, values in arms.items()}
    return {"arms": sums, "multiple": multiple}


def bayesian(control, test, proportion, decrease=False) -> dict:
    """PostHog's: a Gaussian of the relative difference by the delta method, with a flat prior."""

    def moments(arm):
        n, total, squares = arm
        mean = total / n
        return n, mean, mean * (1 - mean) if proportion else (squares - n * mean * mean) / (n - 1)

    (n0, m0, v0), (n1, m1, v1) = moments(control), moments(test)
    lift = (m1 - m0) / m0
    deviation = math.sqrt(v1 / n1 / m0**2 + v0 / n0 * m1**2 / m0**4)
    chance = NormalDist().cdf(lift / deviation)
    chance = 1 - chance if decrease else chance
    z = NormalDist().inv_cdf(0.975)
    return {
        "lift": lift,
        "chance_to_win": chance,
        "credible_interval": [lift - z * deviation, lift + z * deviation],
        "significant": chance > 0.95 or chance < 0.05,
    }


# Recordings.


def recordings(asked: Asked, since: datetime, only=None) -> list[dict]:
    """Visits with parts of a recording, by everything that happened in them."""
    found = defaultdict(list)
    for e in asked.events:
        if e.team == TEAM and e.get("$session_id") and since <= e.at and e.at.year < 9000:
            found[e.get("$session_id")].append(e)
    rows = []
    for id, seen in found.items():
        parts = [e for e in seen if e.name == RECORDED]
        if not parts or (only and id not in only):
            continue
        rows.append(
            {
                "id": id,
                "start_time": min(e.at for e in seen),
                "end_time": max(e.at for e in seen),
                "recording_duration": int((max(e.at for e in seen) - min(e.at for e in seen)).total_seconds()),
                "parts": len(parts),
                "pageviews": sum(e.name == "$pageview" for e in seen),
                "exceptions": sum(e.name == "$exception" for e in seen),
                "distinct_id": max(e.distinct_id for e in seen),
            }
        )
    rows.sort(key=lambda row: row["id"])
    return sorted(rows, key=lambda row: row["end_time"], reverse=True)


def parts(asked: Asked, session: str) -> list[Event]:
    return sorted((e for e in asked.events if e.name == RECORDED and e.get("$session_id") == session), key=lambda e: (e.at, e.uuid))
