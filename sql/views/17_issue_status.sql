-- issue_status: of each issue that something was decided about, what holds now.
--
-- A resolved issue that was met after the decision is active again, and so is an ignored one that as many people or
-- events met since as it was ignored for. Issues that nothing was decided about have no row: they are active.
--
-- Columns: those of issue_decisions; status, people_since, occurrences_since. Cost: activity four times, with eight
-- columns in all.
CREATE OR REPLACE VIEW issue_status AS
SELECT
    d.team_id,
    d.exception_fingerprint,
    CASE
        WHEN d.decided = 'resolved' AND o.occurrences > 0 THEN 'active'
        WHEN d.decided = 'ignored' AND p.people >= d.until_people THEN 'active'
        WHEN d.decided = 'ignored' AND o.occurrences >= d.until_occurrences THEN 'active'
        ELSE d.decided
    END AS status,
    d.decided,
    d.decided_at,
    d.until_people,
    d.until_occurrences,
    coalesce(p.people, 0) AS people_since,
    coalesce(o.occurrences, 0) AS occurrences_since
FROM issue_decisions AS d
LEFT JOIN (
    SELECT a.team_id, a.exception_fingerprint, count(*) AS occurrences
    FROM activity AS a
    JOIN issue_decisions AS i ON i.team_id = a.team_id AND i.exception_fingerprint = a.exception_fingerprint
    WHERE a.event = '$exception' AND a."timestamp" > i.decided_at
    GROUP BY a.team_id, a.exception_fingerprint
) AS o
    ON o.team_id = d.team_id AND o.exception_fingerprint = d.exception_fingerprint
LEFT JOIN (
    SELECT team_id, exception_fingerprint, count(*) AS people
    FROM (
        SELECT DISTINCT a.team_id, a.exception_fingerprint, a.person_id
        FROM activity AS a
        JOIN issue_decisions AS i ON i.team_id = a.team_id AND i.exception_fingerprint = a.exception_fingerprint
        WHERE a.event = '$exception' AND a."timestamp" > i.decided_at
    ) AS each_person
    GROUP BY team_id, exception_fingerprint
) AS p
    ON p.team_id = d.team_id AND p.exception_fingerprint = d.exception_fingerprint;
