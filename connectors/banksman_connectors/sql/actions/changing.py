"""Changing rows: any one statement, and one table's rows by their key."""

from __future__ import annotations

from typing import Any, Final

from banksman import Change, Effect, write
from banksman.errors import NotFound, Rejected
from banksman_connectors.sql import rules
from banksman_connectors.sql.actions.restoring import take_back
from banksman_connectors.sql.api import SqlApi, table_named
from banksman_connectors.sql.commands import bound_to, checked_key, deleting, inserting, updating
from banksman_connectors.sql.intent import Intent, refuse_table
from banksman_connectors.sql.models import Changed
from banksman_connectors.sql.parsing import folded_name, parse_write
from banksman_connectors.sql.reconciling import find_change
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.schema import Table
from banksman_connectors.sql.session import Session, check_functions

_DML: Final = "https://www.postgresql.org/docs/current/dml.html"
_INSERT: Final = "https://www.postgresql.org/docs/current/sql-insert.html"
_UPDATE: Final = "https://www.postgresql.org/docs/current/sql-update.html"
_DELETE: Final = "https://www.postgresql.org/docs/current/sql-delete.html"


@write(
    "execute",
    effect=Effect.WRITE,
    targets=("statement", "parameters"),
    undo=take_back,
    reconcile=find_change,
    docs=_DML,
)
async def execute(api: SqlApi, statement: str, parameters: dict[str, Any] | None = None) -> Change[Changed]:
    """Change rows with one INSERT, UPDATE, DELETE or MERGE.

    The preview runs it and rolls it back, so what it shows is what the database does, foreign keys included. When it
    is sent, it is compared with what was approved before it is committed. A RETURNING is left out: the result has the
    rows. https://www.sqlite.org/lang.html for SQLite.

    Args:
        statement: the change. Write values as `:name`, never into the text.
        parameters: the value of each `:name`.

    Raises:
        Rejected: it is not exactly one change of one table, or the database refuses it.
        Denied: it touches too many rows, or in production it does not say which rows it means.
        Conflict: a constraint stands against it, or somebody changed the same rows.
    """
    parsed = parse_write(statement, api.dialect, production=api.production)

    def prepare(session: Session, stage: Stage) -> Change[Changed]:
        schema, name = folded_name(parsed.target, api.dialect)
        table = session.table(schema, name)
        if table is None:
            # Says it in the database's near names.
            table = table_named(session, f"{schema}.{name}" if schema else name)
        refuse_table(table)
        if api.production:
            rules.check_write(parsed, table)
        check_functions(session, parsed.called, reading=False)
        command = bound_to(session, parsed, table, parameters or {})
        return Intent([command], table, parsed.operation, api.most_changed).change(session, stage)

    return await api.preparing(prepare)


@write("insert", effect=Effect.WRITE, targets=("table",), undo=take_back, reconcile=find_change, docs=_INSERT)
async def insert(api: SqlApi, table: str, rows: list[dict[str, Any]]) -> Change[Changed]:
    """Insert rows into one table.

    https://www.sqlite.org/lang_insert.html for SQLite.

    Args:
        table: its name, as `sql.tables.list` gives it.
        rows: one object a row, keyed by column; what is left out is filled by the database.

    Raises:
        UnknownName: there is no such table or column; the near ones are listed.
        Conflict: a constraint stands against it.
    """

    def prepare(session: Session, stage: Stage) -> Change[Changed]:
        found = _table(api, session, table)
        if not rows:
            raise Rejected("no rows are given")
        return Intent(inserting(found, rows), found, "insert", api.most_changed).change(session, stage)

    return await api.preparing(prepare)


@write("update", effect=Effect.WRITE, targets=("table", "key"), undo=take_back, reconcile=find_change, docs=_UPDATE)
async def update(api: SqlApi, table: str, key: dict[str, Any], values: dict[str, Any]) -> Change[Changed]:
    """Update one row of one table.

    https://www.sqlite.org/lang_update.html for SQLite.

    Args:
        table: its name, as `sql.tables.list` gives it.
        key: the row's primary key, keyed by column.
        values: what to write, keyed by column.

    Raises:
        NotFound: there is no such row.
        UnknownName: there is no such table or column; the near ones are listed.
        Conflict: a constraint stands against it, or somebody changed the row.
    """

    def prepare(session: Session, stage: Stage) -> Change[Changed]:
        found = _table(api, session, table)
        if moved := sorted(values.keys() & set(found.primary_key)):
            raise Rejected(f"the primary key of {found.title} is not changed: {', '.join(moved)}")
        change = Intent([updating(found, key, values)], found, "update", api.most_changed).change(session, stage)
        return _one(change, found, key)

    return await api.preparing(prepare)


@write("delete", effect=Effect.WRITE, targets=("table", "key"), undo=take_back, reconcile=find_change, docs=_DELETE)
async def delete(api: SqlApi, table: str, key: dict[str, Any]) -> Change[Changed]:
    """Delete one row of one table.

    https://www.sqlite.org/lang_delete.html for SQLite.

    Args:
        table: its name, as `sql.tables.list` gives it.
        key: the row's primary key, keyed by column.

    Raises:
        NotFound: there is no such row.
        UnknownName: there is no such table or column; the near ones are listed.
        Conflict: a foreign key stands against it, or somebody changed the row.
    """

    def prepare(session: Session, stage: Stage) -> Change[Changed]:
        found = _table(api, session, table)
        change = Intent(deleting(found, [key]), found, "delete", api.most_changed).change(session, stage)
        return _one(change, found, key)

    return await api.preparing(prepare)


def _table(api: SqlApi, session: Session, name: str) -> Table:
    found = table_named(session, name)
    refuse_table(found)
    if api.production:
        rules.check_key(found)
    return found


def _one(change: Change[Changed], table: Table, key: dict[str, Any]) -> Change[Changed]:
    checked_key(table, key)
    if not change.result["count"]:
        text = ", ".join(f"{name}={value}" for name, value in key.items())
        raise NotFound(f"{table.title} has no row {text}")
    return change
