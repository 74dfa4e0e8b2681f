-- Functions of Basin SQL that DuckDB has not got, or means otherwise, for the stand-in alone.
-- JSON functions refuse a text of 2,000 bytes or more, as measured by users of the real engine.
CREATE OR REPLACE MACRO basin_json(doc) AS CASE
    WHEN strlen(doc::VARCHAR) >= 2000
        THEN error('JSON text of ' || strlen(doc::VARCHAR)::VARCHAR || ' bytes: JSON functions take less than 2000 bytes')
    ELSE doc::VARCHAR END;
CREATE OR REPLACE MACRO basin_step(key) AS CASE
    WHEN typeof(key) IN ('INTEGER', 'BIGINT') THEN '[' || key::VARCHAR || ']'
    ELSE '."' || replace(key::VARCHAR, '"', '\"') || '"' END;
CREATE OR REPLACE MACRO basin_json_at(doc, path) AS CASE
    WHEN json_valid(basin_json(doc)) THEN json_extract(basin_json(doc), '$' || path) END;
CREATE OR REPLACE MACRO basin_as_str(value) AS CASE
    WHEN json_type(value) = 'VARCHAR' THEN json_extract_string(value, '$') END;
CREATE OR REPLACE MACRO basin_as_text(value) AS CASE
    WHEN json_type(value) = 'VARCHAR' THEN json_extract_string(value, '$')
    WHEN json_type(value) <> 'NULL' THEN value::VARCHAR END;
CREATE OR REPLACE MACRO basin_as_float(value) AS CASE
    WHEN json_type(value) IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT') THEN value::VARCHAR::DOUBLE END;
CREATE OR REPLACE MACRO basin_as_int(value) AS CASE
    WHEN json_type(value) IN ('BIGINT', 'UBIGINT') THEN try_cast(value::VARCHAR AS BIGINT) END;
CREATE OR REPLACE MACRO basin_as_bool(value) AS CASE
    WHEN json_type(value) = 'BOOLEAN' THEN value::VARCHAR::BOOLEAN END;
CREATE OR REPLACE MACRO basin_json_get_str
    (doc, a) AS basin_as_str(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_str(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_as_text
    (doc, a) AS basin_as_text(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_text(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_get
    (doc, a) AS basin_as_text(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_text(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_get_float
    (doc, a) AS basin_as_float(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_float(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_get_int
    (doc, a) AS basin_as_int(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_int(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_get_bool
    (doc, a) AS basin_as_bool(basin_json_at(doc, basin_step(a))),
    (doc, a, b) AS basin_as_bool(basin_json_at(doc, basin_step(a) || basin_step(b)));
CREATE OR REPLACE MACRO basin_json_get_json
    (doc, a) AS basin_json_at(doc, basin_step(a))::VARCHAR,
    (doc, a, b) AS basin_json_at(doc, basin_step(a) || basin_step(b))::VARCHAR;
CREATE OR REPLACE MACRO basin_json_get_array(doc, a) AS
    from_json(basin_json_at(doc, basin_step(a)), '["VARCHAR"]');
CREATE OR REPLACE MACRO basin_json_contains(doc, a) AS
    coalesce(basin_json_at(doc, basin_step(a)) IS NOT NULL, false);
CREATE OR REPLACE MACRO basin_json_size(value) AS CASE
    WHEN json_type(value) = 'ARRAY' THEN json_array_length(value)
    WHEN json_type(value) = 'OBJECT' THEN len(json_keys(value)) END;
CREATE OR REPLACE MACRO basin_json_length
    (doc) AS basin_json_size(basin_json_at(doc, '')),
    (doc, a) AS basin_json_size(basin_json_at(doc, basin_step(a)));
CREATE OR REPLACE MACRO basin_date_bin
    (width, moment) AS time_bucket(width, moment, TIMESTAMP '1970-01-01'),
    (width, moment, origin) AS time_bucket(width, moment, origin::TIMESTAMP);
CREATE OR REPLACE MACRO basin_from_unixtime(s) AS make_timestamp((s * 1000000)::BIGINT);
CREATE OR REPLACE MACRO basin_to_timestamp_seconds(s) AS make_timestamp((s * 1000000)::BIGINT);
CREATE OR REPLACE MACRO basin_to_timestamp_millis(ms) AS make_timestamp((ms * 1000)::BIGINT);
CREATE OR REPLACE MACRO basin_to_timestamp_micros(us) AS make_timestamp(us::BIGINT);
CREATE OR REPLACE MACRO basin_to_unixtime(moment) AS floor(epoch(moment))::BIGINT;
CREATE OR REPLACE MACRO basin_nvl(a, b) AS coalesce(a, b);
CREATE OR REPLACE MACRO basin_nvl2(a, b, c) AS CASE WHEN a IS NULL THEN c ELSE b END;
CREATE OR REPLACE MACRO basin_approx_distinct(x) AS approx_count_distinct(x);
CREATE OR REPLACE MACRO basin_approx_median(x) AS approx_quantile(x, 0.5);
CREATE OR REPLACE MACRO basin_approx_percentile_cont(x, p) AS approx_quantile(x, p);
CREATE OR REPLACE MACRO basin_regexp_like(text, pattern) AS regexp_matches(text, pattern);
CREATE OR REPLACE MACRO basin_digest(text, kind) AS CASE kind WHEN 'md5' THEN md5(text) WHEN 'sha256' THEN sha256(text) END;
CREATE OR REPLACE MACRO basin_octet_length(text) AS strlen(text);
CREATE OR REPLACE MACRO basin_char_length(text) AS length(text);
CREATE OR REPLACE MACRO basin_character_length(text) AS length(text);
CREATE OR REPLACE MACRO basin_btrim(text) AS trim(text);
-- Two whole numbers divide to a whole number there.
CREATE OR REPLACE MACRO basin_whole(kind) AS kind IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT');
CREATE OR REPLACE MACRO basin_div(a, b) AS CASE
    WHEN basin_whole(typeof(a)) AND basin_whole(typeof(b)) THEN trunc(a / b) ELSE a / b END;
