"""The other questions over the month, as test_questions.py has the insights: tables of web analytics, visits, events,
people and who is behind a number, errors, experiments, SQL, and what the console and the API ask for themselves.

Each kind in at least twelve variants, in DuckDB and in the Basin SQL stand-in, against plain Python over what was sent.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone

import plain_lists as computed
import plain_questions as numbers
import pytest
from asking import BOUGHT, FILTERS, SIGNED, SPANS, VIEW, answer_of, node, prop
from conftest import IS_LARGE
from month import RECORDED, SINCE, UNTIL
from plain import DAY, TEAM, issue_status
from plain_questions import Asked, both, named


@dataclass
class Case:
    """A question, what of its answer is compared, and with what."""

    question: dict
    read: object
    # Or a function of what was read, where a page has as many of them as fit.
    expected: object
    # Members that every question of a span gets otherwise.
    has_dates: bool = True
    has_filters: bool = True
    project: dict = field(default_factory=dict)


class Names:
    """What the month calls the people of the tables, by the newest row of each of their ids."""

    def __init__(self, system):
        newest = {}
        for row in system.rows("distinct_ids", "team_id", "distinct_id", "person_id", "version"):
            key = (row["team_id"], row["distinct_id"])
            newest[key] = max(newest.get(key, (-1, "")), (row["version"], row["person_id"]))
        self.of = {person: system.month.people[key] for key, (_, person) in newest.items()}
        rows = system.rows("events", "team_id", "distinct_id", "person_id")
        # Who was never merged, and has no person's row, is who the event's row says.
        for row in rows:
            key = (row["team_id"], row["distinct_id"])
            if key not in newest and row["person_id"]:
                self.of[row["person_id"]] = system.month.people[key]
        self.id_of = {name: person for person, name in self.of.items()}

    def all(self, persons) -> list[str]:
        return sorted(self.of[person] for person in persons)


@pytest.fixture(scope="session")
def names(system):
    return Names(system)


def moment(text: str | None):
    return text and datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)


def text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc(asked: Asked, day: date) -> datetime:
    """When a day begins in the zone."""
    return datetime.combine(day, time(), numbers.ZoneInfo(asked.zone)).astimezone(timezone.utc).replace(tzinfo=None)


# Tables of web analytics.


def table_variant(by, value_of, bounce=False, keeps_missing=False, order=None, limit=100, offset=0, compare=False):
    def ask(asked, keep, names):
        question = {"kind": "WebStatsTableQuery", "breakdownBy": by, "includeBounceRate": bounce, "limit": limit, "offset": offset}
        column = ("visitors", True) if order is None else order
        if order:
            question["orderBy"] = [order[0], "DESC" if order[1] else "ASC"]
        rows = computed.table(asked, keep, value_of, keeps_missing, bounce, column)
        before = []
        if compare:
            question["compareFilter"] = {"compare": True}
            days = asked.until - asked.since + DAY
            earlier = replace(asked, since=asked.since - days, until=asked.until - days)
            before = computed.table(earlier, keep, value_of, keeps_missing, bounce, column)

        def read(answer):
            if compare:
                return [[row[0], *row[1:]] for row in answer["results"]], answer["hasMore"]
            assert all(pair[1] is None for row in answer["results"] for pair in row[1:])
            return [[row[0], *(pair[0] for pair in row[1:])] for row in answer["results"]], answer["hasMore"]

        has_more = len(rows) > offset + limit
        rows = rows[offset : offset + limit]
        return Case(question, read, (computed.compared(rows, before) if compare else rows, has_more))

    return ask


def goal_variant(event):
    def ask(asked, keep, names):
        question = {"kind": "WebOverviewQuery", "conversionGoal": {"customEventName": event}}
        return Case(question, lambda answer: {each["key"]: each["value"] for each in answer["results"]}, computed.goals(asked, keep, event))

    return ask


def sessions_variant(limit=100, offset=0):
    def ask(asked, keep, names):
        rows = computed.sessions(asked, keep)

        def read(answer):
            of = [
                {**row, "person_id": names.of[row["person_id"]], "start": moment(row["start"]), "end": moment(row["end"])}
                for row in answer["results"]
            ]
            return of, answer["hasMore"]

        expected = (rows[offset : offset + limit], len(rows) > offset + limit)
        return Case({"kind": "SessionsQuery", "limit": limit, "offset": offset}, read, expected)

    return ask


# Events.


def of_event(e, names):
    return {"distinct_id": e.distinct_id, "event": e.name, "person_id": names.id_of[e.person], "timestamp": text_of(e.at), "uuid": e.uuid}


def sent(e) -> list[str]:
    """Names whose values are as they were sent: what the edge knows is set too, and copies may differ in their revenue."""
    return [name for name in e.properties if name not in ("$set", "$groups") and not (name == "revenue" and e.versions)]


COLUMNS = {
    "event": lambda e, names: e.name,
    "distinct_id": lambda e, names: e.distinct_id,
    "uuid": lambda e, names: e.uuid,
    "timestamp": lambda e, names: text_of(e.at),
    "person_id": lambda e, names: names.id_of[e.person],
    "person": lambda e, names: (names.id_of[e.person], names.id_of[e.person], e.distinct_id),
    "*": lambda e, names: (of_event(e, names), {name: e.get(name) for name in sent(e)}),
    "properties.$browser": lambda e, names: e.get("$browser"),
    "properties.$pathname": lambda e, names: e.get("$pathname"),
    "properties.plan": lambda e, names: e.get("plan"),
    "properties.revenue": lambda e, names: e.least("revenue"),
    "person.properties.name": lambda e, names: e.distinct_id,
}


def cell(name, value, e):
    """What of a cell is compared: an event has more properties than were sent."""
    if name == "person":
        return value["id"], value["uuid"], value["distinct_id"]
    if name == "*":
        properties = value["properties"]
        plain = {key: value[key] for key in ("distinct_id", "event", "person_id", "timestamp", "uuid")}
        return plain, {name: properties.get(name) for name in sent(e)}
    return value


def events_variant(select, extra=None, keeps=None, after=None, before=None, now=None, order=None, limit=100, offset=0, **project):
    """`after` and `before` are days of the span or moments; without them the last 24 hours before `now`."""

    def ask(asked, keep, names):
        given = extra(asked, names) if callable(extra) else dict(extra or {})
        keep = both(keep, keeps(asked, names)) if keeps else keep
        question = {"kind": "EventsQuery", "select": select, "limit": limit, "offset": offset, **given}
        at = moment(now) if now else datetime(2026, 11, 20, 12)
        since, until = at - DAY, at + timedelta(seconds=5)
        if after != "default":
            since, until = utc(asked, asked.since) - timedelta(microseconds=1), utc(asked, asked.until + DAY)
            question |= {"after": text_of(since), "before": text_of(until)}
        if callable(after):
            question |= (bounds := after(asked))["question"]
            since, until = bounds["since"], bounds["until"]
        rows = computed.events(asked, keep, since, until, order)
        page = rows[offset : offset + limit]

        def read(answer):
            assert answer["columns"] == select
            shown = [
                [cell(name, value, e) for name, value, e in zip(select, row, [e] * len(row))] for row, e in zip(answer["results"], page)
            ]
            return shown, len(answer["results"]), answer["hasMore"]

        expected = [[COLUMNS[name](e, names) for name in select] for e in page], len(page), len(rows) > offset + limit
        return Case(question, read, expected, has_dates=False, project={**({"now": now} if now else {}), **project})

    return ask


def between_two(asked):
    """From an event to another one, neither of which is of them."""
    seen = sorted({e.at for e in asked.within(named(VIEW))})
    since, until = seen[len(seen) // 4], seen[len(seen) // 2]
    return {"question": {"after": text_of(since), "before": text_of(until)}, "since": since, "until": until}


def days_before(first, last):
    """As relative dates of the zone's wall clock, counted from noon of 27 October."""

    def bounds(asked):
        noon = [datetime.combine(date(2026, 10, 27) - n * DAY, time(12), numbers.ZoneInfo(asked.zone)) for n in (first, last)]
        since, until = (at.astimezone(timezone.utc).replace(tzinfo=None) for at in noon)
        return {"question": {"after": f"-{first}d", "before": f"-{last}d"}, "since": since, "until": until}

    return bounds


