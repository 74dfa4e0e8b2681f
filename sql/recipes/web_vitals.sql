-- web_vitals: 75th and 90th percentile of the web vitals: LCP, INP, FCP in milliseconds, CLS without a unit.
--
-- left_out counts rows whose properties the engine's JSON functions do not take (Basin SQL: 2,000 bytes or more).
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of $web_vitals events in the range the key and properties; percentiles have a budget on Basin SQL.
WITH vitals AS (
    SELECT
        json_get_float(readable(properties), '$web_vitals_LCP_value') AS lcp,
        json_get_float(readable(properties), '$web_vitals_INP_value') AS inp,
        json_get_float(readable(properties), '$web_vitals_FCP_value') AS fcp,
        json_get_float(readable(properties), '$web_vitals_CLS_value') AS cls,
        CASE WHEN readable(properties) IS NULL THEN 1 ELSE 0 END AS left_out
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = '$web_vitals'
),
measured AS (
    SELECT 'LCP' AS metric, lcp AS amount, left_out FROM vitals
    UNION ALL
    SELECT 'INP' AS metric, inp AS amount, left_out FROM vitals
    UNION ALL
    SELECT 'FCP' AS metric, fcp AS amount, left_out FROM vitals
    UNION ALL
    SELECT 'CLS' AS metric, cls AS amount, left_out FROM vitals
)
SELECT
    metric,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY amount) AS p75,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY amount) AS p90,
    count(amount) AS measurements,
    sum(left_out) AS left_out
FROM measured
GROUP BY metric
ORDER BY metric
LIMIT 10;
