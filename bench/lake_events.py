"""Events of a month in Parquet, with their people: what bench/insights_lake.py asks.

    with duckdb.connect() as connection: make(connection, folder, events=10_000_000)

As many visits of one event as of eight, a person's on one or two devices, a tenth of the people merged from somebody else, one
event in a hundred stored twice. Everything follows from the event's number: a run makes the same files as the last one.
"""

import pathlib

FIRST = "2026-10-01"
DAYS = 30
# About as many people as a project of this size has.
EVENTS_A_PERSON = 50
FILES = 10
# Visits of one event have numbers from here on.
LONE = 1_000_000_000


def drawn(seed, of="i"):
    """A number from 0 to 1 that looks random."""
    return f"((hash({of} * 64 + {seed}) >> 11) / 9007199254740992.0)"


def uuid(of):
    """A uuid as an SDK makes one, its time in front, so that rows of one time are alike at their beginning."""
    return (
        f"printf('%s-%s-7%s-8%s-%s', substr(printf('%012x', epoch_ms(t)), 1, 8), substr(printf('%012x', epoch_ms(t)), 9, 4), "
        f"substr(printf('%016x', hash({of} * 64 + 1)), 1, 3), substr(printf('%016x', hash({of} * 64 + 1)), 4, 3), substr(printf('%016x', hash({of} * 64 + 2)), 1, 12))"
    )


def choice(number, weighted):
    """One of the texts by the number from 0 to 1; NULL for None."""
    whole, sum_, out = sum(weight for _, weight in weighted), 0, "CASE"
    for text, weight in weighted:
        sum_ += weight
        value = "NULL" if text is None else f"'{text}'"
        out += f" WHEN {number} < {sum_ / whole} THEN {value}"
    return f"{out} END"


PAGES = [(page, 20 - n) for n, page in enumerate(["/", "/pricing", "/docs", "/blog", "/app", "/app/team", "/signup", "/login", "/about"])]
BROWSERS = [("Chrome", 60), ("Safari", 20), ("Firefox", 8), ("Microsoft Edge", 8), (None, 4)]
SOURCES = [("google", 20), ("newsletter", 5), ("hn", 3), (None, 72)]
COUNTRIES = [("US", 40), ("DE", 12), ("GB", 10), ("FR", 8), ("IN", 8), ("BR", 6), (None, 16)]
NAMES = [
    ("$pageview", 48),
    ("$autocapture", 30),
    ("$pageleave", 14),
    ("purchase", 2),
    ("signed_up", 1),
    ("$exception", 2),
    ("$web_vitals", 2),
    ("$feature_flag_called", 1),
]

# The columns of schemas/events.json that questions may name and nothing here fills.
EMPTY = "window_id screen_name referrer utm_medium utm_campaign utm_term utm_content browser_version os_version region city group1 group2 group3 group4"


