"""The functions Basin SQL has, from Cloudflare's pages scalar-functions, aggregate-functions,
complex-types and sql-reference (2026-10), and which of them only run on little data."""

from __future__ import annotations

_SCALAR = """
arrow_cast arrow_typeof coalesce get_field greatest least named_struct nullif nvl ifnull nvl2 overlay
struct row digest md5 sha224 sha256 sha384 sha512
current_date today current_time date_bin date_part datepart date_trunc datetrunc from_unixtime make_date
make_time now current_timestamp to_char date_format to_date to_local_time to_time to_timestamp
to_timestamp_micros to_timestamp_millis to_timestamp_nanos to_timestamp_seconds to_unixtime extract
decode encode
json_as_text json_contains json_get json_get_array json_get_bool json_get_float json_get_int
json_get_json json_get_str json_length
abs cbrt ceil degrees exp factorial floor gcd sinh cosh tanh asinh acosh atanh isnan iszero lcm ln log
log2 log10 nanvl pi power pow radians random round signum sqrt sin cos tan asin acos atan atan2 cot trunc
regexp_count regexp_instr regexp_like regexp_match regexp_replace
ascii bit_length btrim trim chr concat concat_ws contains ends_with levenshtein lower ltrim octet_length
repeat replace rtrim split_part starts_with to_hex upper uuid
character_length length char_length find_in_set initcap left lpad reverse right rpad strpos instr position
substr substring substr_index substring_index translate
"""

_COLLECTIONS = """
make_array string_to_array range generate_series array_length cardinality empty array_ndims array_dims
array_has array_has_all array_has_any array_position array_positions array_sort array_reverse
array_distinct flatten array_slice array_append array_prepend array_concat array_remove array_remove_all
array_remove_n array_replace array_replace_n array_replace_all array_pop_back array_pop_front
array_repeat array_resize array_intersect array_union array_except array_max array_min array_any_value
array_to_string array_element map map_keys map_values map_extract
"""

_AGGREGATES = """
count sum avg mean min max median percentile_cont
approx_percentile_cont approx_percentile_cont_with_weight approx_median approx_distinct approx_top_k
var var_samp var_pop stddev stddev_samp stddev_pop covar_samp covar covar_pop corr regr_slope
regr_intercept regr_count regr_r2 regr_avgx regr_avgy regr_sxx regr_syy regr_sxy
bit_and bit_or bit_xor bool_and bool_or first_value last_value array_agg string_agg nth_value grouping
"""

_WINDOWS = "row_number rank dense_rank percent_rank cume_dist ntile lag lead"

FUNCTIONS = frozenset(f"{_SCALAR} {_COLLECTIONS} {_AGGREGATES} {_WINDOWS}".split())

# Words before a parenthesis that are no call, or whose form is refused with a better sentence.
SYNTAX = frozenset(
    """
    all and any as between by case cast cube distinct else end except exists filter from group
    having ilike in inner intersect interval is join like not on or order over partition
    qualify rollup select sets similar some then to try_cast union using when where with within
    char varchar decimal numeric timestamp time float
    exclude rename pivot unpivot unnest lateral values
    """.split()
)

# Limitations page, "Budget-gated functions"; windows and DISTINCT aggregates are found by their form.
GATED = frozenset("median percentile_cont array_agg string_agg nth_value".split())

# What basin_macros.sql defines for DuckDB, under the name basin_NAME.
OWN = frozenset(
    """
    json_as_text json_contains json_get json_get_bool json_get_float json_get_int json_get_json
    json_get_str json_length json_get_array date_bin from_unixtime to_unixtime to_timestamp_millis
    to_timestamp_micros to_timestamp_seconds nvl nvl2 approx_distinct approx_median
    approx_percentile_cont regexp_like digest octet_length char_length character_length btrim
    """.split()
)
