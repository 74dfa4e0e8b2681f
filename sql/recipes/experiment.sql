-- experiment: an experiment's readout: people exposed to each variant, and how many of them converted afterwards.
--
-- Who saw several variants is left out. Exposure and conversion lie in the range.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
-- $flag = 'checkout': key of the flag
-- $conversion = 'purchase': the event
--
-- Cost: of events in the range the key, person_id, feature_flag and feature_flag_variant.
WITH exposed AS (
    SELECT
        person_id,
        first_of(feature_flag_variant, "timestamp", uuid) AS variant,
        min("timestamp") AS exposed_at
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = '$feature_flag_called' AND feature_flag = $flag
        AND feature_flag_variant IS NOT NULL
    GROUP BY person_id
    HAVING min(feature_flag_variant) = max(feature_flag_variant)
),
converted AS (
    SELECT DISTINCT x.person_id
    FROM exposed AS x
    JOIN activity AS a ON a.person_id = x.person_id AND a."timestamp" >= x.exposed_at
    WHERE a.team_id = $team_id AND a."timestamp" < $until AND a.event = $conversion
)
SELECT
    x.variant,
    count(*) AS people,
    count(c.person_id) AS converted,
    CAST(count(c.person_id) AS DOUBLE) / count(*) AS rate
FROM exposed AS x
LEFT JOIN converted AS c ON c.person_id = x.person_id
GROUP BY x.variant
ORDER BY x.variant
LIMIT 100;
