-- events_with_person: every event once, attributed to the person that its distinct_id belongs to now.
--
-- A row carries the person as of its event. What happened since (merges, or a person for a distinct_id
-- whose events were personless and carry its deterministic UUIDv5) is applied here: first by the
-- distinct_id; where no person has claimed it the stored person_id stays, as it does for people deleted
-- outright.
--
-- Columns: those of events; event_person_id and event_is_identified (as stored in the row) and person_id (at
-- present); the person's present state as current_person_properties, current_person_created_at and
-- is_identified (NULL without a present snapshot). Cost: events_deduplicated and person_distinct_ids once,
-- two hash joins: O(n) beyond those views. "activity" is cheaper where its columns are enough.
CREATE OR REPLACE VIEW events_with_person AS
SELECT
    e.* EXCLUDE (person_id, is_identified),
    e.is_identified AS event_is_identified,
    e.person_id AS event_person_id,
    coalesce(d.person_id, e.person_id) AS person_id,
    p.properties AS current_person_properties,
    p.created_at AS current_person_created_at,
    p.is_identified
FROM events_deduplicated AS e
LEFT JOIN person_distinct_ids AS d
    ON d.team_id IS NOT DISTINCT FROM e.team_id
    AND d.distinct_id = e.distinct_id
LEFT JOIN persons_current AS p
    ON p.team_id IS NOT DISTINCT FROM e.team_id
    AND p.person_id = coalesce(d.person_id, e.person_id);
