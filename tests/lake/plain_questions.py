"""Questions answered slowly and plainly from the month's events, in the numbers of PostHog's answers.

    asked = Asked(month.events, zone="Europe/Berlin", since=date(2026, 10, 20), until=date(2026, 10, 28))
    trends(asked, named("$pageview"), "dau", "day")    # {breakdown value: [a number for each bucket]}

Everything is of the first project; `until` is a whole day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from month import RECORDED, Event
from plain import DAY, TEAM, sessions_of

NULL, OTHER = "$$_posthog_breakdown_null_$$", "$$_posthog_breakdown_other_$$"
PAUSE = timedelta(seconds=1800)


@dataclass
class Asked:
    events: list[Event]
    since: date
    until: date
    zone: str = "UTC"
    # As a question says them; a computation is given them as a function.
    filters: list = field(default_factory=list)

    def local(self, at: datetime) -> datetime:
        return at.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(self.zone))

    def day(self, e: Event) -> date:
        return self.local(e.at).date()

    def mine(self, keep) -> list[Event]:
        return [e for e in self.events if e.team == TEAM and e.at.year < 9000 and e.name != RECORDED and keep(e)]

    def within(self, keep) -> list[Event]:
        return [e for e in self.mine(keep) if self.since <= self.day(e) <= self.until]


def named(*names):
    return lambda e: not names or e.name in names


def both(*conditions):
    return lambda e: all(condition(e) for condition in conditions)


def begin_of(day: date, interval: str) -> date:
    """A week begins on Sunday."""
    if interval == "week":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    return day.replace(day=1) if interval == "month" else day


def axis(asked: Asked, interval: str) -> list:
    if interval == "hour":
        zone = ZoneInfo(asked.zone)
        at = datetime.combine(asked.since, time(), zone).astimezone(timezone.utc)
        end = datetime.combine(asked.until + DAY, time(), zone).astimezone(timezone.utc)
        return [at + timedelta(hours=n) for n in range(int((end - at).total_seconds() // 3600))]
    days = [asked.since + timedelta(days=n) for n in range((asked.until - asked.since).days + 1)]
    return list(dict.fromkeys(begin_of(day, interval) for day in days))


def bucket_of(asked: Asked, e: Event, interval: str):
    if interval == "hour":
        return e.at.replace(minute=0, second=0, microsecond=0, tzinfo=timezone.utc)
    return begin_of(asked.day(e), interval)


def number(events: list[Event], math: str) -> float:
    if math == "dau":
        return len({e.person for e in events})
    if math == "unique_session":
        return len({e.get("$session_id") for e in events} - {None})
    return len(events)


def trends(asked, keep, math="total", interval="day", by=None, limit=25) -> dict:
    buckets = axis(asked, interval)
    lines = defaultdict(lambda: defaultdict(list))
    for e in asked.within(keep):
        lines[(e.get(by) or NULL) if by else None][bucket_of(asked, e, interval)].append(e)
    data = {key: [number(line.get(b, []), math) for b in buckets] for key, line in lines.items()}
    if by is None:
        return data or {None: [0] * len(buckets)}
    kept = sorted(data, key=lambda key: (key == NULL, -sum(data[key]), key))
    rest = [data[key] for key in kept[limit:]]
    out = {key: data[key] for key in kept[:limit]}
    return {**out, **({OTHER: [sum(point) for point in zip(*rest)]} if rest else {})}


def active(asked, keep, days) -> list:
    seen = defaultdict(set)
    for e in asked.mine(keep):
        seen[asked.day(e)].add(e.person)
    return [len(set().union(*(seen[day - n * DAY] for n in range(days)))) for day in axis(asked, "day")]


def values(asked, keep, name, take) -> list:
    """What `take` makes of each bucket's values of a property; of copies that differ the smallest text counts."""
    found = defaultdict(list)
    for e in asked.within(keep):
        if e.least(name) is not None:
            found[asked.day(e)].append(float(e.least(name)))
    return [take(found[day]) if found[day] else 0 for day in axis(asked, "day")]


def times_a_person(asked, keep) -> list:
    counts = defaultdict(Counter)
    for e in asked.within(keep):
        counts[asked.day(e)][e.person] += 1
    return [sum(counts[day].values()) / len(counts[day]) if counts[day] else 0 for day in axis(asked, "day")]


def first_times(asked, name, keep) -> list:
    """People by the day of their first event of the name ever, if that one is kept."""
    firsts = {person: [e for e in seen if e.at == seen[0].at] for person, seen in by_person(asked.mine(named(name))).items()}
    days = Counter(asked.day(seen[0]) for seen in firsts.values() if any(keep(e) for e in seen))
    return [days[day] for day in axis(asked, "day")]


def so_far(asked, keep) -> list:
    seen, sums = set(), []
    by_day = defaultdict(set)
    for e in asked.within(keep):
        by_day[asked.day(e)].add(e.person)
    for day in axis(asked, "day"):
        seen |= by_day[day]
        sums.append(len(seen))
    return sums