def everything(asked):
    return {"question": {"after": "all", "before": "2026-11-01T00:00:00Z"}, "since": datetime(1970, 1, 1), "until": UNTIL}


def somebody(asked: Asked) -> str:
    """Of several ids, and with the most events."""
    ids, counts = defaultdict(set), Counter()
    for e in asked.within(named()):
        ids[e.person].add(e.distinct_id)
        counts[e.person] += 1
    return max(ids, key=lambda person: (len(ids[person]), counts[person], person))


def of_person(person: str):
    return lambda e: e.person == person


def falling(name):
    """Missing values last, as ever."""
    return lambda e: (e.get(name) is None, [-ord(c) for c in e.get(name) or ""])


ACTION = {"id": 7, "name": "read docs", "steps": [{"event": VIEW, "url": "/docs"}, {"event": SIGNED}]}


# People.


def page_among(wanted, found, limit):
    """How many of these a page holds, and whether there are more; of more than fit, those that are shown."""
    shown = wanted if len(wanted) <= limit else {person: wanted[person] for person in found if person in wanted}
    return shown, min(len(wanted), limit), len(wanted) > limit


def people_variant(keeps=lambda person, ids: True, select=("person",), limit=1000, **more):
    def ask(asked, keep, names):
        everybody = computed.people(asked.events)
        expected = {person: ids for person, ids in everybody.items() if keeps(person, ids)}

        def read(answer):
            found = {}
            for row in answer["results"]:
                cells = dict(zip(select, row))
                if "person" not in cells:
                    found[names.of[cells["id"]]] = None
                    continue
                person = cells["person"]
                found[names.of[person["id"]]] = sorted(person["distinct_ids"])
                users = [id for id in person["distinct_ids"] if id.startswith("user-") and person["properties"].get("name")]
                assert person["name"] == (users[0] if users else person["distinct_ids"][0])
            created = [dict(zip(select, row)).get("created_at") for row in answer["results"] if "created_at" in select]
            assert created == sorted(created, reverse=True)
            return found, len(answer["results"]), answer["hasMore"]

        wanted = {person: ids if "person" in select else None for person, ids in expected.items()}
        question = {"kind": "PersonsQuery", "select": list(select), "limit": limit, **more}
        return Case(question, read, lambda read: page_among(wanted, read[0], limit), has_dates=False, has_filters=False)

    return ask


def page_of_people(limit, offset):
    """A page holds so many, each of them somebody and nobody twice."""

    def ask(asked, keep, names):
        everybody = computed.people(asked.events)
        question = {"kind": "PersonsQuery", "select": ["id"], "limit": limit, "offset": offset}

        def read(answer):
            found = [names.of[row[0]] for row in answer["results"]]
            return len(found), len(set(found) & set(everybody)), answer["hasMore"]

        n = max(min(limit, len(everybody) - offset), 0)
        return Case(question, read, (n, n, len(everybody) > limit + offset), has_dates=False, has_filters=False)

    return ask


def behind(source, who, kind="InsightActorsQuery", limit=1000, **query):
    """Who is behind a point: `who` gives their names from the span and the filter."""

    def ask(asked, keep, names):
        insight = {"dateRange": {"date_from": str(asked.since), "date_to": str(asked.until)}, **source}
        if asked.filters:
            insight["properties"] = asked.filters
        question = {"kind": "ActorsQuery", "select": ["actor"], "limit": limit, "source": {"kind": kind, "source": insight, **query}}
        everybody = computed.people(asked.events)

        def read(answer):
            ids = [row[0]["id"] for row in answer["results"]]
            for row in answer["results"]:
                # Who has no row of a person has no ids there either.
                assert sorted(row[0]["distinct_ids"]) == everybody.get(names.of[row[0]["id"]], [])
            created = [row[0]["created_at"] for row in answer["results"]]
            rest = [at for at in created if at is not None]
            assert created == sorted(rest, reverse=True) + [None] * (len(created) - len(rest)), "the newest first, unknown ones last"
            return dict.fromkeys(names.all(ids)), len(ids), answer["hasMore"]

        wanted = dict.fromkeys(who(asked, keep))
        return Case(question, read, lambda read: page_among(wanted, read[0], limit), has_dates=False, has_filters=False)

    return ask


def on_day(day, *events):
    return lambda asked, keep: {e.person for e in asked.within(both(keep, named(*events))) if asked.day(e) == day}


def with_value(day, event, name, value):
    def who(asked, keep):
        return {e.person for e in asked.within(both(keep, named(event))) if asked.day(e) == day and (e.get(name) or numbers.NULL) == value}

    return who


def returning(day, event, status="returning"):
    def who(asked, keep):
        seen = defaultdict(set)
        for e in asked.mine(both(keep, named(event))):
            seen[e.person].add(asked.day(e))
        if status == "dormant":
            return {person for person, days in seen.items() if day - DAY in days and day not in days}
        return {person for person, days in seen.items() if day in days and day - DAY in days}

    return who


def so_many_days(event, n):
    def who(asked, keep):
        seen = defaultdict(set)
        for e in asked.within(both(keep, named(event))):
            seen[e.person].add(asked.day(e))
        return {person for person, days in seen.items() if len(days) == n}

    return who


def came_again(event, row, column):
    def who(asked, keep):
        seen = defaultdict(set)
        for e in asked.mine(both(keep, named(event))):
            seen[e.person].add(asked.day(e))
        first = asked.since + row * DAY
        return {person for person, days in seen.items() if {first, first + column * DAY} <= days}

    return who


def at_step(steps, window, step):
    def who(asked, keep):
        reached = {}
        for person, seen in numbers.by_person(asked.within(keep)).items():
            reached[person] = numbers.ordered(seen, steps, window)
        if step < 0:
            return {person for person, n in reached.items() if n == -step - 1}
        return {person for person, n in reached.items() if n >= step}

    return who


def on_edge(start, end):
    def who(asked, keep):
        people = set()
        for person, seen in numbers.by_person(asked.within(both(keep, named(VIEW)))).items():
            alone = replace(asked, events=seen)
            edges = numbers.paths(alone, lambda e: True, lambda e: e.get("$current_url").rstrip("/"))
            if any((start is None or edge[0] == start) and (end is None or edge[1] == end) for edge in edges):
                people.add(person)
        return people

    return who


