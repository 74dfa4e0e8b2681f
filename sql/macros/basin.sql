-- Macros for Basin SQL, which has no CREATE: "npm run sql" puts their text where they are called.
--
-- Its JSON functions refuse a text of 2,000 bytes or more, so that longer ones are read as nothing.
CREATE OR REPLACE MACRO readable(doc) AS (CASE WHEN octet_length(doc) < 2000 THEN doc END);
CREATE OR REPLACE MACRO first_of(value, moment) AS first_value(value ORDER BY moment);
CREATE OR REPLACE MACRO first_of(value, moment, later) AS first_value(value ORDER BY moment, later);
CREATE OR REPLACE MACRO last_of(value, moment) AS last_value(value ORDER BY moment);
CREATE OR REPLACE MACRO last_of(value, moment, later) AS last_value(value ORDER BY moment, later);
