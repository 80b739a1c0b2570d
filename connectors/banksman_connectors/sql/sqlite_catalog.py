"""What SQLite says about its tables. https://www.sqlite.org/pragma.html#pragma_table_xinfo"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from banksman_connectors.sql.lexing import Lexed, lex
from banksman_connectors.sql.schema import Reference, Table, TableColumn, TableName, Trigger

if TYPE_CHECKING:
    from banksman_connectors.sql.session import Session


def list_tables(session: Session) -> list[tuple[TableName, str]]:
    """Every table and view but SQLite's own."""
    rows = session.ask("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
    return [
        (TableName("", name), "view" if kind == "view" else "table")
        for name, kind in rows
        if kind in ("table", "view", "virtual") and not name.lower().startswith("sqlite_")
    ]


def find_table(session: Session, name: str) -> Table | None:
    """A table by its name, which knows no case in SQLite."""
    found = session.ask(
        "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(:name)", name=name
    )
    if not found:
        return None
    exact, kind, without_rowid = found[0]
    columns = 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(:name)'
    rows = [row for row in session.ask(columns, name=exact) if row[5] != 1]
    key = tuple(row[0] for row in sorted(rows, key=lambda row: int(row[4])) if row[4])
    numbered = len(key) == 1 and not without_rowid
    return Table(
        title=TableName("", exact),
        columns=tuple(_column(row, numbered and row[0] == key[0]) for row in rows),
        primary_key=key,
        dialect="sqlite",
        triggers=_triggers(session, exact),
        referred_by=_references(session, exact, key),
        refuses=_refuses(session, exact, kind),
    )


def _column(row: tuple[Any, ...], may_be_numbered: bool) -> TableColumn:
    name, kind, notnull, default, _, hidden = row
    # Only a key declared as exactly INTEGER is the row's number. https://www.sqlite.org/lang_createtable.html#rowid
    numbered = may_be_numbered and kind.upper() == "INTEGER"
    return TableColumn(
        name,
        kind or "any",
        nullable=not (notnull or numbered),
        default=default,
        generated=hidden in (2, 3),
        numbered=numbered,
    )


def _refuses(session: Session, name: str, kind: str) -> str | None:
    if kind != "table":
        return f"it is a {kind} table" if kind == "virtual" else f"it is a {kind}"
    for (sql,) in session.ask("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name", name=name):
        lexed = lex(sql or "-", "sqlite")
        for index in range(len(lexed.tokens)):
            if lexed.word(index) == "CONFLICT" and lexed.word(index + 1) in ("REPLACE", "ROLLBACK"):
                return f"it is declared ON CONFLICT {lexed.word(index + 1)}, which touches other rows unseen"
    return None


def _triggers(session: Session, name: str) -> tuple[Trigger, ...]:
    query = (
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(:name) ORDER BY name"
    )
    return tuple(Trigger(trigger, _events(sql)) for trigger, sql in session.ask(query, name=name))


def _events(sql: str) -> frozenset[str]:
    """The event of a trigger: the first such word that is no quoted name."""
    lexed = Lexed(sql, "sqlite", _tokens(sql))
    words = (lexed.word(index) for index in range(len(lexed.tokens)))
    event = next((word for word in words if word in ("INSERT", "UPDATE", "DELETE")), None)
    return frozenset({event}) if event else frozenset({"INSERT", "UPDATE", "DELETE"})


def _tokens(sql: str) -> Any:
    import sqlglot

    return sqlglot.tokenize(sql, read="sqlite")


def _references(session: Session, name: str, key: tuple[str, ...]) -> tuple[Reference, ...]:
    query = (
        'SELECT m.name, f.id, f."from", f."to", f.on_delete, f.on_update '
        "FROM pragma_table_list AS m, pragma_foreign_key_list(m.name) AS f "
        "WHERE m.schema = 'main' AND m.type = 'table' AND lower(f.\"table\") = lower(:name) "
        "ORDER BY m.name, f.id, f.seq"
    )
    grouped: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for row in session.ask(query, name=name):
        grouped.setdefault((row[0], row[1]), []).append(row)
    return tuple(
        Reference(
            table=TableName("", child),
            columns=tuple(row[2] for row in rows),
            # Without a column, the key is meant.
            referred=tuple(row[3] for row in rows) if rows[0][3] is not None else key,
            on_delete=rows[0][4],
            on_update=rows[0][5],
        )
        for (child, _), rows in grouped.items()
    )


def outline(session: Session) -> dict[str, dict[str, Any]]:
    """Every table and view with its columns, indexes and definition."""
    found: dict[str, dict[str, Any]] = {
        str(title): {"kind": kind, "columns": {}, "indexes": {}} for title, kind in list_tables(session)
    }
    columns = (
        'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM pragma_table_list AS t, '
        "pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main' AND c.hidden <> 1 ORDER BY t.name, c.cid"
    )
    for table, name, kind, notnull, default, pk in session.ask(columns):
        if table in found:
            words = [kind, "NOT NULL" * bool(notnull), f"DEFAULT {default}" * (default is not None), "KEY" * bool(pk)]
            found[table]["columns"][name] = " ".join(word for word in words if word)
    indexes = "SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    for table, name, sql in session.ask(indexes):
        if table in found:
            found[table]["indexes"][name] = sql
    for name, sql in session.ask("SELECT name, sql FROM sqlite_schema WHERE type = 'view'"):
        if name in found:
            found[name]["definition"] = sql
    return found
