"""What each recipe must answer, computed slowly and plainly from what was sent.

ANSWERS["active_people"](events)    # rows as tuples; order does not matter
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import datetime, timedelta

from month import RECORDED, SINCE, UNTIL, Event

DAY = timedelta(days=1)
TEAM = 1


def day_of(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def mine(events: list[Event], name: str | None = None) -> list[Event]:
    return [e for e in events if e.team == TEAM and SINCE <= e.at < UNTIL and (e.name != RECORDED if name is None else e.name == name)]


def active_people(events):
    days = defaultdict(set)
    for e in events:
        if e.team == TEAM and e.at < UNTIL and e.name != RECORDED:
            days[day_of(e.at)].add(e.person)

    def within(day, length):
        return len(set().union(*(days.get(day - n * DAY, set()) for n in range(length))))

    return [(d, within(d, 1), within(d, 7), within(d, 30)) for d in days if d >= SINCE]


def trends(events):
    counts, people = Counter(), defaultdict(set)
    for e in mine(events, "$pageview"):
        key = (day_of(e.at), e.get("$browser") or "(none)")
        counts[key] += 1
        people[key].add(e.person)
    return [(*key, n, len(people[key])) for key, n in counts.items()]


def by_person(events) -> dict[str, list[Event]]:
    found = defaultdict(list)
    for e in events:
        found[e.person].append(e)
    return found


def steps_reached(seen: list[Event], window: int) -> int:
    """How far a person came: from each first step the earliest second one, and the earliest third after it."""
    moments = {name: sorted(e.at for e in seen if e.name == name) for name in ("$pageview", "signed_up", "purchase")}

    def earliest(name, since, until):
        i = bisect_left(moments[name], since)
        return moments[name][i] if i < len(moments[name]) and moments[name][i] <= until else None

    best = 0
    for began in moments["$pageview"]:
        end = began + timedelta(seconds=window)
        second = earliest("signed_up", began, end)
        third = earliest("purchase", second, end) if second else None
        best = max(best, 3 if third else 2 if second else 1)
    return best


def funnel(events, window=604800):
    reached = Counter()
    for seen in by_person(mine(events)).values():
        reached.update(range(1, steps_reached(seen, window) + 1))
    return list(reached.items())


def retention(events):
    weeks = defaultdict(set)
    for e in mine(events):
        day = day_of(e.at)
        weeks[e.person].add(day - timedelta(days=day.weekday()))
    counts = Counter()
    for seen in weeks.values():
        for week in seen:
            counts[(min(seen), (week - min(seen)).days // 7)] += 1
    return [(*key, n) for key, n in counts.items()]


def lifecycle(events):
    days = defaultdict(set)
    for e in events:
        if e.team == TEAM and e.at < UNTIL and e.name != RECORDED:
            days[e.person].add(day_of(e.at))
    counts = Counter()
    for seen in days.values():
        for day in seen:
            if day == min(seen):
                counts[(day, "new")] += 1
            else:
                counts[(day, "returning" if day - DAY in seen else "resurrecting")] += 1
            if day + DAY not in seen:
                counts[(day + DAY, "dormant")] += 1
    return [(*key, n) for key, n in counts.items() if SINCE <= key[0] < UNTIL]


def stickiness(events):
    days = defaultdict(set)
    for e in mine(events):
        days[e.person].add(day_of(e.at))
    return list(Counter(len(seen) for seen in days.values()).items())


def paths(events):
    by_session = defaultdict(list)
    for e in mine(events, "$pageview"):
        by_session[e.get("$session_id")].append((e.at, e.uuid, e.get("$pathname")))
    counts = Counter()
    for views in by_session.values():
        ordered = [page for _, _, page in sorted(views)]
        counts.update(zip(ordered, ordered[1:]))
    return [(*key, n) for key, n in counts.items()]


def sessions_of(events) -> list[dict]:
    by_session = defaultdict(list)
    for e in events:
        if e.team == TEAM and e.get("$session_id") and e.name != RECORDED:
            by_session[e.get("$session_id")].append(e)
    found = []
    for session, seen in by_session.items():
        seen.sort(key=lambda e: (e.at, e.uuid))
        pages = [e for e in seen if e.name in ("$pageview", "$screen")]
        seconds = (seen[-1].at - seen[0].at).total_seconds()
        clicks = sum(e.name == "$autocapture" for e in seen)
        named = [e.get("$pathname") or e.get("$screen_name") for e in pages]
        found.append(
            {
                "id": session,
                "person": seen[-1].person,
                "began": seen[0].at,
                "ended": seen[-1].at,
                "seconds": seconds,
                "events": len(seen),
                "pages": len(pages),
                "entry": named[0] if named else None,
                "exit": named[-1] if named else None,
                "utm": pages[0].get("utm_source") if pages else None,
                "bounce": (len(pages) <= 1 and not clicks and seconds < 10) if pages else None,
            }
        )
    return found


def sessions_by_day(events):
    by_day = defaultdict(list)
    for s in sessions_of(events):
        if SINCE <= s["began"] < UNTIL:
            by_day[day_of(s["began"])].append(s)
    rows = []
    for day, seen in by_day.items():
        bounces = [s["bounce"] for s in seen if s["bounce"] is not None]
        rate = sum(bounces) / len(bounces) if bounces else None
        rows.append((day, len(seen), sum(s["seconds"] for s in seen) / len(seen), rate))
    return rows


def session_pages(events):
    chosen = [s for s in sessions_of(events) if SINCE <= s["began"] < UNTIL and s["entry"]]
    entries, exits = Counter(s["entry"] for s in chosen), Counter(s["exit"] for s in chosen)
    return [(page, entries[page], exits[page]) for page in entries | exits]


def attribution(events):
    converted = {}
    for e in mine(events, "purchase"):
        converted[e.person] = min(converted.get(e.person, e.at), e.at)
    counts = Counter()
    seen = by_person(e for e in events if e.team == TEAM and e.get("utm_source"))
    for person, at in converted.items():
        touches = sorted((e.at, e.uuid, e.get("utm_source")) for e in seen[person] if e.at <= at)
        counts[("first", touches[0][2] if touches else "(none)")] += 1
        counts[("last", touches[-1][2] if touches else "(none)")] += 1
    return [(*key, n) for key, n in counts.items()]


def revenue(events):
    sums, counts, people = Counter(), Counter(), defaultdict(set)
    for e in mine(events, "purchase"):
        plan = e.get("plan")
        sums[plan] += e.get("revenue")
        counts[plan] += 1
        people[plan].add(e.person)
    return [(plan, sums[plan], counts[plan], len(people[plan])) for plan in counts]


def group_activity(events):
    counts, people, last = Counter(), defaultdict(set), {}
    for e in mine(events):
        company = (e.get("$groups") or {}).get("company")
        if company := company or e.get("$group_key"):
            counts[company] += 1
            people[company].add(e.person)
            last[company] = max(last.get(company, e.at), e.at)
    return [(c, counts[c], len(people[c]), last[c]) for c in counts]


def exposures(events, flag="checkout") -> dict[str, tuple]:
    """person -> (first variant, first moment, exposures, whether several variants were seen)."""
    seen = defaultdict(list)
    for e in events:
        if e.team == TEAM and e.name == "$feature_flag_called" and e.get("$feature_flag") == flag:
            seen[e.person].append((e.at, e.uuid, e.get("$feature_flag_response")))
    return {person: (min(s)[2], min(s)[0], len(s), len({variant for *_, variant in s}) > 1) for person, s in seen.items()}


def experiment(events):
    people, converted = Counter(), Counter()
    bought = by_person(mine(events, "purchase"))
    for person, (variant, at, _, is_multiple) in exposures(mine(events)).items():
        if is_multiple:
            continue
        people[variant] += 1
        converted[variant] += any(e.at >= at for e in bought[person])
    return [(v, people[v], converted[v], converted[v] / people[v]) for v in people]


def errors(events):
    seen = defaultdict(list)
    for e in events:
        if e.team == TEAM and e.name == "$exception":
            seen[e.get("$exception_fingerprint")].append(e)
    rows = []
    for fingerprint, each in seen.items():
        each.sort(key=lambda e: (e.at, e.uuid))
        latest = each[-1].get("$exception_list")[0]
        people, sessions = {e.person for e in each}, {e.get("$session_id") for e in each}
        rows.append((fingerprint, latest["type"], latest["value"], len(each), len(people), len(sessions), each[0].at, each[-1].at))  # fmt: skip
    return rows


def issue_status(events):
    """What holds of each issue of the project, and what met it since: the view has no range."""
    ours = [e for e in events if e.team == TEAM]
    decisions = [e for e in ours if e.name == "issue_status_changed"]
    newest = {}
    for e in sorted(decisions, key=lambda e: e.at):
        if e.get("status") in ("active", "resolved", "ignored"):
            newest[e.get("issue")] = e
    rows = []
    for issue, said in newest.items():
        since = [e for e in ours if e.name == "$exception" and e.get("$exception_fingerprint") == issue and e.at > said.at]
        people = len({e.person for e in since})
        bounds = [said.get(name) if (said.get(name) or 0) >= 1 else None for name in ("until_people", "until_occurrences")]
        over = said.get("status") == "resolved" and since
        if said.get("status") == "ignored":
            over = any(bound is not None and n >= bound for bound, n in zip(bounds, (people, len(since))))
        status = "active" if over else said.get("status")
        rows.append((issue, status, said.get("status"), said.at, *bounds, people, len(since)))
    return rows


def percentile(values: list[float], part: float) -> float | None:
    if not values:
        return None
    values = sorted(values)
    at = (len(values) - 1) * part
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def web_vitals(events):
    rows = []
    for metric in ("LCP", "INP", "FCP", "CLS"):
        values = [e.get(f"$web_vitals_{metric}_value") for e in mine(events, "$web_vitals")]
        rows.append((metric, percentile(values, 0.75), percentile(values, 0.9), len(values), 0))
    return rows


def ai_cost(events):
    by_model = defaultdict(list)
    for e in mine(events, "$ai_generation"):
        by_model[e.get("$ai_model")].append(e)
    names = ("$ai_input_tokens", "$ai_output_tokens", "$ai_total_cost_usd")
    return [
        (model, len(calls), *(sum(e.get(n) for e in calls) for n in names), len({e.person for e in calls}), 0)
        for model, calls in by_model.items()
    ]


ANSWERS = {
    f.__name__: f
    for f in (
        active_people, trends, funnel, retention, lifecycle, stickiness, paths, sessions_by_day,
        session_pages, attribution, revenue, group_activity, experiment, errors, web_vitals, ai_cost,
    )
}  # fmt: skip
