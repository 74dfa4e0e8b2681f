-- issue_decisions: what was decided about issues: the newest event issue_status_changed of each fingerprint.
--
-- Columns: team_id, exception_fingerprint, decided (active, resolved or ignored), decided_at, until_people and
-- until_occurrences (of ignored: how many it takes since, NULL without that bound). Cost: of activity six columns.
CREATE OR REPLACE VIEW issue_decisions AS
SELECT
    team_id,
    exception_fingerprint,
    last_of(decided, "timestamp", uuid) AS decided,
    max("timestamp") AS decided_at,
    last_of(CASE WHEN until_people >= 1 THEN until_people END, "timestamp", uuid) AS until_people,
    last_of(CASE WHEN until_occurrences >= 1 THEN until_occurrences END, "timestamp", uuid) AS until_occurrences
FROM (
    SELECT
        team_id,
        uuid,
        "timestamp",
        json_get_str(readable(custom_properties), 'issue') AS exception_fingerprint,
        json_get_str(readable(custom_properties), 'status') AS decided,
        json_get_float(readable(custom_properties), 'until_people') AS until_people,
        json_get_float(readable(custom_properties), 'until_occurrences') AS until_occurrences
    FROM activity
    WHERE event = 'issue_status_changed'
) AS each_decision
WHERE exception_fingerprint <> '' AND decided IN ('active', 'resolved', 'ignored')
GROUP BY team_id, exception_fingerprint;
