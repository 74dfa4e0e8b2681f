"""What Basin SQL (formerly R2 SQL) takes and what it refuses, as one pure function.

    checked = check(sql, schemas, Limits())
    checked.sql        # the same question for DuckDB, its tables replaced by views basin_STREAM
    checked.columns    # {"events": {"uuid", "timestamp"}}: what has to be read

The rules are those of Cloudflare's pages basin-sql/{sql-reference,reference/limitations-best-practices,
troubleshooting} of 2026-10, and where those are silent what users of the real engine measured. What
neither allows is refused: a query that passes here should pass there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.tokens import TokenType

from .basin_functions import FUNCTIONS, GATED, OWN, SYNTAX
from .schema import Schema

NAMESPACE = "default"


@dataclass(frozen=True)
class Limits:
    # Troubleshooting page: "LIMIT values must be between 1 and 10,000"; SQL reference: default 500.
    limit_default: int = 500
    limit_max: int = 10_000
    # Bytes that a query with windows, DISTINCT aggregates and the like may scan. The real engine
    # estimates its memory and tells no number: this one is a careful guess.
    budget_bytes: int = 256 * 2**20
    # Rows become visible when the sink closes its file; 0 shows them at once (the sink's least is 60).
    roll_seconds: float = 0.0
    # None takes any token, as long as there is one.
    token: str | None = None


class BasinRefused(Exception):
    """The engine's answer to a query it does not take: HTTP status, its code, its sentence."""

    def __init__(self, code: int, message: str, status: int = 400):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


SYNTAX_ERROR = 40003
INVALID_QUERY = 40004


def syntax_error(message: str) -> BasinRefused:
    return BasinRefused(SYNTAX_ERROR, f"invalid SQL: {message}")


def unsupported(message: str) -> BasinRefused:
    return BasinRefused(INVALID_QUERY, f"unsupported feature: {message}")


class Basin(DuckDB):
    """DuckDB's grammar with DataFusion's order of nulls: last when rising, first when falling."""

    NULL_ORDERING = "nulls_are_large"


@dataclass
class Checked:
    sql: str
    columns: dict[str, set[str]] = field(default_factory=dict)
    gated: list[str] = field(default_factory=list)
    since: dict[str, str] = field(default_factory=dict)


def table_name(stream: str) -> str:
    return f"hogflare_{stream}_v1"


def check(sql: str, schemas: dict[str, Schema], limits: Limits) -> Checked:
    """Raises BasinRefused where the real engine would refuse."""
    tokens = _tokens(sql)
    tree = _parse(sql)
    _check_names(tokens)
    _check_features(tree)
    _check_every_select(tree, schemas)
    checked = Checked("")
    checked.gated = sorted(_gated(tree, tokens))
    _resolve_tables(tree, schemas, checked)
    _limit(tree, limits)
    checked.sql = _for_duckdb(tree).sql(dialect="duckdb", comments=False)
    return checked


def _tokens(sql: str) -> list:
    try:
        return Basin().tokenize(sql)
    except SqlglotError as error:
        raise syntax_error(str(error)) from error


def _parse(sql: str) -> exp.Expression:
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=Basin) if tree is not None]
    except SqlglotError as error:
        detail = error.errors[0]["description"] if getattr(error, "errors", None) else str(error)
        raise syntax_error(f"sql parser error: {detail}") from error
    except RecursionError as error:
        raise syntax_error("sql parser error: recursion limit exceeded") from error
    if len(trees) != 1:
        raise syntax_error(f"expected exactly 1 statement, got {len(trees)}")
    tree = trees[0]
    if not isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery)):
        raise syntax_error("only read-only queries are allowed")
    if tree.find(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into):
        raise syntax_error("only read-only queries are allowed")
    return tree


def _check_names(tokens: list) -> None:
    """Functions by the names they were called by: parsing would turn aliases into one another."""
    for token, after in zip(tokens, tokens[1:]):
        name = token.text.lower()
        is_word = token.token_type != TokenType.STRING and (name[:1].isalpha() or name[:1] == "_")
        if is_word and name == "offset":
            raise syntax_error("unsupported feature: OFFSET clause is not supported")
        is_call = is_word and after.token_type == TokenType.L_PAREN
        if is_call and name not in FUNCTIONS and name not in SYNTAX:
            raise BasinRefused(INVALID_QUERY, f"Error during planning: Invalid function '{name}'")