def events_sql(first, last):
    """Rows of the visits from `first` to before `last`; a visit has the eight numbers i of 8 * visit."""
    seconds = DAYS * 86400
    return f"""
    WITH numbers AS (
        SELECT i, CASE WHEN hash((i // 8) * 64) % 8 = 0 THEN i + {LONE} ELSE i // 8 END AS visit,
            CASE WHEN hash((i // 8) * 64) % 8 = 0 THEN 0 ELSE i % 8 END AS n FROM range({first}, {last}) AS r(i)),
    visits AS (
        SELECT *, {drawn(3, "visit")} AS who, {drawn(4, "visit")} AS begun, hash(visit * 64 + 5) % 4 = 0 AS is_second_device,
            {drawn(6)} AS what, {drawn(7)} AS page_number FROM numbers),
    told AS (
        SELECT *, CAST(who * who * people AS BIGINT) AS person,
            make_timestamp(epoch_us(TIMESTAMP '{FIRST}') + 1000 * CAST((i // 8 * 8.0 / total * 0.98 + begun * 0.02) * {seconds} * 1000
                + n * 23000 + hash(i * 64 + 8) % 9000 AS BIGINT)) AS t
        FROM visits, (SELECT {{people}} AS people, {{total}} AS total) AS sizes),
    named AS (
        SELECT *, CASE WHEN n = 0 THEN '$pageview' ELSE {choice("what", NAMES)} END AS event,
            {choice("page_number", PAGES)} AS page, 'user-' || person || CASE WHEN is_second_device THEN '-phone' ELSE '' END AS distinct_id
        FROM told),
    texts AS (
        SELECT *, {choice(drawn(9, "visit"), BROWSERS)} AS browser, {choice(drawn(10, "visit"), COUNTRIES)} AS country_code,
            CASE WHEN n = 0 THEN {choice(drawn(11, "visit"), SOURCES)} END AS utm_source,
            CASE event WHEN 'purchase' THEN '{{{{"plan":"' || {choice(drawn(12), [("free", 1), ("pro", 2), ("team", 1)])} || '","revenue":' || (hash(i * 64 + 13) % 20000 / 100.0) || '}}}}'
                WHEN 'signed_up' THEN '{{{{"plan":"' || {choice(drawn(12), [("free", 6), ("pro", 1)])} || '"}}}}' END AS custom_properties
        FROM named)
    SELECT {uuid("i")} AS uuid, CAST(1 AS BIGINT) AS team_id, 'capture' AS source, event, distinct_id, t AS "timestamp",
        t + INTERVAL 2 SECOND AS created_at,
        '{{{{"$browser":"' || coalesce(browser, '') || '","$current_url":"https://example.com' || page || '","$session_id":"' || printf('%016x', hash(visit * 64 + 14)) ||
            '","$device_id":"' || printf('%016x', hash(person * 64 + 15)) || '","$insert_id":"' || printf('%016x', hash(i * 64 + 16)) || '"}}}}' AS properties,
        -- As it was when the event came: the phone's own person until it was merged.
        'person-' || person || CASE WHEN is_second_device AND i < total / 2 THEN '-phone' ELSE '' END AS person_id,
        TIMESTAMP '{FIRST}' AS person_created_at, '{{{{"name":"user-' || person || '"}}}}' AS person_properties,
        'full' AS person_mode, true AS is_identified, 'company-' || (person % 500) AS group0,
        printf('%016x', hash(visit * 64 + 14)) AS session_id, 'https://example.com' || page AS current_url, 'example.com' AS host, page AS pathname,
        CASE WHEN n = 0 THEN {choice(drawn(17, "visit"), [("www.google.com", 3), ("$direct", 5), ("example.org", 1)])} END AS referring_domain,
        utm_source, browser, {choice(drawn(18, "visit"), [("Mac OS X", 3), ("Windows", 4), ("iOS", 2), ("Android", 2)])} AS os,
        {choice(drawn(19, "visit"), [("Desktop", 7), ("Mobile", 3)])} AS device_type, country_code, 'web' AS lib, '1.449.2' AS lib_version,
        CASE WHEN event = '$feature_flag_called' THEN 'checkout' END AS feature_flag,
        CASE WHEN event = '$feature_flag_called' THEN CASE WHEN hash(person * 64 + 20) % 2 = 0 THEN 'control' ELSE 'test' END END AS feature_flag_variant,
        CASE WHEN event = '$exception' THEN 'Error' || (hash(i * 64 + 21) % 40) END AS exception_type,
        CASE WHEN event = '$exception' THEN 'it broke in ' || (hash(i * 64 + 22) % 100) || ' places' END AS exception_message,
        CASE WHEN event = '$exception' THEN 'fp-' || (hash(i * 64 + 21) % 40) END AS exception_fingerprint,
        CAST(300 + hash(i * 64 + 23) % 500 AS BIGINT) AS properties_bytes, custom_properties,
        {", ".join(f"CAST(NULL AS VARCHAR) AS {name}" for name in EMPTY.split())}
    FROM texts"""


