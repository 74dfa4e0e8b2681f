"""The planner's questions over the month, in DuckDB and in the Basin SQL stand-in, against plain Python over what was sent.

Each shape in at least twelve variants: breakdowns, filters, windows, people who were merged inside the window, copies,
zones over a clock change (Berlin's on 25 October), and no data at all.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import plain_questions as computed
import pytest
from asking import BOUGHT, FILTERS, SIGNED, SPANS, VIEW, answer_of, node, rounded
from plain import percentile
from plain_questions import Asked, both, named


def trend_variant(math="total", interval="day", by=None, limit=25, event=VIEW):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(event, math)], "interval": interval}
        if by:
            question["breakdownFilter"] = {"breakdown": by, "breakdown_type": "event", "breakdown_limit": limit}

        def read(results):
            return {line.get("breakdown_value"): line["data"] for line in results}

        keep = both(named(event) if event else named(), keep)
        return question, read, computed.trends(asked, keep, math, interval, by, limit)

    return ask


def total_variant(math):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW, math)], "trendsFilter": {"display": "BoldNumber"}}
        return question, lambda results: results[0]["aggregated_value"], computed.total(asked, both(named(VIEW), keep), math)

    return ask


def active_variant(math, days):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW, math)]}
        return question, lambda results: results[0]["data"], computed.active(asked, both(named(VIEW), keep), days)

    return ask


def value_variant(math, take):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [{**node(BOUGHT, math), "math_property": "revenue"}]}
        return question, lambda results: results[0]["data"], computed.values(asked, both(named(BOUGHT), keep), "revenue", take)

    return ask


def times_variant():
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW, "avg_count_per_actor")]}
        return question, lambda results: results[0]["data"], computed.times_a_person(asked, both(named(VIEW), keep))

    return ask


def first_variant(event):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(event, "first_time_for_user")]}
        return question, lambda results: results[0]["data"], computed.first_times(asked, event, keep)

    return ask


def so_far_variant():
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW, "dau")], "trendsFilter": {"display": "ActionsLineGraphCumulative"}}
        return question, lambda results: results[0]["data"], computed.so_far(asked, both(named(VIEW), keep))

    return ask


def compared_variant(math):
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW, math)], "compareFilter": {"compare": True}}
        days = asked.until - asked.since + timedelta(days=1)
        spans = (asked, replace(asked, since=asked.since - days, until=asked.until - days))
        expected = {
            label: computed.trends(span, both(named(VIEW), keep), math)[None] for label, span in zip(("current", "previous"), spans)
        }
        return question, lambda results: {line["compare_label"]: line["data"] for line in results}, expected

    return ask


def formula_variant():
    def ask(asked, keep):
        question = {"kind": "TrendsQuery", "series": [node(VIEW), node(SIGNED)], "trendsFilter": {"formula": "A / B"}}
        [over], [under] = (computed.trends(asked, both(named(name), keep)).values() for name in (VIEW, SIGNED))
        return question, lambda results: results[0]["data"], [a / b if b else 0 for a, b in zip(over, under)]

    return ask


def funnel_variant(steps, window, unit, order="ordered"):
    def ask(asked, keep):
        question = {
            "kind": "FunnelsQuery",
            "series": [node(name) for name in steps],
            "funnelsFilter": {"funnelOrderType": order, "funnelWindowInterval": window, "funnelWindowIntervalUnit": unit},
        }
        walk = computed.unordered if order == "unordered" else computed.ordered
        expected = computed.funnel(asked, keep, steps, timedelta(**{f"{unit}s": window}), walk)
        return question, lambda results: [step["count"] for step in results] or [0] * len(steps), expected

    return ask


def retention_variant(target, back, rows, period="day", first_time=False):
    def ask(asked, keep):
        entity = [{"id": name, "type": "events"} for name in (target, back)]
        question = {
            "kind": "RetentionQuery",
            "retentionFilter": {
                "period": period.title(),
                "totalIntervals": rows,
                "targetEntity": entity[0],
                "returningEntity": entity[1],
                "retentionType": "retention_first_time" if first_time else "retention_recurring",
            },
        }
        expected = computed.retention(asked, keep, target, back, rows, period, first_time)
        return question, lambda results: [[cell["count"] for cell in row["values"]] for row in results], expected

    return ask


def lifecycle_variant(event, interval="day"):
    def ask(asked, keep):
        def read(results):
            of = {line["status"]: line["data"] for line in results}
            return {
                "returning": of["returning"],
                "dormant": of["dormant"],
                "begun": [sum(pair) for pair in zip(of["new"], of["resurrecting"])],
            }

        question = {"kind": "LifecycleQuery", "series": [node(event)], "interval": interval}
        return question, read, computed.lifecycle(asked, both(named(event), keep), interval)

    return ask


def stickiness_variant(event, interval="day"):
    def ask(asked, keep):
        question = {"kind": "StickinessQuery", "series": [node(event)], "interval": interval}
        keep = both(named(event) if event else named(), keep)
        return question, lambda results: results[0]["data"], computed.stickiness(asked, keep, interval)

    return ask


def paths_variant(steps=5, kind=VIEW):
    def ask(asked, keep):
        question = {"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": [kind], "stepLimit": steps, "edgeLimit": 1000}}
        if kind == VIEW:
            keep, item = both(named(VIEW), keep), lambda e: e.get("$current_url").rstrip("/")
        else:
            keep, item = both(named("$screen"), keep), lambda e: e.get("$screen_name")
        expected = computed.paths(asked, keep, item, steps)
        return question, lambda results: {(edge["source"], edge["target"]): edge["value"] for edge in results}, expected

    return ask


def overview_variant():
    def ask(asked, keep):
        question = {"kind": "WebOverviewQuery"}
        return question, lambda results: {each["key"]: each["value"] for each in results}, computed.overview(asked, keep)

    return ask


# shape: {variant: (span, filter, how it is asked)}
SHAPES = {
    "trends": {
        "by day": ("month", "none", trend_variant()),
        "people": ("month", "none", trend_variant("dau")),
        "people of every event": ("month", "none", trend_variant("dau", event=None)),
        "visits": ("month", "browser", trend_variant("unique_session")),
        "weeks": ("month", "none", trend_variant("dau", "week")),
        "months": ("month", "page", trend_variant("total", "month")),
        "hours over a clock change": ("berlin", "none", trend_variant("total", "hour")),
        "days over a clock change": ("berlin", "none", trend_variant("dau")),
        "another zone": ("los angeles", "not chrome", trend_variant("dau")),
        "by browser": ("month", "none", trend_variant("total", by="$browser")),
        "the rest of browsers": ("month", "none", trend_variant("dau", "week", by="$browser", limit=2)),
        "by plan, of buyers": ("month", "none", trend_variant("total", by="plan", event=BOUGHT)),
        "copies": ("days", "none", trend_variant("total", event=BOUGHT)),
        "a week's people": ("month", "none", active_variant("weekly_active", 7)),
        "a month's people": ("days", "regex", active_variant("monthly_active", 30)),
        "one number": ("month", "no browser", total_variant("dau")),
        "revenue, with copies that differ": ("month", "none", value_variant("sum", sum)),
        "the median of revenue": ("month", "plan", value_variant("median", lambda seen: percentile(seen, 0.5))),
        "the last tenth of revenue": ("berlin", "none", value_variant("p90", lambda seen: percentile(seen, 0.9))),
        "views a person": ("los angeles", "none", times_variant()),
        "first views": ("days", "none", first_variant(VIEW)),
        "first views that are kept": ("month", "not chrome", first_variant(VIEW)),
        "people so far": ("month", "none", so_far_variant()),
        "the days before": ("days", "none", compared_variant("total")),
        "people of the days before": ("berlin", "browser", compared_variant("dau")),
        "a formula": ("month", "none", formula_variant()),
        "nothing": ("empty", "none", trend_variant("dau")),
        "nothing by browser": ("empty", "none", trend_variant("dau", by="$browser")),
    },
    "funnels": {
        "two steps": ("month", "none", funnel_variant([VIEW, SIGNED], 14, "day")),
        "three steps": ("month", "none", funnel_variant([VIEW, SIGNED, BOUGHT], 14, "day")),
        "an hour": ("month", "none", funnel_variant([VIEW, SIGNED, BOUGHT], 1, "hour")),
        "ten minutes": ("month", "none", funnel_variant([VIEW, SIGNED], 10, "minute")),
        "five seconds": ("month", "none", funnel_variant([VIEW, "$autocapture"], 5, "second")),
        "backwards": ("month", "none", funnel_variant([BOUGHT, VIEW], 14, "day")),
        "any order": ("month", "none", funnel_variant([BOUGHT, VIEW, SIGNED], 14, "day", "unordered")),
        "any order within an hour": ("month", "none", funnel_variant([BOUGHT, SIGNED], 1, "hour", "unordered")),
        "merged inside the window": ("month", "none", funnel_variant([VIEW, "$identify", SIGNED], 2, "day")),
        "another zone": ("los angeles", "none", funnel_variant([VIEW, SIGNED], 1, "day")),
        "over a clock change": ("berlin", "none", funnel_variant([VIEW, SIGNED, BOUGHT], 7, "day")),
        "a filter": ("month", "not chrome", funnel_variant([VIEW, SIGNED, BOUGHT], 14, "day")),
        "few days": ("days", "browser", funnel_variant([VIEW, "$autocapture"], 1, "day")),
        "nothing": ("empty", "none", funnel_variant([VIEW, SIGNED], 14, "day")),
    },
    "retention": {
        "days": ("month", "none", retention_variant(VIEW, VIEW, 11)),
        "any event": ("month", "none", retention_variant(VIEW, None, 8)),
        "weeks": ("month", "none", retention_variant(VIEW, VIEW, 4, "week")),
        "first time": ("month", "none", retention_variant(VIEW, VIEW, 20, first_time=True)),
        "first time by week": ("month", "none", retention_variant(VIEW, None, 4, "week", first_time=True)),
        "sign-ups that buy": ("month", "none", retention_variant(SIGNED, BOUGHT, 14)),
        "identified": ("month", "none", retention_variant("$identify", VIEW, 10)),
        "over a clock change": ("berlin", "none", retention_variant(VIEW, VIEW, 9)),
        "another zone": ("los angeles", "none", retention_variant(VIEW, None, 7)),
        "a filter": ("month", "browser", retention_variant(VIEW, VIEW, 10)),
        "few days": ("days", "not chrome", retention_variant(VIEW, VIEW, 3)),
        "nothing": ("empty", "none", retention_variant(VIEW, VIEW, 5)),
    },
    "lifecycle": {
        f"{name} by {interval}": (span, "none", lifecycle_variant(event, interval))
        for name, event, span, interval in [
            ("sign-ups", SIGNED, "month", "day"),
            ("sign-ups", SIGNED, "month", "week"),
            ("calls", "$ai_generation", "month", "day"),
            ("calls", "$ai_generation", "month", "week"),
            ("calls in Berlin", "$ai_generation", "berlin", "day"),
            ("calls in Los Angeles", "$ai_generation", "los angeles", "day"),
            ("purchases", BOUGHT, "month", "day"),
            ("purchases in Berlin", BOUGHT, "berlin", "day"),
            ("identified", "$identify", "month", "day"),
            ("of few days", "$ai_generation", "days", "day"),
            ("server", "server event", "month", "day"),
            ("nothing", VIEW, "empty", "day"),
        ]
    },
    "stickiness": {
        "views": ("month", "none", stickiness_variant(VIEW)),
        "every event": ("month", "none", stickiness_variant(None)),
        "weeks": ("month", "none", stickiness_variant(VIEW, "week")),
        "calls": ("month", "none", stickiness_variant("$ai_generation")),
        "hours": ("days", "none", stickiness_variant(VIEW, "hour")),
        "over a clock change": ("berlin", "none", stickiness_variant(VIEW)),
        "another zone": ("los angeles", "none", stickiness_variant(VIEW)),
        "browsers": ("month", "browser", stickiness_variant(VIEW)),
        "not chrome": ("month", "not chrome", stickiness_variant(VIEW)),
        "copies": ("month", "plan", stickiness_variant(BOUGHT)),
        "pages": ("days", "regex", stickiness_variant(VIEW)),
        "nothing": ("empty", "none", stickiness_variant(VIEW)),
    },
    "paths": {
        f"{kind} {span} {filter_name} {steps}": (span, filter_name, paths_variant(steps, kind))
        for kind, span, filter_name, steps in [
            (VIEW, "month", "none", 5),
            (VIEW, "month", "none", 2),
            (VIEW, "month", "none", 3),
            (VIEW, "month", "browser", 5),
            (VIEW, "month", "not chrome", 4),
            (VIEW, "berlin", "none", 5),
            (VIEW, "los angeles", "none", 5),
            (VIEW, "days", "none", 5),
            (VIEW, "month", "regex", 5),
            ("$screen", "month", "none", 5),
            ("$screen", "los angeles", "none", 3),
            (VIEW, "empty", "none", 5),
        ]
    },
    "web overview": {
        f"{span} {filter_name}": (span, filter_name, overview_variant())
        for span, filter_name in [
            ("month", "none"),
            ("berlin", "none"),
            ("los angeles", "none"),
            ("days", "none"),
            ("empty", "none"),
            ("month", "browser"),
            ("month", "not chrome"),
            ("month", "no browser"),
            ("berlin", "browser"),
            ("los angeles", "not chrome"),
            ("days", "browser"),
            ("days", "no browser"),
        ]
    },
}
VARIANTS = [(shape, variant) for shape, variants in SHAPES.items() for variant in variants]


def test_each_shape_has_at_least_twelve_variants():
    assert {shape: len(variants) >= 12 for shape, variants in SHAPES.items()} == dict.fromkeys(SHAPES, True)


@pytest.mark.parametrize("dialect", ["duckdb", "basin"])
@pytest.mark.parametrize("shape, variant", VARIANTS, ids=[f"{shape}: {variant}" for shape, variant in VARIANTS])
def test_a_question_answers_what_was_sent(system, planner, shape, variant, dialect):
    span, filter_name, ask = SHAPES[shape][variant]
    since, until, zone = SPANS[span]
    filters, keep = FILTERS[filter_name]
    asked = Asked(system.month.events, since, until, zone)
    question, read, expected = ask(asked, keep)
    # A date_to without a time is its first moment where an hour is the interval.
    last = f"{until}T23:59:59" if question.get("interval") == "hour" else str(until)
    dates = {"date_from": str(since), "date_to": last}
    found = read(answer_of(system, planner, asked, {"dateRange": dates, "properties": filters, **question}, dialect)["results"])
    assert rounded(found) == rounded(expected)
    assert span == "empty" or expected, "there is nothing to compare"