_FEATURES: tuple[tuple[type, str], ...] = (
    (exp.Offset, "OFFSET clause is not supported"),
    (exp.Pivot, "PIVOT and UNPIVOT are not supported"),
    (exp.Unnest, "UNNEST is not supported"),
    (exp.Explode, "UNNEST is not supported"),
    (exp.Lateral, "LATERAL is not supported"),
    (exp.TableSample, "TABLESAMPLE is not supported"),
    (exp.Lambda, "lambda expressions are not supported"),
    (exp.Values, "VALUES is not supported"),
    (exp.Placeholder, "parameters are not supported"),
    (exp.Parameter, "parameters are not supported"),
    (exp.JSONExtract, "unsupported binary operator ->: use json_get_str and the like"),
    (exp.JSONExtractScalar, "unsupported binary operator ->>: use json_get_str and the like"),
    (exp.IntDiv, "unsupported binary operator //"),
    (exp.Comprehension, "list comprehensions are not supported"),
    (exp.PercentileDisc, "PERCENTILE_DISC is not supported, use PERCENTILE_CONT"),
)


def _check_features(tree: exp.Expression) -> None:
    for kind, message in _FEATURES:
        if tree.find(kind):
            raise unsupported(message)
    for node in tree.find_all(exp.With):
        if node.args.get("recursive"):
            raise unsupported("recursive CTEs are not supported")
    for star in tree.find_all(exp.Star):
        if any(star.args.get(name) for name in ("except_", "except", "replace", "rename", "ilike")):
            raise unsupported("wildcard modifiers (EXCLUDE, EXCEPT, REPLACE, RENAME) are not supported")
    for column in tree.find_all(exp.Columns):
        raise unsupported(f"{column.sql(dialect='duckdb')} is not supported")
    for group in tree.find_all(exp.Group):
        if group.args.get("all") is not None:
            raise unsupported("GROUP BY ALL is not supported")
    for join in tree.find_all(exp.Join):
        kinds = {str(join.args.get(name) or "").upper() for name in ("kind", "side", "method")}
        if kinds & {"SEMI", "ANTI", "ASOF", "POSITIONAL", "NATURAL"}:
            raise unsupported(f"{' '.join(sorted(kinds))} JOIN is not supported".replace("  ", " "))
        if isinstance(join.this, exp.Paren) or _is_nested(join.this):
            raise unsupported("nested (parenthesized) joins are not supported")


def _is_nested(source: exp.Expression | None) -> bool:
    return isinstance(source, exp.Subquery) and not isinstance(source.this, (exp.Select, exp.SetOperation, exp.Subquery))


def _check_every_select(tree: exp.Expression, schemas: dict[str, Schema]) -> None:
    for select in tree.find_all(exp.Select):
        if select.args.get("windows"):
            raise syntax_error("unsupported feature: WINDOW clause is not supported")
        source = select.args.get("from_") or select.args.get("from")
        if source is None:
            raise unsupported("expected exactly 1 table in FROM clause")
        if _is_nested(source.this):
            raise unsupported("nested (parenthesized) joins are not supported")
    for negation in tree.find_all(exp.Not):
        if isinstance(negation.this, exp.In) and (query := negation.this.args.get("query")):
            _check_not_in(query.unnest(), schemas)


def _check_not_in(query: exp.Expression, schemas: dict[str, Schema]) -> None:
    """NOT IN (SELECT column …) passes only where the column cannot be null."""
    expressions = query.expressions if isinstance(query, exp.Select) else []
    column = expressions[0].unalias() if len(expressions) == 1 else None
    source = query.find(exp.Table)
    schema = {table_name(stream): schema for stream, schema in schemas.items()}.get(source.name if source is not None else "")
    required = {f.name for f in schema.fields if f.required} if schema else set()
    if not (isinstance(column, exp.Column) and column.name in required):
        raise unsupported("NOT IN subquery on a nullable column is not supported: use NOT EXISTS")


def _gated(tree: exp.Expression, tokens: list) -> set[str]:
    found = {token.text.lower() for token in tokens if token.text.lower() in GATED}
    if tree.find(exp.Window):
        found.add("window functions")
    for distinct in tree.find_all(exp.Distinct):
        if isinstance(distinct.parent, exp.Func):
            found.add("DISTINCT aggregates")
    return found