def total(asked, keep, math) -> float:
    return number(asked.within(keep), math)


def by_person(events) -> dict[str, list[Event]]:
    found = defaultdict(list)
    for e in sorted(events, key=lambda e: (e.at, e.uuid)):
        found[e.person].append(e)
    return found


def ordered(seen, steps, window) -> int:
    """From each first step the earliest second one, and the earliest third after it."""
    best = 0
    for first in (e for e in seen if e.name == steps[0]):
        chain = [first]
        for name in steps[1:]:
            later = [e for e in seen if e.name == name and e not in chain and chain[-1].at <= e.at <= first.at + window]
            if not later:
                break
            chain.append(min(later, key=lambda e: e.at))
        best = max(best, len(chain))
    return best


def unordered(seen, steps, window) -> int:
    """As many different steps as lie within a window that one of them begins."""
    return max(
        (len({e.name for e in seen if e.name in steps and first.at <= e.at <= first.at + window}) for first in seen if first.name in steps),
        default=0,
    )


def funnel(asked, keep, steps, window, walk=ordered) -> list:
    reached = Counter()
    for seen in by_person(asked.within(keep)).values():
        reached.update(range(1, walk(seen, steps, window) + 1))
    return [reached[n] for n in range(1, len(steps) + 1)]


def retention(asked, keep, target, back, columns, period="day", first_time=False) -> list:
    """A row for each interval, the first and the last one whole; what lies behind the last one is 0."""
    starts = axis(asked, period)
    step = timedelta(days=7 if period == "week" else 1)
    came, returned = defaultdict(set), defaultdict(set)
    for e in asked.mine(keep):
        at = begin_of(asked.day(e), period)
        if at <= starts[-1] and e.name == target:
            came[e.person].add(at)
        if at in starts and (back is None or e.name == back):
            returned[e.person].add(at)
    if first_time:
        came = {person: {min(days)} for person, days in came.items()}
    table = []
    for start in starts:
        who = [person for person, days in came.items() if start in days]
        later = [sum(start + n * step in returned[person] for person in who) for n in range(1, columns)]
        table.append([len(who), *later])
    return table


def lifecycle(asked, keep, interval="day") -> dict:
    """Only who came back and who went: when somebody is new is for the persons' stream to say."""
    seen = defaultdict(set)
    for e in asked.mine(keep):
        seen[e.person].add(begin_of(asked.day(e), interval))
    step = timedelta(days=7 if interval == "week" else 1)
    buckets = axis(asked, interval)
    returning = [sum(b in days and b - step in days for days in seen.values()) for b in buckets]
    others = [sum(b in days and b - step not in days for days in seen.values()) for b in buckets]
    dormant = [-sum(b not in days and b - step in days for days in seen.values()) for b in buckets]
    return {"returning": returning, "begun": others, "dormant": dormant}


def stickiness(asked, keep, interval="day") -> list:
    seen = defaultdict(set)
    for e in asked.within(keep):
        seen[e.person].add(bucket_of(asked, e, interval))
    counts = Counter(len(buckets) for buckets in seen.values())
    return [counts[n] for n in range(1, len(axis(asked, interval)) + 1)]


def paths(asked, keep, item, steps=5) -> dict:
    edges = Counter()
    for seen in by_person(asked.within(keep)).values():
        visits, before = [], None
        for e in seen:
            if before is None or e.at - before >= PAUSE:
                visits.append([])
            before = e.at
            if not visits[-1] or visits[-1][-1] != item(e):
                visits[-1].append(item(e))
        for visit in visits:
            for n, edge in enumerate(zip(visit[: steps - 1], visit[1:steps]), 1):
                edges[(f"{n}_{edge[0]}", f"{n + 1}_{edge[1]}")] += 1
    return dict(edges)


def visits(asked, keep) -> list[dict]:
    """With a bounce as PostHog's web analytics has it, which screens do not count for."""
    chosen = {e.get("$session_id") for e in asked.mine(keep)}
    names = defaultdict(list)
    for e in asked.mine(named()):
        names[e.get("$session_id")].append(e.name)
    found = []
    for s in sessions_of(asked.events):
        if s["id"] not in chosen or not asked.since <= asked.local(s["began"]).date() <= asked.until:
            continue
        views, clicks = (names[s["id"]].count(name) for name in ("$pageview", "$autocapture"))
        found.append({**s, "bounce": None if not views else views == 1 and not clicks and s["seconds"] < 10})
    return found


def overview(asked, keep) -> dict:
    seen = visits(asked, keep)
    ids = {s["id"] for s in seen}
    events = [e for e in asked.within(keep) if e.get("$session_id") in ids]
    bounces = [s["bounce"] for s in seen if s["bounce"] is not None]
    return {
        "visitors": len({e.person for e in events}),
        "views": sum(e.name in ("$pageview", "$screen") for e in events),
        "sessions": len(ids),
        "session duration": sum(s["seconds"] for s in seen) / len(seen) if seen else None,
        "bounce rate": 100 * sum(bounces) / len(bounces) if bounces else None,
    }