def make(connection, folder, events, say=lambda text: None):
    """Writes the Parquet files, unless they are there, and makes the tables `events`, `persons` and `distinct_ids` of them."""
    written = pathlib.Path(folder) / f"written-{events}"
    if not written.exists():
        write(connection, folder, events, say)
        written.touch()
    connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{folder}/events-*.parquet', union_by_name = true)")
    for name in ("distinct_ids", "persons"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{name}.parquet'")


def write(connection, folder, events, say):
    people = max(events // EVENTS_A_PERSON, 10)
    sizes = {"people": people, "total": events}
    step = events // FILES // 8 * 8
    for file in range(FILES):
        rows = events_sql(file * step, (file + 1) * step).format(**sizes)
        # An SDK's retry, some time later: the same event once more.
        again = f"SELECT * FROM ({rows}) AS again WHERE hash(uuid) % 100 = 0"
        connection.execute(f"COPY ({rows} UNION ALL {again}) TO '{folder}/events-{file}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        say(f"{(file + 1) * step:,} of {events:,} events written")
    # What was decided of three issues.
    connection.execute(
        f"""COPY (
            SELECT 'decision-' || i AS uuid, CAST(1 AS BIGINT) AS team_id, 'issue_status_changed' AS event, 'hogflare-console' AS distinct_id,
                TIMESTAMP '{FIRST}' + INTERVAL 1 DAY * CAST(i AS INTEGER) AS "timestamp", 'propertyless' AS person_mode, 'nobody' AS person_id,
                '{{"issue":"fp-' || i || '","status":"resolved"}}' AS properties, '{{"issue":"fp-' || i || '","status":"resolved"}}' AS custom_properties
            FROM range(3, 6) AS r(i)
        ) TO '{folder}/events-decisions.parquet' (FORMAT parquet)"""
    )
    # Every id has a row, of the time it was first seen; phones a second one, of the time they were merged.
    connection.execute(
        f"""COPY (
            SELECT 'r' || i AS uuid, CAST(1 AS BIGINT) AS team_id, 'user-' || i AS distinct_id, 'person-' || i AS person_id,
                CAST(0 AS BIGINT) AS version, false AS is_deleted, TIMESTAMP '{FIRST}' AS "timestamp" FROM range({people + 1}) AS r(i)
            UNION ALL SELECT 's' || i, 1, 'user-' || i || '-phone', 'person-' || i || '-phone', 0, false, TIMESTAMP '{FIRST}' FROM range({people + 1}) AS r(i)
            UNION ALL SELECT 't' || i, 1, 'user-' || i || '-phone', 'person-' || i, 1, false, TIMESTAMP '{FIRST}' FROM range({people + 1}) AS r(i)
        ) TO '{folder}/distinct_ids.parquet' (FORMAT parquet)"""
    )
    connection.execute(
        f"""COPY (
            SELECT 'p' || i || '-' || v AS uuid, CAST(1 AS BIGINT) AS team_id, 'person-' || i AS person_id, i AS id, 'user-' || i AS distinct_id,
                '["user-' || i || '","user-' || i || '-phone"]' AS distinct_ids, '{{"name":"user-' || i || '","visits":' || v || '}}' AS properties,
                '{{"name":"user-' || i || '","visits":' || v || '}}' AS custom_properties, true AS is_identified, false AS is_deleted, v AS version,
                TIMESTAMP '{FIRST}' + INTERVAL 1 SECOND * CAST(hash(i * 64 + 30) % {DAYS * 86400} AS INTEGER) AS created_at, TIMESTAMP '{FIRST}' AS "timestamp"
            FROM range({people + 1}) AS r(i), range(3) AS s(v)
        ) TO '{folder}/persons.parquet' (FORMAT parquet)"""
    )
