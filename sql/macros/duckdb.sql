-- Macros for DuckDB: the functions of Basin SQL that the views and recipes use, by the same names.
--
-- first_of and last_of give the value of the earliest and latest row; a second moment decides ties.
-- readable gives a JSON text that the engine's JSON functions take: here any.
CREATE OR REPLACE MACRO json_get_json(doc, name) AS CAST(json_extract(doc, '$."' || name || '"') AS VARCHAR);
CREATE OR REPLACE MACRO json_get_str(doc, name) AS CASE
    WHEN json_type(doc, '$."' || name || '"') = 'VARCHAR' THEN json_extract_string(doc, '$."' || name || '"') END;
CREATE OR REPLACE MACRO json_get_float(doc, name) AS CASE
    WHEN json_type(doc, '$."' || name || '"') NOT IN ('VARCHAR', 'BOOLEAN')
        THEN try_cast(json_extract_string(doc, '$."' || name || '"') AS DOUBLE) END;
CREATE OR REPLACE MACRO readable(doc) AS doc;
CREATE OR REPLACE MACRO first_of
    (value, moment) AS arg_min_null(value, moment),
    (value, moment, later) AS arg_min_null(value, ROW(moment, later));
CREATE OR REPLACE MACRO last_of
    (value, moment) AS arg_max_null(value, moment),
    (value, moment, later) AS arg_max_null(value, ROW(moment, later));
