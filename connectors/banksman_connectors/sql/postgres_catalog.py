"""What PostgreSQL says about its tables. https://www.postgresql.org/docs/current/catalogs.html"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from banksman_connectors.sql.schema import Reference, Table, TableColumn, TableName, Trigger

if TYPE_CHECKING:
    from banksman_connectors.sql.session import Session

_ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_EVENTS: Final = {"INSERT": 4, "DELETE": 8, "UPDATE": 16}
_KINDS: Final = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}

_TABLES: Final = (
    "SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2"
)
_ONE: Final = (
    "SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, "
    "(SELECT count(*) FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN'), "
    "(SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r') "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = :name "
    "AND CASE WHEN :schema::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END"
)
_COLUMNS: Final = (
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), "
    "a.attgenerated::text, a.attidentity::text, "
    "(SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_index i "
    "WHERE i.indrelid = a.attrelid AND i.indisprimary) "
    "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = :oid "
    "ORDER BY a.attnum"
)
_REFERENCES: Final = (
    "SELECT n.nspname, c.relname, "
    "(SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k(number, place) "
    "JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number), "
    "(SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k(number, place) "
    "JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number), "
    "f.confdeltype::text, f.confupdtype::text "
    "FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confrelid = :oid "
    "ORDER BY 1, 2, f.conname"
)
_TRIGGERS: Final = (
    "SELECT tgname, tgtype::int FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = :oid "
    "ORDER BY tgname"
)
_FUNCTIONS: Final = (
    "SELECT proname, array_agg(DISTINCT provolatile::text) FROM pg_proc WHERE proname = ANY(:names) GROUP BY proname"
)


def list_tables(session: Session) -> list[tuple[TableName, str]]:
    """Every table and view outside the system's own schemas."""
    rows = session.ask(_TABLES)
    return [(TableName(schema, name), "view" if kind in ("v", "m") else "table") for schema, name, kind in rows]


def find_table(session: Session, schema: str | None, name: str) -> Table | None:
    """A table by its exact name; without a schema, the one that the search path finds."""
    found = session.ask(_ONE, name=name, schema=schema)
    if not found:
        return None
    oid, schema, name, kind, rules, children = found[0]
    columns = session.ask(_COLUMNS, oid=oid)
    refuses = f"it is {_KINDS[kind]}" if kind in _KINDS else None
    refuses = refuses or ("it has rewrite rules" if rules else "other tables inherit from it" if children else None)
    return Table(
        title=TableName(str(schema), str(name)),
        columns=tuple(_column(row) for row in columns),
        primary_key=tuple(row[0] for row in sorted((r for r in columns if r[6] is not None), key=lambda r: int(r[6]))),
        dialect="postgres",
        triggers=tuple(_trigger(*row) for row in session.ask(_TRIGGERS, oid=oid)),
        referred_by=tuple(_reference(*row) for row in session.ask(_REFERENCES, oid=oid)),
        refuses=refuses,
    )


def _column(row: tuple[Any, ...]) -> TableColumn:
    name, kind, notnull, default, generated, identity, _ = row
    return TableColumn(
        name,
        kind,
        nullable=not notnull,
        default=None if generated else default,
        generated=bool(generated),
        numbered=bool(identity),
        structured=kind in ("json", "jsonb"),
    )


def _trigger(name: str, kind: int) -> Trigger:
    return Trigger(name, frozenset(event for event, bit in _EVENTS.items() if kind & bit))


def _reference(
    schema: str, name: str, columns: list[str], referred: list[str], on_delete: str, on_update: str
) -> Reference:
    return Reference(TableName(schema, name), tuple(columns), tuple(referred), _ACTIONS[on_delete], _ACTIONS[on_update])


def volatilities(session: Session, names: Iterable[str]) -> dict[str, set[str]]:
    """How the functions of these names are marked: `i` immutable, `s` stable, `v` volatile. Others are left out."""
    wanted = sorted(names)
    if not wanted:
        return {}
    return {name: set(kinds) for name, kinds in session.ask(_FUNCTIONS, names=wanted)}


#: Of each table: its columns, indexes, constraints and, for a view, what it selects.
_OUTLINE: Final = {
    "columns": (
        "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) || "
        "CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || "
        "COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped "
        "AND n.nspname !~ '^pg_' ORDER BY 1, 2, a.attnum"
    ),
    "indexes": (
        "SELECT n.nspname, c.relname, i.relname, pg_get_indexdef(i.oid) FROM pg_index x "
        "JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' ORDER BY 1, 2, 3"
    ),
    "constraints": (
        "SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k "
        "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE k.contype <> 'n' AND n.nspname !~ '^pg_' ORDER BY 1, 2, 3"
    ),
    "definition": (
        "SELECT n.nspname, c.relname, 'view', pg_get_viewdef(c.oid) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_'"
    ),
}
_OTHERS: Final = (
    "SELECT nspname, '' FROM pg_namespace WHERE nspname !~ '^pg_' UNION ALL "
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' ORDER BY 1, 2"
)


def outline(session: Session) -> dict[str, dict[str, Any]]:
    """Every table, view, sequence and schema with its columns, indexes, constraints and definition."""
    found: dict[str, dict[str, Any]] = {
        str(title): {"kind": kind, "columns": {}, "indexes": {}, "constraints": {}}
        for title, kind in list_tables(session)
    }
    for part, query in _OUTLINE.items():
        for schema, table, name, text in session.ask(query):
            held = found.get(str(TableName(schema, table)))
            if held is not None:
                held.setdefault(part, {})[name] = text
    for schema, sequence in session.ask(_OTHERS):
        name = f"sequence {schema}.{sequence}" if sequence else f"schema {schema}"
        found[name] = {"kind": name.partition(" ")[0], "columns": {}}
    return found