def trend(event=VIEW, math="dau", **more):
    return {"kind": "TrendsQuery", "series": [node(event, math)], **more}


def funnel(*steps, window=14, unit="day"):
    options = {"funnelWindowInterval": window, "funnelWindowIntervalUnit": unit}
    return {"kind": "FunnelsQuery", "series": [node(step) for step in steps], "funnelsFilter": options}


def pages(start=None, end=None):
    keys = {**({"pathStartKey": start} if start else {}), **({"pathEndKey": end} if end else {})}
    return {"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": [VIEW], **keys}}


def retained(event, days):
    entity = {"id": event, "type": "events"}
    return {
        "kind": "RetentionQuery",
        "retentionFilter": {"period": "Day", "totalIntervals": days, "targetEntity": entity, "returningEntity": entity},
    }


# Errors.


def errors_variant(since=SINCE, until=UNTIL, bins=20, order=None, limit=50, offset=0, words=(), keeps=lambda row: True, **more):
    def ask(asked, keep, names):
        def said(e):
            thrown = e.get("$exception_list")[0]
            return all(word.lower() in f"{thrown['type']} {thrown['value']}".lower() for word in words)

        keep = both(keep, lambda e: e.name != "$exception" or said(e))
        rows = computed.issues(asked, keep, since, until, bins, *(order or ()))
        status = {row[0]: row for row in issue_status(asked.events)}
        for row in rows:
            row["status"], row["decision"] = "active", None
            if row["id"] in status:
                _, row["status"], said_status, at, people, occurrences, met, times = status[row["id"]]
                bounds = {"until_people": people, "until_occurrences": occurrences}
                row["decision"] = {"status": said_status, "at": at, "people": met, "occurrences": times}
                row["decision"] |= {name: bound for name, bound in bounds.items() if bound is not None}
        rows = [row for row in rows if keeps(row)]

        def read(answer):
            found = []
            for row in answer["results"]:
                sums = row["aggregations"]
                assert [bucket["value"] for bucket in sums["volume_buckets"]] == sums["volumeRange"]
                decision = row["decision"] and {**row["decision"], "at": moment(row["decision"]["at"])}
                found.append(
                    {
                        **{name: row[name] for name in ("id", "name", "description", "status")},
                        **{name: moment(row[name]) for name in ("first_seen", "last_seen")},
                        **{name: sums[name] for name in ("occurrences", "users", "sessions")},
                        "volume": sums["volumeRange"],
                        "decision": decision,
                    }
                )
            return found, answer["hasMore"]

        dates = {"date_from": since.isoformat(), "date_to": until.isoformat()}
        question = {"kind": "ErrorTrackingQuery", "dateRange": dates, "volumeResolution": bins, "limit": limit, "offset": offset, **more}
        if order:
            question |= {"orderBy": order[0], "orderDirection": "DESC" if order[1] else "ASC"}
        if words:
            question["searchQuery"] = " ".join(words)
        expected = (rows[offset : offset + limit], len(rows) > offset + limit)
        return Case(question, read, expected, has_dates=False)

    return ask


# Experiments.


def experiment_variant(
    metric, value_of, variants=("control", "test"), flag="checkout", window=None, keeps_first=False, is_funnel=False, decrease=False
):
    """The span is the experiment's; the numbers where there are people enough are PostHog's Bayesian ones."""

    def ask(asked, keep, names):
        since, until = utc(asked, asked.since), utc(asked, asked.until + DAY) - timedelta(seconds=1)
        x = {"flag": flag, "variants": variants, "since": since, "until": until, "keeps_first": keeps_first}
        if window:
            x["window"] = window
        expected = computed.readout(asked, keep, x, value_of)
        control, *others = (expected["arms"][variant] for variant in variants)
        compared = []
        for arm in others:
            few = is_funnel and any(one[1] < 5 or one[0] - one[1] < 5 for one in (arm,))
            is_shown = min(control[0], arm[0]) >= 50 and not few and control[1] != 0
            compared.append(computed.bayesian(control, arm, is_funnel, decrease) if is_shown else None)

        def read(answer):
            arms = [answer["baseline"], *answer["variant_results"]]
            sums = {arm["key"]: (arm["number_of_samples"], arm["sum"], arm["sum_squares"]) for arm in arms}
            shown = []
            for arm in answer["variant_results"]:
                names_of = ("lift", "chance_to_win", "credible_interval", "significant")
                shown.append({name: arm[name] for name in names_of} if "lift" in arm else None)
                if "lift" in arm:
                    [low, high], [wide_low, wide_high] = arm["credible_interval"], arm["sequential"]["confidence_interval"]
                    assert wide_low < low < arm["lift"] < high < wide_high
                    assert arm["sequential"]["significant"] == (wide_low > 0 or wide_high < 0)
            return nearly({"arms": sums, "multiple": answer["multiple"], "shown": shown})

        experiment = {
            "feature_flag_key": flag,
            "variants": list(variants),
            "start_date": text_of(since),
            "end_date": text_of(until),
            "multiple_variant_handling": "first_seen" if keeps_first else "exclude",
        }
        question = {"kind": "ExperimentQuery", "experiment": experiment, "metric": {"kind": "ExperimentMetric", **metric}}
        return Case(question, read, nearly({**expected, "shown": compared}), has_dates=False)

    return ask


