-- ai_cost: what language models cost: calls, tokens, dollars and people by model.
--
-- left_out counts rows whose properties the engine's JSON functions do not take (Basin SQL: 2,000 bytes or more).
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of $ai_generation events in the range the key, person_id and properties.
WITH calls AS (
    SELECT
        coalesce(json_get_str(readable(properties), '$ai_model'), '(none)') AS model,
        person_id,
        json_get_float(readable(properties), '$ai_input_tokens') AS input_tokens,
        json_get_float(readable(properties), '$ai_output_tokens') AS output_tokens,
        json_get_float(readable(properties), '$ai_total_cost_usd') AS cost_usd,
        CASE WHEN readable(properties) IS NULL THEN 1 ELSE 0 END AS left_out
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = '$ai_generation'
),
by_person AS (
    SELECT
        model,
        person_id,
        count(*) AS calls,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cost_usd) AS cost_usd,
        sum(left_out) AS left_out
    FROM calls
    GROUP BY model, person_id
)
SELECT
    model,
    sum(calls) AS calls,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    count(*) AS people,
    sum(left_out) AS left_out
FROM by_person
GROUP BY model
ORDER BY model
LIMIT 1000;
