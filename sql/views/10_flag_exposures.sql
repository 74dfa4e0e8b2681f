-- flag_exposures: who was shown which variant of which flag, one row a person and flag.
--
-- Columns: team_id, feature_flag, person_id, variant (of the first exposure), exposed_at, exposures, is_multiple
-- (saw several variants: PostHog leaves such people out of experiments). Cost: of activity seven columns.
CREATE OR REPLACE VIEW flag_exposures AS
SELECT
    team_id,
    feature_flag,
    person_id,
    first_of(feature_flag_variant, "timestamp", uuid) AS variant,
    min("timestamp") AS exposed_at,
    count(*) AS exposures,
    min(feature_flag_variant) <> max(feature_flag_variant) AS is_multiple
FROM activity
WHERE event = '$feature_flag_called' AND feature_flag IS NOT NULL AND feature_flag_variant IS NOT NULL
GROUP BY team_id, feature_flag, person_id;
