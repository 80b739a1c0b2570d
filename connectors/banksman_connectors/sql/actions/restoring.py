"""Putting rows back as they were: what every undo of a change comes down to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import Field

from banksman import Change, Effect, Irreversible, Receipt, Record, write
from banksman._action import BoundCall
from banksman.errors import Conflict
from banksman_connectors.sql.api import SqlApi, table_named
from banksman_connectors.sql.commands import Command, checked_key, deleting, inserting, updating
from banksman_connectors.sql.intent import Intent
from banksman_connectors.sql.models import Changed
from banksman_connectors.sql.reconciling import find_change
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.schema import Row, Table, text_of
from banksman_connectors.sql.session import Session

_DOCS: Final = "https://www.postgresql.org/docs/current/dml.html"


class TableRows(Record):
    """Rows of one more table that a change took along."""

    table: str = Field(description="The table.", examples=["public.order_items"])
    rows: list[dict[str, Any]] = Field(
        default_factory=list, description="Rows to put back, with their keys.", examples=[[{"id": 3, "order_id": 17}]]
    )
    remove: list[dict[str, Any]] = Field(
        default_factory=list, description="Rows to take out, by their keys.", examples=[[]]
    )


def take_back(receipt: Receipt[Any]) -> BoundCall | Irreversible:
    """The call that puts the rows back as the change found them."""
    result: Mapping[str, Any] = receipt.result
    key = list(result["key"])
    if not key:
        return Irreversible(f"{result['table']} has no primary key, so its rows cannot be told apart")
    if result["lost"]:
        return Irreversible(f"what went with it cannot be put back: {'; '.join(result['lost'])}")
    before, after = receipt.before or {}, receipt.after or {}
    rows = list(before.get("rows", {}).values())
    had = [[row[name] for name in key] for row in rows]
    born = [row for row in result["rows"] if [row[name] for name in key] not in had]
    was, now = before.get("also", {}), after.get("also", {})
    also = [
        TableRows(
            table=table,
            rows=list(was.get(table, {}).values()),
            remove=[row for text, row in now.get(table, {}).items() if text not in was.get(table, {})],
        )
        for table in dict.fromkeys([*was, *now])
    ]
    return restore.call(
        table=result["table"], rows=rows, remove=[{name: row[name] for name in key} for row in born], also=also
    )


@write(
    "restore",
    effect=Effect.WRITE,
    targets=("table", "rows", "remove", "also"),
    undo=take_back,
    reconcile=find_change,
    docs=_DOCS,
)
async def restore(
    api: SqlApi,
    table: str,
    rows: list[dict[str, Any]],
    remove: list[dict[str, Any]],
    also: list[TableRows] | None = None,
) -> Change[Changed]:
    """Put rows back as they were, by primary key, and take out rows that were not there.

    The inverse of every other change; https://www.sqlite.org/lang.html for SQLite.

    Args:
        table: the table.
        rows: for rows that are there, key and columns to put back; for rows that are gone, every column.
        remove: the keys of rows to take out.
        also: the same for other tables.

    Raises:
        Conflict: a row is gone, and not all of its columns are given.
        UnknownName: there is no such table or column.
    """
    wanted = [TableRows(table=table, rows=rows, remove=remove), *(also or ())]

    def prepare(session: Session, stage: Stage) -> Change[Changed]:
        groups = [(table_named(session, one.table), one) for one in wanted]
        taken = [command for held, one in reversed(groups) for command in _taken_out(session, held, one.remove)]
        put = [command for held, one in groups for command in _put_back(session, held, one.rows)]
        # A change that went through at its limit takes as many rows to undo, and those that went along.
        most = max(api.most_changed, sum(len(one.rows) + len(one.remove) for one in wanted))
        return Intent([*taken, *put], groups[0][0], "restore", most).change(session, stage)

    return await api.preparing(prepare)


def _taken_out(session: Session, table: Table, rows: Sequence[Row]) -> list[Command]:
    keys = [{name: row[name] for name in table.primary_key if name in row} for row in rows]
    for key in keys:
        checked_key(table, key)
    held = _held(session, table, keys)
    return deleting(table, [key for key in keys if table.key_of(key) in held])


def _put_back(session: Session, table: Table, rows: Sequence[Row]) -> list[Command]:
    keys = [{name: row[name] for name in table.primary_key if name in row} for row in rows]
    for key in keys:
        checked_key(table, key)
    held = _held(session, table, keys)
    commands: list[Command] = []
    missing: list[Row] = []
    writable = [column.name for column in table.columns if not column.generated]
    for key, row in zip(keys, rows, strict=True):
        there = held.get(table.key_of(key))
        values = {name: row[name] for name in row if table.column(name).name in writable}
        if there is not None:
            changed = {name: value for name, value in values.items() if there[name] != value}
            commands += [updating(table, key, changed)] if changed else []
        elif set(writable) <= row.keys():
            missing.append({name: values[name] for name in writable})
        else:
            text = text_of(table.primary_key, table.key_of(key))
            raise Conflict(f"{table.title} {text} is gone, so its former values cannot be put back into it")
    return inserting(table, missing, exact=True) + commands


def _held(session: Session, table: Table, keys: Sequence[Mapping[str, Any]]) -> dict[Any, Row]:
    rows = session.selected(table, table.primary_key, [table.key_of(key) for key in keys])
    return {table.key_of(row): row for row in rows}
