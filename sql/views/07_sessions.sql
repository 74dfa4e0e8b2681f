-- sessions: one row a session ($session_id), with its length, bounce, entry and exit.
--
-- A bounce is PostHog's: at most one page or screen, no autocapture, under ten seconds; NULL without a page.
-- entry and exit are the first and last page's pathname (a screen's name where there is none).
--
-- Columns: team_id, session_id, person_id and distinct_id (of its last event), started_at, ended_at, seconds,
-- events, pages, entry_page, exit_page, utm_source and referring_domain (of the first page), is_bounce.
-- Cost: activity twice, with some twelve columns.
CREATE OR REPLACE VIEW sessions AS
SELECT
    s.team_id,
    s.session_id,
    s.person_id,
    s.distinct_id,
    s.started_at,
    s.ended_at,
    date_part('epoch', s.ended_at) - date_part('epoch', s.started_at) AS seconds,
    s.events,
    coalesce(p.pages, 0) AS pages,
    p.entry_page,
    p.exit_page,
    p.utm_source,
    p.referring_domain,
    CASE WHEN p.pages IS NOT NULL THEN
        p.pages <= 1 AND s.autocaptures = 0
        AND date_part('epoch', s.ended_at) - date_part('epoch', s.started_at) < 10
    END AS is_bounce
FROM (
    SELECT
        team_id,
        session_id,
        last_of(person_id, "timestamp", uuid) AS person_id,
        last_of(distinct_id, "timestamp", uuid) AS distinct_id,
        min("timestamp") AS started_at,
        max("timestamp") AS ended_at,
        count(*) AS events,
        sum(CASE WHEN event = '$autocapture' THEN 1 ELSE 0 END) AS autocaptures
    FROM activity
    WHERE session_id IS NOT NULL
    GROUP BY team_id, session_id
) AS s
LEFT JOIN (
    SELECT
        team_id,
        session_id,
        count(*) AS pages,
        first_of(coalesce(pathname, screen_name), "timestamp", uuid) AS entry_page,
        last_of(coalesce(pathname, screen_name), "timestamp", uuid) AS exit_page,
        first_of(utm_source, "timestamp", uuid) AS utm_source,
        first_of(referring_domain, "timestamp", uuid) AS referring_domain
    FROM activity
    WHERE session_id IS NOT NULL AND event IN ('$pageview', '$screen')
    GROUP BY team_id, session_id
) AS p
    ON p.session_id = s.session_id
    AND p.team_id IS NOT DISTINCT FROM s.team_id;
