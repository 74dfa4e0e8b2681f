-- events_with_person on Basin SQL, which has no EXCLUDE: the columns of the DuckDB view, by name.
--
-- Columns and meaning: as ../duckdb/05_events_with_person.sql. Cost: all columns asked for; its windows have
-- a budget, so ask "activity" where its columns are enough.
CREATE OR REPLACE VIEW events_with_person AS
SELECT
    e.uuid,
    e.team_id,
    e.source,
    e.event,
    e.distinct_id,
    e."timestamp",
    e.created_at,
    e.properties,
    e.context,
    e.person_created_at,
    e.person_properties,
    e.group0,
    e.group1,
    e.group2,
    e.group3,
    e.group4,
    e.group_properties,
    e.api_key,
    e.extra,
    e.session_id,
    e.window_id,
    e.current_url,
    e.host,
    e.pathname,
    e.screen_name,
    e.referrer,
    e.referring_domain,
    e.utm_source,
    e.utm_medium,
    e.utm_campaign,
    e.utm_term,
    e.utm_content,
    e.browser,
    e.browser_version,
    e.os,
    e.os_version,
    e.device_type,
    e.country_code,
    e.region,
    e.city,
    e.lib,
    e.lib_version,
    e.person_mode,
    e.feature_flag,
    e.feature_flag_variant,
    e.exception_type,
    e.exception_message,
    e.exception_fingerprint,
    e.properties_bytes,
    e.custom_properties,
    e.__ingest_ts,
    e.is_identified AS event_is_identified,
    e.person_id AS event_person_id,
    coalesce(d.person_id, e.person_id) AS person_id,
    p.properties AS current_person_properties,
    p.created_at AS current_person_created_at,
    p.is_identified
FROM events_deduplicated AS e
LEFT JOIN person_distinct_ids AS d
    ON d.distinct_id = e.distinct_id
    AND d.team_id IS NOT DISTINCT FROM e.team_id
LEFT JOIN persons_current AS p
    ON p.person_id = coalesce(d.person_id, e.person_id)
    AND p.team_id IS NOT DISTINCT FROM e.team_id;