def nearly(value):
    if isinstance(value, dict):
        return {key: nearly(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [nearly(each) for each in value]
    return round(value, 6) if isinstance(value, float) else value


def mean_metric(event, math="total", name=None, **more):
    source = {**node(event, math), **({"math_property": name} if name else {})}
    return {"metric_type": "mean", "source": source, **more}


def mean(event, math="total", name=None):
    return lambda hits: computed.mean_of([e for e in hits if event is None or e.name == event], math, name)


def funnel_metric(*steps, **more):
    return {"metric_type": "funnel", "series": [node(step) for step in steps], **more}


def done(*steps):
    return lambda hits: computed.steps_done(hits, list(steps))


# SQL, and what the console and the API ask for themselves: spans and filters say nothing there.


def sql_variant(sql, expected):
    """Rows in any order where the statement has none."""

    def ask(asked, keep, names):
        def read(answer):
            rows = [tuple(row) for row in answer["results"]]
            return rows if "ORDER BY" in sql else Counter(rows)

        rows = [tuple(row) for row in expected(asked)]
        own = {"one_team_only": True}
        question = {"kind": "HogQLQuery", "query": sql}
        return Case(question, read, rows if "ORDER BY" in sql else Counter(rows), False, False, own)

    return ask


def stored(asked):
    """Of the project, recordings and future ones too."""
    return [e for e in asked.events if e.team == TEAM]


def counted(asked, key, keeps=lambda e: True):
    return Counter(key(e) for e in stored(asked) if keeps(e))


def recordings_variant(hours=744, limit=100, only=None, now="2026-11-01T00:00:00Z"):
    def ask(asked, keep, names):
        ids = only(asked) if only else None
        rows = computed.recordings(asked, moment(now) - timedelta(hours=hours), ids)
        question = {"kind": "_Recordings", "hours": hours, "limit": limit, **({"sessionIds": ids} if ids else {})}

        def read(answer):
            times = ("start_time", "end_time")
            found = [{**row, **{name: moment(row[name]) for name in times}} for row in answer["results"]]
            assert all(names.of[row.pop("person_id")] for row in found)
            return found, answer["has_next"]

        return Case(question, read, (rows[:limit], len(rows) > limit), False, False, {"now": now})

    return ask


def recorded_sessions(asked):
    return sorted({e.get("$session_id") for e in stored(asked) if e.name == RECORDED})


def recorded_visits_variant(after="2026-10-01", before="2026-11-01", who=None, limit=100, offset=0):
    def ask(asked, keep, names):
        distinct_id = who(asked) if who else None
        since, until = (datetime.fromisoformat(day) for day in (after, before))
        found = defaultdict(list)
        for e in stored(asked):
            if e.name == RECORDED and since < e.at < until and distinct_id in (None, e.distinct_id):
                found[e.get("$session_id")].append(e)
        rows = [
            {
                "session_id": id,
                "distinct_id": min(e.distinct_id for e in seen),
                "started_at": min(e.at for e in seen),
                "ended_at": max(e.at for e in seen),
                "parts": len(seen),
            }
            for id, seen in sorted(found.items())
        ]
        rows.sort(key=lambda row: row["started_at"], reverse=True)
        question = {"kind": "_RecordedVisits", "after": after, "before": before, "limit": limit, "offset": offset}
        question |= {"distinctId": distinct_id} if distinct_id else {}

        def read(answer):
            found = [{**row, "started_at": moment(row["started_at"]), "ended_at": moment(row["ended_at"])} for row in answer["results"]]
            assert all(row.pop("bytes") > 0 for row in found)
            return found, answer["hasMore"]

        return Case(question, read, (rows[offset : offset + limit], len(rows) > offset + limit), False, False)

    return ask


def us(at: datetime) -> int:
    return int(at.replace(tzinfo=timezone.utc).timestamp() * 1_000_000)


def parts_variant(number, after=None):
    """Of the number-th recording, behind one of its parts."""

    def ask(asked, keep, names):
        ids = recorded_sessions(asked)
        session = ids[number % len(ids)] if number is not None else "nobody's"
        seen = computed.parts(asked, session)
        question = {"kind": "_RecordingParts", "sessionId": session}
        if after is not None:
            question |= {"afterUs": us(seen[after].at), "afterUuid": seen[after].uuid}
            seen = seen[after + 1 :]

        def read(answer):
            assert all(size > 0 for *_, size in answer["results"])
            return [(uuid, at) for uuid, at, _ in answer["results"]]

        return Case(question, read, [(e.uuid, us(e.at)) for e in seen], False, False)

    return ask


def text_variant(number, chosen=slice(None), margin=0):
    def ask(asked, keep, names):
        ids = recorded_sessions(asked)
        seen = computed.parts(asked, ids[number % len(ids)])
        question = {
            "kind": "_RecordingText",
            "sessionId": seen[0].get("$session_id"),
            "uuids": [e.uuid for e in seen[chosen]] or ["nobody's"],
            "fromUs": us(seen[0].at) + margin,
            "toUs": us(seen[-1].at) - margin,
        }

        def read(answer):
            # What a recorder sends as one part is stored as its list of items.
            return {uuid: [item["data"]["n"] for item in json.loads(text)["$snapshot_items"]] for uuid, text in answer["results"]}

        def items(e):
            return [item["data"]["n"] for item in e.get("$snapshot_data")]

        within = [e for e in seen[chosen] if us(seen[0].at) + margin <= us(e.at) <= us(seen[-1].at) - margin]
        return Case(question, read, {e.uuid: items(e) for e in within}, False, False)

    return ask


def names_variant(now, search=""):
    def ask(asked, keep, names):
        since = moment(now) - timedelta(days=30)
        seen = defaultdict(list)
        for e in stored(asked):
            # Those that were moved to the time of this run say nothing.
            if since <= e.at < UNTIL and search.lower() in e.name.lower():
                seen[e.name].append(e)
        # A copy whose clock had drifted is seen later than the event was.
        drifted = {e.name for e in stored(asked) if e.versions}

        def coarse(name, at):
            return at.date() if name in drifted else at

        def read(answer):
            found = [row for row in answer["results"] if row["name"] != "from the future"]
            assert [row["count"] for row in found] == sorted((row["count"] for row in found), reverse=True)
            # Rows are counted as they came, with copies.
            assert all(row["count"] >= len(seen[row["name"]]) for row in found)
            return {row["name"]: coarse(row["name"], moment(row["last_seen_at"])) for row in found}

        last = {name: coarse(name, max(e.at for e in each)) for name, each in seen.items()}
        question = {"kind": "_EventDefinitions", **({"search": search} if search else {})}
        return Case(question, read, last, False, False, {"now": now})

    return ask


def properties_variant(now, events=(), search=""):
    """What was sent has its type and, if there are few, its values; a sample may lack what is rare."""

    def ask(asked, keep, names):
        since = moment(now) - timedelta(days=7)
        values = defaultdict(set)
        rows = 0
        for e in stored(asked):
            if e.at < since or (events and e.name not in events):
                continue
            rows += 1
            for each in e.versions or [e.properties]:
                for name, value in each.items():
                    if search.lower() in name.lower() and e.name != RECORDED:
                        values[name].add(json.dumps(value))
        is_whole = rows < 400

        def kind(name):
            kinds = {type(json.loads(text)) for text in values[name]}
            return "Numeric" if kinds <= {int, float} else "Boolean" if kinds == {bool} else "String"

        def shown(texts):
            plain = [json.loads(text) for text in texts]
            return {str(value) for value in plain if not isinstance(value, (list, dict))} if len(plain) <= 10 else None

        expected = {name: (kind(name), shown(texts)) for name, texts in values.items()}

        def read(answer):
            found = {row["name"]: row for row in answer["results"] if row["name"] in expected}
            assert all(search.lower() in row["name"].lower() and 0 < row["share"] <= 1 for row in answer["results"])
            said = {
                name: (row["property_type"], {each["value"] for each in row["values"]} if expected[name][1] is not None else None)
                for name, row in found.items()
            }
            if is_whole:
                return said
            assert all(said[name][0] == expected[name][0] for name in said)
            return expected

        question = {
            "kind": "_PropertyDefinitions",
            **({"event_names": list(events)} if events else {}),
            **({"search": search} if search else {}),
        }
        return Case(question, read, expected, False, False, {"now": now})

    return ask


def channel_variant(source=None, medium=None, domain=None):
    def ask(asked, keep, names):
        session = {"utm_source": source, "utm_medium": medium, "referring_domain": domain}
        question = {"kind": "_ChannelType", "session": {name: value for name, value in session.items() if value}}
        return Case(question, lambda answer: answer["results"], computed.channel_of(source, medium, domain), False, False)

    return ask


# shape: {variant: (span, filter, how it is asked)}
SHAPES = {
    "web tables": {
        "pages": ("month", "none", table_variant("Page", computed.page)),
        "pages and their bounce rate": ("month", "none", table_variant("Page", computed.page, bounce=True)),
        "pages over a clock change": ("berlin", "none", table_variant("Page", computed.page, bounce=True)),
        "entry pages": ("month", "none", table_variant("InitialPage", computed.entry, bounce=True)),
        "exit pages in another zone": ("los angeles", "none", table_variant("ExitPage", computed.leaving, bounce=True)),
        "browsers": ("month", "none", table_variant("Browser", computed.of_event("$browser"), bounce=True)),
        "browsers, filtered": ("month", "not chrome", table_variant("Browser", computed.of_event("$browser"))),
        "screens": ("month", "none", table_variant("ScreenName", computed.of_event("$screen_name"), bounce=True)),
        "systems": ("days", "none", table_variant("OS", computed.of_event("$os"))),
        "devices": ("month", "regex", table_variant("DeviceType", computed.of_event("$device_type"), bounce=True)),
        "sources": ("month", "none", table_variant("InitialUTMSource", computed.of_visit("utm_source"), True, keeps_missing=True)),
        "campaigns": ("month", "none", table_variant("InitialUTMCampaign", computed.of_visit("utm_campaign"), keeps_missing=True)),
        "media in another zone": (
            "los angeles",
            "none",
            table_variant("InitialUTMMedium", computed.of_visit("utm_medium"), keeps_missing=True),
        ),
        "referring domains": ("month", "page", table_variant("InitialReferringDomain", computed.of_visit("$referring_domain"))),
        "sources, media and campaigns": ("month", "none", table_variant("InitialUTMSourceMediumCampaign", computed.campaign)),
        "channels": ("month", "none", table_variant("InitialChannelType", computed.channel, bounce=True)),
        "channels over a clock change": ("berlin", "browser", table_variant("InitialChannelType", computed.channel)),
        "the fewest views first": ("month", "none", table_variant("Page", computed.page, order=("views", False))),
        "the second page of two": ("month", "none", table_variant("Page", computed.page, limit=2, offset=2)),
        "the span before": ("days", "none", table_variant("Page", computed.page, bounce=True, compare=True)),
        "the span before, of sources": (
            "days",
            "none",
            table_variant("InitialUTMSource", computed.of_visit("utm_source"), False, True, compare=True),
        ),
        "nothing": ("empty", "none", table_variant("Page", computed.page, bounce=True)),
    },
    "web goals": {
        f"{event} {span} {filter_name}": (span, filter_name, goal_variant(event))
        for event, span, filter_name in [
            (SIGNED, "month", "none"),
            (SIGNED, "berlin", "none"),
            (SIGNED, "los angeles", "none"),
            (SIGNED, "days", "none"),
            (SIGNED, "month", "browser"),
            ("$autocapture", "month", "none"),
            ("$autocapture", "month", "not chrome"),
            ("$autocapture", "berlin", "none"),
            ("$exception", "month", "none"),
            ("$web_vitals", "los angeles", "no browser"),
            (BOUGHT, "month", "none"),
            (SIGNED, "empty", "none"),
        ]
    },
    "visits": {
        f"{span} {filter_name} {limit} {offset}": (span, filter_name, sessions_variant(limit, offset))
        for span, filter_name, limit, offset in [
            ("month", "none", 1000, 0),
            ("month", "none", 20, 0),
            ("month", "none", 20, 20),
            ("month", "browser", 1000, 0),
            ("month", "not chrome", 1000, 0),
            ("month", "no browser", 1000, 0),
            ("month", "page", 1000, 0),
            ("month", "regex", 50, 10),
            ("berlin", "none", 1000, 0),
            ("los angeles", "none", 1000, 0),
            ("days", "none", 1000, 0),
            ("empty", "none", 100, 0),
        ]
    },
    "events": {
        "the newest": ("month", "none", events_variant(["event", "distinct_id", "timestamp", "uuid"])),
        "the next page": ("month", "none", events_variant(["uuid", "timestamp"], limit=30, offset=30)),
        "the oldest first": ("month", "none", events_variant(["event", "timestamp"], {"orderBy": ["timestamp ASC"]}, order=lambda e: e.at)),
        "of one name": ("berlin", "none", events_variant(["event", "uuid"], {"event": VIEW}, lambda asked, names: named(VIEW))),
        "of two names": (
            "los angeles",
            "none",
            events_variant(["uuid", "event"], {"events": [SIGNED, BOUGHT]}, lambda asked, names: named(SIGNED, BOUGHT)),
        ),
        "of an action": (
            "month",
            "none",
            events_variant(
                ["uuid", "properties.$pathname"],
                {"actionId": 7},
                lambda asked, names: lambda e: (e.name == VIEW and "/docs" in e.get("$current_url")) or e.name == SIGNED,
                actions=[ACTION],
            ),
        ),
        "of somebody with several ids": (
            "month",
            "none",
            events_variant(
                ["uuid", "distinct_id", "person_id"],
                lambda asked, names: {"personId": names.id_of[somebody(asked)]},
                lambda asked, names: of_person(somebody(asked)),
                limit=1000,
            ),
        ),
        "properties": (
            "days",
            "none",
            events_variant(["uuid", "properties.$browser", "properties.plan", "properties.$pathname"], limit=1000),
        ),
        "copies": (
            "month",
            "none",
            events_variant(["uuid", "properties.revenue"], {"event": BOUGHT}, lambda asked, names: named(BOUGHT), limit=1000),
        ),
        "filtered": ("month", "browser", events_variant(["uuid", "properties.$browser"], limit=1000)),
        "filtered, and fixed": (
            "month",
            "not chrome",
            events_variant(
                ["uuid"], {"fixedProperties": [prop("$pathname", "/docs")]}, lambda asked, names: lambda e: e.get("$pathname") == "/docs"
            ),
        ),
        "the last day": ("month", "none", events_variant(["uuid", "event"], after="default", now="2026-10-20T18:30:00Z", limit=1000)),
        "between two events": ("month", "none", events_variant(["uuid"], after=between_two, limit=1000)),
        "days over a clock change": (
            "berlin",
            "none",
            events_variant(["uuid"], after=days_before(4, 1), now="2026-10-27T11:00:00Z", limit=1000),
        ),
        "days in another zone": (
            "los angeles",
            "none",
            events_variant(["uuid"], after=days_before(8, 2), now="2026-10-27T19:00:00Z", limit=1000),
        ),
        "ever": (
            "month",
            "none",
            events_variant(["uuid"], {"event": SIGNED}, lambda asked, names: named(SIGNED), after=everything, limit=1000),
        ),
        "the largest value first": (
            "month",
            "none",
            events_variant(["properties.plan", "uuid"], {"orderBy": ["properties.plan DESC"]}, order=falling("plan"), limit=1000),
        ),
        "people": ("days", "none", events_variant(["person", "person_id", "uuid"], limit=1000)),
        "names of people": (
            "month",
            "none",
            events_variant(["person.properties.name", "uuid"], {"event": SIGNED}, lambda asked, names: named(SIGNED)),
        ),
        "whole events": ("days", "none", events_variant(["*"], limit=200)),
        "nothing": ("empty", "none", events_variant(["uuid", "timestamp"])),
    },
    "people": {
        "everybody": ("month", "none", people_variant()),
        "by their ids alone": ("month", "none", people_variant(select=("id",))),
        "with their beginning": ("month", "none", people_variant(select=("person", "created_at", "id"))),
        "searched by an id": ("month", "none", people_variant(lambda person, ids: any("phone-" in id for id in ids), search="phone-")),
        "searched in capitals": (
            "month",
            "none",
            people_variant(lambda person, ids: any("device-1-" in id for id in ids), search="DEVICE-1-"),
        ),
        "searched by a name": ("month", "none", people_variant(lambda person, ids: any("user-1-1" in id for id in ids), search="user-1-1")),
        "searched with a quote": ("month", "none", people_variant(lambda person, ids: False, search="o'neil")),
        "searched by a wildcard, which is none": ("month", "none", people_variant(lambda person, ids: False, search="user_1")),
        "of an id": ("month", "none", people_variant(lambda person, ids: "user-1-1" in ids, distinctId="user-1-1")),
        "of an id that was merged": ("month", "none", people_variant(lambda person, ids: "anon-1-1" in ids, distinctId="anon-1-1")),
        "of the beginning of an id": ("month", "none", people_variant(lambda person, ids: "user-1-" in ids, distinctId="user-1-")),
        "of nobody": ("month", "none", people_variant(lambda person, ids: False, distinctId="nobody")),
        "a page": ("month", "none", page_of_people(7, 0)),
        "a page behind others": ("month", "none", page_of_people(10, 15)),
        "a page behind all": ("month", "none", page_of_people(10, 5000)),
    },
    "who is behind": {
        "a day": ("month", "none", behind(trend(), on_day(date(2026, 10, 12), VIEW), day="2026-10-12")),
        "a day in another zone": ("los angeles", "none", behind(trend(), on_day(date(2026, 10, 12), VIEW), day="2026-10-12")),
        "the day of a clock change": ("berlin", "none", behind(trend(), on_day(date(2026, 10, 25), VIEW), day="2026-10-25")),
        "a count": ("month", "not chrome", behind(trend(None, "total"), on_day(date(2026, 10, 15)), day="2026-10-15")),
        "a value": (
            "month",
            "none",
            behind(
                trend(breakdownFilter={"breakdown": "$browser", "breakdown_type": "event"}),
                with_value(date(2026, 10, 12), VIEW, "$browser", "Chrome"),
                day="2026-10-12",
                breakdown="Chrome",
            ),
        ),
        "a missing value": (
            "month",
            "none",
            behind(
                trend(breakdownFilter={"breakdown": "$browser", "breakdown_type": "event"}),
                with_value(date(2026, 10, 12), VIEW, "$browser", numbers.NULL),
                day="2026-10-12",
                breakdown=numbers.NULL,
            ),
        ),
        "those who stayed": (
            "month",
            "none",
            behind(
                {"kind": "LifecycleQuery", "series": [node("$ai_generation")]},
                returning(date(2026, 10, 14), "$ai_generation"),
                day="2026-10-14",
                status="returning",
            ),
        ),
        "those who left": (
            "month",
            "none",
            behind(
                {"kind": "LifecycleQuery", "series": [node("$ai_generation")]},
                returning(date(2026, 10, 14), "$ai_generation", "dormant"),
                day="2026-10-14",
                status="dormant",
            ),
        ),
        "two days": ("month", "none", behind({"kind": "StickinessQuery", "series": [node(VIEW)]}, so_many_days(VIEW, 2), day=2)),
        "days over a clock change": (
            "berlin",
            "browser",
            behind({"kind": "StickinessQuery", "series": [node(VIEW)]}, so_many_days(VIEW, 1), day=1),
        ),
        "a first day": ("days", "none", behind(retained(VIEW, 5), came_again(VIEW, 1, 0), interval=1, day=0)),
        "a return": ("month", "none", behind(retained("$ai_generation", 8), came_again("$ai_generation", 9, 1), interval=9, day=1)),
        "a step": (
            "month",
            "none",
            behind(funnel(VIEW, SIGNED), at_step([VIEW, SIGNED], timedelta(days=14), 2), "FunnelsActorsQuery", funnelStep=2),
        ),
        "a drop": (
            "month",
            "none",
            behind(
                funnel(VIEW, SIGNED, BOUGHT), at_step([VIEW, SIGNED, BOUGHT], timedelta(days=14), -3), "FunnelsActorsQuery", funnelStep=-3
            ),
        ),
        "an edge": (
            "month",
            "none",
            behind(
                pages("1_https://example.com/docs", "2_https://example.com/blog"),
                on_edge("1_https://example.com/docs", "2_https://example.com/blog"),
            ),
        ),
        "edges to a page": (
            "month",
            "none",
            behind(pages(None, "2_https://example.com/pricing"), on_edge(None, "2_https://example.com/pricing")),
        ),
        "visitors": ("days", "none", behind({"kind": "WebOverviewQuery"}, computed.visitors)),
        "visitors over a clock change": ("berlin", "not chrome", behind({"kind": "WebOverviewQuery"}, computed.visitors)),
        "visitors of a page": (
            "month",
            "none",
            behind(
                {"kind": "WebStatsTableQuery", "breakdownBy": "Page"},
                lambda asked, keep: computed.visitors(asked, keep, computed.page, "/docs"),
                breakdown="/docs",
            ),
        ),
        "visitors of an entry": (
            "los angeles",
            "none",
            behind(
                {"kind": "WebStatsTableQuery", "breakdownBy": "InitialPage"},
                lambda asked, keep: computed.visitors(asked, keep, computed.entry, "/"),
                breakdown="/",
            ),
        ),
        "nothing": ("empty", "none", behind(trend(), on_day(date(2025, 3, 2), VIEW), day="2025-03-02")),
    },
    "errors": {
        "the month": ("month", "none", errors_variant()),
        "few days": ("month", "none", errors_variant(datetime(2026, 10, 8), datetime(2026, 10, 13, 7, 30))),
        "one bucket": ("month", "none", errors_variant(bins=1)),
        "a bucket a day": ("month", "none", errors_variant(bins=31)),
        "the most frequent first": ("month", "none", errors_variant(order=("occurrences", True))),
        "the fewest people first": ("month", "none", errors_variant(order=("users", False))),
        "the first first": ("month", "none", errors_variant(order=("first_seen", False))),
        "a page": ("month", "none", errors_variant(limit=1, offset=1)),
        "of a browser": ("month", "browser", errors_variant()),
        "without a browser": ("month", "no browser", errors_variant(order=("sessions", True))),
        "searched": ("month", "none", errors_variant(words=("error1",))),
        "searched by two words": ("month", "none", errors_variant(words=("BROKE", "1"))),
        "one": ("month", "none", errors_variant(keeps=lambda row: row["id"] == "fp-1", issueId="fp-1")),
        "active ones": ("month", "none", errors_variant(keeps=lambda row: row["status"] == "active", status="active")),
        "ignored ones": ("month", "none", errors_variant(keeps=lambda row: row["status"] == "ignored", status="ignored")),
        "resolved ones": ("month", "none", errors_variant(keeps=lambda row: row["status"] == "resolved", status="resolved")),
        "nothing": ("empty", "none", errors_variant(datetime(2025, 3, 1), datetime(2025, 3, 7))),
    },
    "experiments": {
        "purchases": ("month", "none", experiment_variant(mean_metric(BOUGHT), mean(BOUGHT))),
        "buyers": ("month", "none", experiment_variant(funnel_metric(BOUGHT), done(BOUGHT), is_funnel=True)),
        "sums with copies": ("month", "none", experiment_variant(mean_metric(BOUGHT, "sum", "revenue"), mean(BOUGHT, "sum", "revenue"))),
        "means of a property": ("month", "none", experiment_variant(mean_metric(BOUGHT, "avg", "revenue"), mean(BOUGHT, "avg", "revenue"))),
        "largest values": ("month", "none", experiment_variant(mean_metric(BOUGHT, "max", "revenue"), mean(BOUGHT, "max", "revenue"))),
        "views": ("month", "none", experiment_variant(mean_metric(VIEW), mean(VIEW))),
        "fewer views win": ("month", "none", experiment_variant(mean_metric(VIEW, goal="decrease"), mean(VIEW), decrease=True)),
        "visits": ("month", "none", experiment_variant(mean_metric(VIEW, "unique_session"), mean(VIEW, "unique_session"))),
        "people": ("month", "none", experiment_variant(mean_metric(VIEW, "dau"), mean(VIEW, "dau"))),
        "within two days": (
            "month",
            "none",
            experiment_variant(mean_metric(VIEW, conversion_window=2, conversion_window_unit="day"), mean(VIEW), window=timedelta(days=2)),
        ),
        "within an hour": (
            "month",
            "none",
            experiment_variant(
                funnel_metric(VIEW, conversion_window=1, conversion_window_unit="hour"),
                done(VIEW),
                window=timedelta(hours=1),
                is_funnel=True,
            ),
        ),
        "two steps": ("month", "none", experiment_variant(funnel_metric(VIEW, BOUGHT), done(VIEW, BOUGHT), is_funnel=True)),
        "the same step twice": ("month", "none", experiment_variant(funnel_metric(VIEW, VIEW), done(VIEW, VIEW), is_funnel=True)),
        "who saw both keeps the first": ("month", "none", experiment_variant(mean_metric(BOUGHT), mean(BOUGHT), keeps_first=True)),
        "the other one is the baseline": ("month", "none", experiment_variant(mean_metric(VIEW), mean(VIEW), variants=("test", "control"))),
        "a variant nobody saw": ("month", "none", experiment_variant(mean_metric(VIEW), mean(VIEW), variants=("control", "test", "third"))),
        "a week in another zone": ("los angeles", "none", experiment_variant(mean_metric(VIEW), mean(VIEW))),
        "over a clock change": ("berlin", "none", experiment_variant(funnel_metric(BOUGHT), done(BOUGHT), is_funnel=True)),
        "nothing": ("empty", "none", experiment_variant(mean_metric(VIEW), mean(VIEW))),
        "another flag": ("month", "none", experiment_variant(mean_metric(VIEW), mean(VIEW), flag="nobody's")),
    },
    "SQL": {
        name: ("month", "none", sql_variant(sql, expected))
        for name, sql, expected in [
            (
                "names",
                "SELECT event, count(DISTINCT uuid) AS n FROM events GROUP BY event ORDER BY event",
                lambda asked: sorted(counted(asked, lambda e: e.name).items()),
            ),
            (
                "a condition",
                "SELECT browser, count(DISTINCT uuid) AS n FROM events WHERE event = '$pageview' AND browser IS NOT NULL GROUP BY browser",
                lambda asked: counted(asked, lambda e: e.get("$browser"), lambda e: e.name == VIEW and e.get("$browser")).items(),
            ),
            (
                "a CTE",
                "WITH once AS (SELECT uuid, min(pathname) AS page FROM events WHERE event = '$pageview' GROUP BY uuid) "
                "SELECT page, count(*) AS n FROM once GROUP BY page ORDER BY n DESC, page",
                lambda asked: sorted(
                    counted(asked, lambda e: e.get("$pathname"), lambda e: e.name == VIEW).items(), key=lambda row: (-row[1], row[0])
                ),
            ),
            (
                "a subquery",
                "SELECT count(*) AS n FROM (SELECT DISTINCT distinct_id FROM events WHERE event = 'signed_up') AS people",
                lambda asked: [(len({e.distinct_id for e in stored(asked) if e.name == SIGNED}),)],
            ),
            (
                "HAVING",
                "SELECT distinct_id FROM events GROUP BY distinct_id HAVING count(DISTINCT uuid) >= 20 ORDER BY distinct_id",
                lambda asked: sorted((id,) for id, n in counted(asked, lambda e: e.distinct_id).items() if n >= 20),
            ),
            (
                "a limit",
                "SELECT event, count(DISTINCT uuid) AS n FROM events GROUP BY event ORDER BY n DESC, event LIMIT 3",
                lambda asked: sorted(counted(asked, lambda e: e.name).items(), key=lambda row: (-row[1], row[0]))[:3],
            ),
            (
                "a join to the people of now",
                "WITH newest AS (SELECT distinct_id, max(version) AS version FROM distinct_ids GROUP BY distinct_id), "
                "ids AS (SELECT d.distinct_id, max(d.person_id) AS person FROM distinct_ids AS d JOIN newest AS n "
                "ON n.distinct_id = d.distinct_id AND n.version = d.version GROUP BY d.distinct_id) "
                "SELECT count(DISTINCT coalesce(ids.person, e.person_id)) AS n FROM events AS e LEFT JOIN ids "
                "ON ids.distinct_id = e.distinct_id WHERE e.event = 'signed_up'",
                lambda asked: [(len({e.person for e in stored(asked) if e.name == SIGNED}),)],
            ),
            (
                "two selects",
                "SELECT 'a' AS of_what, count(DISTINCT uuid) AS n FROM events WHERE event = 'purchase' "
                "UNION ALL SELECT 'b' AS of_what, count(DISTINCT uuid) AS n FROM events WHERE event = 'signed_up'",
                lambda asked: [("a", counted(asked, lambda e: e.name)[BOUGHT]), ("b", counted(asked, lambda e: e.name)[SIGNED])],
            ),
            (
                "texts",
                "SELECT upper(substr(event, 2, 4)) AS word, count(DISTINCT uuid) AS n FROM events WHERE strpos(event, 'page') > 0 GROUP BY 1",
                lambda asked: [("PAGE", counted(asked, lambda e: e.name)[VIEW])],
            ),
            (
                "CASE",
                "SELECT sum(CASE WHEN pathname = '/docs' THEN 1 ELSE 0 END) AS docs, count(*) AS n FROM "
                "(SELECT uuid, min(pathname) AS pathname FROM events WHERE event = '$pageview' GROUP BY uuid) AS once",
                lambda asked: [
                    (counted(asked, lambda e: (e.name, e.get("$pathname")))[(VIEW, "/docs")], counted(asked, lambda e: e.name)[VIEW])
                ],
            ),
            ("another team's", "SELECT count(*) AS n FROM events WHERE team_id <> 1", lambda asked: [(0,)]),
            ("rejects", "SELECT count(DISTINCT uuid) AS n FROM rejects WHERE team_id = 2", lambda asked: [(0,)]),
            ("nothing", "SELECT event FROM events WHERE event = 'o''neil'", lambda asked: []),
            (
                "a moment",
                "SELECT count(DISTINCT uuid) AS n FROM events WHERE \"timestamp\" >= TIMESTAMP '2026-10-10 00:00:00' "
                "AND \"timestamp\" < TIMESTAMP '2026-10-11 00:00:00' AND event = '$pageview'",
                lambda asked: [(sum(e.name == VIEW and e.at.date() == date(2026, 10, 10) for e in stored(asked)),)],
            ),
        ]
    },
    "recordings": {
        "the month": ("month", "none", recordings_variant()),
        "a week": ("month", "none", recordings_variant(hours=168)),
        "a day": ("month", "none", recordings_variant(hours=24)),
        "an hour": ("month", "none", recordings_variant(hours=1, now="2026-10-20T12:00:00Z")),
        "half of the month": ("month", "none", recordings_variant(hours=360)),
        "from the middle": ("month", "none", recordings_variant(hours=240, now="2026-10-20T00:00:00Z")),
        "a page": ("month", "none", recordings_variant(limit=3)),
        "one at a time": ("month", "none", recordings_variant(limit=1)),
        "named ones": ("month", "none", recordings_variant(only=lambda asked: recorded_sessions(asked)[:4])),
        "one that is named": ("month", "none", recordings_variant(only=lambda asked: recorded_sessions(asked)[-1:])),
        "named ones that are none": ("month", "none", recordings_variant(only=lambda asked: ["nobody's"])),
        "a page of named ones": ("month", "none", recordings_variant(limit=2, only=lambda asked: recorded_sessions(asked)[:5])),
        "nothing": ("month", "none", recordings_variant(now="2026-11-20T12:00:00Z", hours=24)),
    },
    "recorded visits": {
        "the month": ("month", "none", recorded_visits_variant()),
        "days": ("month", "none", recorded_visits_variant("2026-10-08", "2026-10-13")),
        "moments": ("month", "none", recorded_visits_variant("2026-10-08T06:30:00", "2026-10-18T18:45:00")),
        "the beginning": ("month", "none", recorded_visits_variant(before="2026-10-10")),
        "the end": ("month", "none", recorded_visits_variant(after="2026-10-20")),
        "of an id": (
            "month",
            "none",
            recorded_visits_variant(who=lambda asked: computed.parts(asked, recorded_sessions(asked)[0])[0].distinct_id),
        ),
        "of another id": (
            "month",
            "none",
            recorded_visits_variant(who=lambda asked: computed.parts(asked, recorded_sessions(asked)[-1])[0].distinct_id),
        ),
        "of nobody": ("month", "none", recorded_visits_variant(who=lambda asked: "nobody's")),
        "a page": ("month", "none", recorded_visits_variant(limit=2)),
        "the next page": ("month", "none", recorded_visits_variant(limit=2, offset=2)),
        "a page behind all": ("month", "none", recorded_visits_variant(limit=2, offset=5000)),
        "nothing": ("month", "none", recorded_visits_variant("2025-03-01", "2025-03-08")),
    },
    "parts of a recording": {
        **{f"all of the {n}th": ("month", "none", parts_variant(n)) for n in (0, 1, 2, 3, 5, 8, 13)},
        **{
            f"behind part {after} of the {n}th": ("month", "none", parts_variant(n, after)) for n, after in ((0, 0), (1, 0), (2, 1), (3, 0))
        },
        "of nobody": ("month", "none", parts_variant(None)),
    },
    "texts of a recording": {
        **{f"all of the {n}th": ("month", "none", text_variant(n)) for n in (0, 1, 2, 3, 5, 8)},
        **{
            f"part {part} of the {n}th": ("month", "none", text_variant(n, slice(part, part + 1)))
            for n, part in ((0, 0), (1, 1), (4, 0), (7, 1))
        },
        "parts that are none": ("month", "none", text_variant(0, slice(0, 0))),
        "parts of another time": ("month", "none", text_variant(0, margin=1)),
    },
    "names of events": {
        f"{search or 'all'} on {now[:10]}": ("month", "none", names_variant(now, search))
        for now, search in [
            ("2026-10-31T12:00:00Z", ""),
            ("2026-10-31T12:00:00Z", "page"),
            ("2026-10-31T12:00:00Z", "PAGE"),
            ("2026-10-31T12:00:00Z", "$ai"),
            ("2026-10-31T12:00:00Z", "_"),
            ("2026-10-31T12:00:00Z", "o'neil"),
            ("2026-11-10T00:00:00Z", ""),
            ("2026-11-10T00:00:00Z", "signed"),
            ("2026-11-20T12:00:00Z", ""),
            ("2026-11-20T12:00:00Z", "feature"),
            ("2026-11-28T06:00:00Z", ""),
            ("2026-11-28T06:00:00Z", "e"),
        ]
    },
    "names of properties": {
        f"{search or 'all'} of {' '.join(events) or 'all'} on {now[:10]}": ("month", "none", properties_variant(now, events, search))
        for now, events, search in [
            ("2026-11-05T00:00:00Z", (), ""),
            ("2026-11-05T00:00:00Z", (), "browser"),
            ("2026-11-05T00:00:00Z", (VIEW,), ""),
            ("2026-11-05T00:00:00Z", (VIEW, BOUGHT), "p"),
            ("2026-11-05T00:00:00Z", (BOUGHT,), ""),
            ("2026-11-02T00:00:00Z", (BOUGHT,), ""),
            ("2026-11-02T00:00:00Z", ("$ai_generation",), ""),
            ("2026-11-02T00:00:00Z", ("$exception",), ""),
            ("2026-11-02T00:00:00Z", ("$web_vitals",), "LCP"),
            ("2026-11-02T00:00:00Z", ("$identify",), ""),
            ("2026-11-02T00:00:00Z", (SIGNED,), "PLAN"),
            ("2026-11-02T00:00:00Z", ("nobody's",), ""),
        ]
    },
    "channels": {
        f"{source} {medium} {domain}": ("month", "none", channel_variant(source, medium, domain))
        for source in ("google", "newsletter", "hn", None)
        for medium, domain in (
            (None, "$direct"),
            (None, "example.org"),
            ("cpc", "www.google.com"),
            ("email", "news.ycombinator.com"),
            (None, None),
        )
    },
}
# Of the large month: whoever began a funnel is read, and without OFFSET the people before a page are.
TOO_WIDE = {
    *(("who is behind", variant, dialect) for variant in ("a step", "a drop") for dialect in ("duckdb", "basin")),
    ("people", "a page behind all", "basin"),
}
VARIANTS = [(shape, variant) for shape, variants in SHAPES.items() for variant in variants]


def test_each_shape_has_at_least_twelve_variants():
    assert {shape: len(variants) >= 12 for shape, variants in SHAPES.items()} == dict.fromkeys(SHAPES, True)


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
@pytest.mark.parametrize("shape, variant", VARIANTS, ids=[f"{shape}: {variant}" for shape, variant in VARIANTS])
def test_a_question_answers_what_was_sent(system, planner, names, shape, variant, dialect):
    span, filter_name, ask = SHAPES[shape][variant]
    since, until, zone = SPANS[span]
    filters, keep = FILTERS[filter_name]
    asked = Asked(system.month.events, since, until, zone, filters)
    case = ask(asked, keep, names)
    question = dict(case.question)
    if case.has_dates:
        question["dateRange"] = {"date_from": str(since), "date_to": str(until)}
    if case.has_filters and filters:
        question["properties"] = filters
    if IS_LARGE and (shape, variant, dialect) in TOO_WIDE:
        with pytest.raises(AssertionError, match="gives more rows than the engine may return"):
            answer_of(system, planner, asked, question, dialect, **case.project)
        return
    found = case.read(answer_of(system, planner, asked, question, dialect, **case.project))
    assert found == (case.expected(found) if callable(case.expected) else case.expected)