def _resolve_tables(tree: exp.Expression, schemas: dict[str, Schema], checked: Checked) -> None:
    known = {table_name(stream): stream for stream in schemas}
    try:
        scopes = traverse_scope(tree)
    except SqlglotError as error:
        raise BasinRefused(INVALID_QUERY, f"Error during planning: {error}") from error
    for scope in scopes:
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table):
                continue
            stream = _stream_of(source, known)
            names = {f.name for f in schemas[stream].fields} | {"__ingest_ts"}
            used = _columns_used(scope, alias, names)
            checked.columns.setdefault(stream, set()).update(used)
            _note_since(scope, alias, stream, checked)
    for table in list(tree.find_all(exp.Table)):
        if table.db:
            stream = known[table.name]
            alias = table.alias or table.name
            view = exp.to_table(f"basin_{stream}")
            joins = table.args.get("joins")
            view.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
            if joins:
                view.set("joins", joins)
            table.replace(view)


def _stream_of(table: exp.Table, known: dict[str, str]) -> str:
    if not isinstance(table.this, exp.Identifier):
        raise unsupported("table functions are not supported")
    full = ".".join(part for part in (table.catalog, table.db, table.name) if part)
    if table.catalog or not table.db:
        raise BasinRefused(INVALID_QUERY, f"table '{full}' must be written as namespace_name.table_name")
    if table.db != NAMESPACE or table.name not in known:
        there = ", ".join(f"{NAMESPACE}.{name}" for name in known)
        raise BasinRefused(INVALID_QUERY, f"table '{full}' not found; there are {there}")
    return known[table.name]


def _columns_used(scope, alias: str, names: set[str]) -> set[str]:
    """Columns of this table that the scope names; an unqualified name may be any table's."""
    if any(
        isinstance(star.parent, exp.Select) or (isinstance(star.parent, exp.Column) and star.parent.table in ("", alias))
        for star in scope.find_all(exp.Star)
    ):
        return set(names)
    return {c.name for c in scope.columns if c.table in ("", alias)} & names


def _note_since(scope, alias: str, stream: str, checked: Checked) -> None:
    """The bound of `__ingest_ts >= '…'`, by which days of the table are left out of the scan."""
    where = scope.expression.args.get("where") if isinstance(scope.expression, exp.Select) else None
    bounds = []
    for part in where.this.flatten() if where and isinstance(where.this, exp.And) else ([where.this] if where else []):
        if isinstance(part, (exp.GTE, exp.GT)) and isinstance(part.expression, exp.Literal):
            column = part.this
            if isinstance(column, exp.Column) and column.name == "__ingest_ts":
                if column.table in ("", alias):
                    bounds.append(part.expression.this)
    # A table that is read twice is read from the earlier of both bounds.
    bound = max(bounds, default="")
    held = checked.since.get(stream)
    checked.since[stream] = bound if held is None else min(held, bound)


def _limit(tree: exp.Expression, limits: Limits) -> None:
    limit = tree.args.get("limit")
    if limit is None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(limits.limit_default)))
        return
    number = limit.expression
    if not (isinstance(number, exp.Literal) and not number.is_string and number.this.isdigit()):
        raise unsupported("LIMIT must be a whole number")
    if int(number.this) > limits.limit_max:
        raise BasinRefused(INVALID_QUERY, f"maximum LIMIT is {limits.limit_max}")
    if int(number.this) < 1:
        raise BasinRefused(INVALID_QUERY, "minimum LIMIT is 1")


def _for_duckdb(tree: exp.Expression) -> exp.Expression:
    """Functions that DuckDB has not got, or means otherwise, become macros basin_NAME."""

    def own(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Anonymous) and node.name.lower() in OWN:
            return exp.Anonymous(this=f"basin_{node.name.lower()}", expressions=node.expressions)
        if isinstance(node, exp.Div):
            return exp.Anonymous(this="basin_div", expressions=[node.left, node.right])
        if isinstance(node, (exp.FirstValue, exp.LastValue)) and not _is_window(node):
            return _positional(node)
        return node

    # From the leaves up, since what is inside of a replaced call must be replaced as well.
    for node in reversed(list(tree.walk())):
        changed = own(node)
        if changed is not node:
            node.replace(changed)
    return tree


def _is_window(node: exp.Expression) -> bool:
    parent = node.parent
    while isinstance(parent, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        parent = parent.parent
    return isinstance(parent, exp.Window)


def _positional(node: exp.Expression) -> exp.Expression:
    """first_value(x ORDER BY …) outside of a window is DuckDB's first(x ORDER BY …)."""
    name = "first" if isinstance(node, exp.FirstValue) else "last"
    return exp.Anonymous(this=name, expressions=[node.this])
