-- groups_current: the present state of each group, one row a group type and key.
--
-- A $groupidentify event's row has the group's properties as they were after it. Rows whose JSON is too
-- long for the engine's functions are left out: on Basin SQL those of 2,000 bytes or more.
--
-- Columns: team_id, group_type, group_key, properties (JSON text), changed_at.
-- Cost: of activity the key, properties and group_properties; filter by "timestamp" on large tables.
CREATE OR REPLACE VIEW groups_current AS
SELECT
    team_id,
    group_type,
    group_key,
    last_of(json_get_json(group_properties, group_type), "timestamp", uuid) AS properties,
    max("timestamp") AS changed_at
FROM (
    SELECT
        team_id,
        uuid,
        "timestamp",
        json_get_str(readable(properties), '$group_type') AS group_type,
        json_get_str(readable(properties), '$group_key') AS group_key,
        readable(group_properties) AS group_properties
    FROM activity
    WHERE event = '$groupidentify'
) AS changes
WHERE group_type IS NOT NULL AND group_key IS NOT NULL
GROUP BY team_id, group_type, group_key;
