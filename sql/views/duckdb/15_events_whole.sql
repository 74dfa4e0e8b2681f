-- events_whole: every event once, as its row would be without the switches that make rows shorter.
--
-- HOGFLARE_ROWS=lean keeps an event's own properties in custom_properties alone where all of them fit, and what has a
-- column only there; HOGFLARE_PERSON_PROPERTIES=changed or off leaves the person's out. Here all stand where full rows
-- have them, in another order.
--
-- Columns: those of events. Cost: events_deduplicated and person_as_of, one hash join.
-- The members of a JSON object without its braces; NULL of an empty one.
CREATE OR REPLACE MACRO members_of(doc) AS nullif(substr(CAST(doc AS VARCHAR), 2, length(CAST(doc AS VARCHAR)) - 2), '');
-- "name":value where the column has a value and the object no such member.
CREATE OR REPLACE MACRO put_back(doc, name, value) AS CASE
    WHEN value IS NOT NULL AND NOT coalesce(list_contains(json_keys(doc), name), false)
        THEN to_json(name) || ':' || to_json(value) END;
CREATE OR REPLACE VIEW events_whole AS
SELECT
    e.* EXCLUDE (properties, person_properties),
    CAST('{' || concat_ws(
        ',',
        members_of(e.properties),
        put_back(e.properties, '$window_id', e.window_id),
        put_back(e.properties, '$current_url', e.current_url),
        put_back(e.properties, '$host', e.host),
        put_back(e.properties, '$pathname', e.pathname),
        put_back(e.properties, '$screen_name', e.screen_name),
        put_back(e.properties, '$referrer', e.referrer),
        put_back(e.properties, '$referring_domain', e.referring_domain),
        put_back(e.properties, 'utm_source', e.utm_source),
        put_back(e.properties, 'utm_medium', e.utm_medium),
        put_back(e.properties, 'utm_campaign', e.utm_campaign),
        put_back(e.properties, 'utm_term', e.utm_term),
        put_back(e.properties, 'utm_content', e.utm_content),
        put_back(e.properties, '$browser', e.browser),
        put_back(e.properties, '$browser_version', e.browser_version),
        put_back(e.properties, '$os', e.os),
        put_back(e.properties, '$os_version', e.os_version),
        put_back(e.properties, '$device_type', e.device_type),
        put_back(e.properties, '$geoip_country_code', e.country_code),
        put_back(e.properties, '$geoip_subdivision_1_name', e.region),
        put_back(e.properties, '$geoip_city_name', e.city),
        put_back(e.properties, '$lib', e.lib),
        put_back(e.properties, '$lib_version', e.lib_version),
        put_back(e.properties, '$feature_flag', e.feature_flag),
        put_back(e.properties, '$feature_flag_response', e.feature_flag_variant),
        CASE WHEN NOT coalesce(
            list_contains(json_keys(e.properties), json_keys(e.custom_properties)[1]), false
        ) THEN members_of(e.custom_properties) END
    ) || '}' AS JSON) AS properties,
    coalesce(e.person_properties, p.person_properties) AS person_properties
FROM events_deduplicated AS e
LEFT JOIN person_as_of AS p
    ON p.uuid = e.uuid
    AND p.event = e.event
    AND p.distinct_id = e.distinct_id
    AND p.team_id IS NOT DISTINCT FROM e.team_id;
