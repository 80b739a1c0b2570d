"""What a change does to the rows: run for real inside a transaction, with the rows before and after it.

Nothing is predicted. The statement runs, the rows it touched are read by their keys, and so are the rows of other
tables that foreign keys take along. Whoever called decides whether the transaction stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from banksman._canonical import encode
from banksman.errors import Denied, Rejected
from banksman_connectors.sql.commands import Command
from banksman_connectors.sql.lexing import Text, quoted
from banksman_connectors.sql.schema import FOLLOWING, Key, Row, Rowset, Table, TableName
from banksman_connectors.sql.session import Mode, Session


@dataclass(frozen=True, slots=True)
class Origin:
    """Which command touched a row, as the how-manieth of how many."""

    command: Command
    place: int
    count: int


@dataclass
class Effects:
    """What happened to the rows of each table.

    Attributes:
        before, after: the rows by key; a row on one side only came or went.
        touched: the keys that the statements themselves touched, in their order.
        origins: which of them touched a row, at which place of how many.
        lost: rows without a key that went along, which cannot be put back, one line each.
    """

    tables: dict[TableName, Table] = field(default_factory=dict)
    before: dict[TableName, Rowset] = field(default_factory=dict)
    after: dict[TableName, Rowset] = field(default_factory=dict)
    touched: dict[TableName, list[Key]] = field(default_factory=dict)
    origins: dict[tuple[TableName, Key], Origin] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    lost_rows: int = 0

    def add(self, table: Table) -> Rowset:
        """The rows before of a table, which is made known."""
        self.tables.setdefault(table.title, table)
        return self.before.setdefault(table.title, {})


def follow(session: Session, commands: Sequence[Command], most: int) -> Effects:
    """Run commands and tell what they did.

    Unless they only insert, they run twice: the first time, undone at once, tells which rows to read beforehand. So
    a row is seen because the database touched it, not because a condition was read in the same way here.

    Raises:
        Denied: more than `most` rows are touched.
        Rejected: the change cannot be followed.
    """
    if any(not command.table.primary_key for command in commands):
        return _follow_keyless(session, commands, most)
    effects = Effects()
    keys: Mapping[TableName, Sequence[Key]] = {}
    for command in commands:
        effects.add(command.table)
    if any(command.operation != "insert" for command in commands):
        with session.point(keep=False):
            keys = _run(session, commands, most)[0]
    for title, wanted in keys.items():
        table = effects.tables[title]
        rows = session.selected(table, table.primary_key, wanted)
        effects.before[title].update((table.key_of(row), row) for row in rows)
    _take_along(session, effects, commands, most)
    effects.touched, effects.origins = _run(session, commands, most)
    for title, table in effects.tables.items():
        wanted = [*effects.before[title], *effects.touched.get(title, ())]
        rows = session.selected(table, table.primary_key, wanted)
        effects.after[title] = {table.key_of(row): row for row in rows}
    _check_keys(effects)
    return effects


def _run(
    session: Session, commands: Sequence[Command], most: int
) -> tuple[dict[TableName, list[Key]], dict[tuple[TableName, Key], Origin]]:
    touched: dict[TableName, dict[Key, None]] = {}
    origins: dict[tuple[TableName, Key], Origin] = {}
    total = 0
    for command in commands:
        title = command.table.title
        rows = session.run(command.returning, command.bound, mode=Mode.WRITE, most=most)
        total += rows.count
        if total > most:
            raise too_many(total, most)
        touched.setdefault(title, {}).update(dict.fromkeys(rows.rows))
        origins |= {(title, key): Origin(command, place, rows.count) for place, key in enumerate(rows.rows)}
    return {title: list(keys) for title, keys in touched.items()}, origins


def too_many(count: int, most: int) -> Denied:
    """The refusal of a change that is too wide."""
    return Denied(
        f"the change touches {count:,} rows; at most {most:,} may be",
        rule="sql.max-changed-rows",
        hint="Narrow its WHERE, split it, or raise `settings.max_changed_rows` of the connection.",
    )


def _check_keys(effects: Effects) -> None:
    """Refuse a change that touched rows which were not read before: it cannot be told what it did to them."""
    for (title, key), origin in effects.origins.items():
        if key in effects.before[title]:
            continue
        if origin.command.deletes and key not in effects.after[title]:
            raise Rejected(
                f"the statement touches other rows of {title} each time it runs",
                hint="Take chance and numbers drawn from sequences out of its condition.",
            )
        if origin.command.operation == "update":
            raise Rejected(
                f"the statement touches other rows of {title} each time, or a trigger changes their primary keys"
            )


@dataclass(frozen=True, slots=True)
class _Going:
    """Rows that go, or whose `columns` change."""

    table: Table
    rows: Sequence[Row]
    goes: bool
    columns: frozenset[str]


def _take_along(session: Session, effects: Effects, commands: Sequence[Command], most: int) -> None:
    """Read the rows that foreign keys may take along: more than will be touched, never fewer."""
    waiting: list[_Going] = []
    for command in commands:
        rows = list(effects.before[command.table.title].values())
        waiting.append(_Going(command.table, rows, command.deletes, frozenset(command.sets)))
    total = sum(map(len, effects.before.values()))
    while waiting:
        going = waiting.pop(0)
        for reference in going.table.referred_by if going.rows else ():
            goes = going.goes and reference.on_delete in FOLLOWING
            changes = reference.on_update in FOLLOWING and bool(going.columns & set(reference.referred))
            if not goes and not changes:
                continue
            child = session.table(reference.table.schema, reference.table.name)
            assert child is not None, reference.table
            columns = tuple(child.folded(name, quoted_name=True) or name for name in reference.columns)
            referred = [going.table.folded(name, quoted_name=True) or name for name in reference.referred]
            values = [tuple(row[name] for name in referred) for row in going.rows]
            values = [value for value in values if None not in value]
            if not child.primary_key:
                count = session.counted(child, columns, values)
                effects.lost += [f"{count:,} rows of {child.title}, which has no primary key"] if count else []
                effects.lost_rows += count
                continue
            if changes and set(columns) & set(child.primary_key):
                raise Rejected(f"it would change primary keys of {child.title} by ON UPDATE {reference.on_update}")
            held = effects.add(child)
            fresh = [row for row in session.selected(child, columns, values) if child.key_of(row) not in held]
            held.update((child.key_of(row), row) for row in fresh)
            total += len(fresh)
            if total > most:
                raise too_many(total, most)
            cascades = goes and reference.on_delete == "CASCADE"
            waiting.append(_Going(child, fresh, cascades, frozenset(columns)))


def _follow_keyless(session: Session, commands: Sequence[Command], most: int) -> Effects:
    """Rows without a key are numbered, in the order of their contents: they can be shown, and not told apart."""
    if len({command.table.title for command in commands}) > 1 or any(c.operation == "upsert" for c in commands):
        raise Rejected("a change of rows without a primary key stands alone")
    table = commands[0].table
    effects = Effects(tables={table.title: table})
    before: list[tuple[Any, ...]] = []
    after: list[tuple[Any, ...]] = []
    for command in commands:
        if command.operation == "update":
            before += _before_update(session, command, most)
        elif command.operation not in ("insert", "delete"):
            raise Rejected(f"{table.title} has no primary key, so a {command.operation.upper()} cannot be followed")
        rows = session.run(command.returning, command.bound, mode=Mode.WRITE, most=most)
        if rows.count > most:
            raise too_many(rows.count, most)
        (before if command.operation == "delete" else after).extend(rows.rows)
    if any(reference.on_delete in FOLLOWING for reference in table.referred_by):
        raise Rejected(f"{table.title} has no primary key and is referred to, so the change cannot be followed")
    effects.before[table.title] = _numbered(table, before)
    effects.after[table.title] = _numbered(table, after)
    effects.touched[table.title] = list(effects.after[table.title] or effects.before[table.title])
    effects.origins = {(table.title, key): Origin(commands[0], 0, 0) for key in effects.touched[table.title]}
    return effects


def _before_update(session: Session, command: Command, most: int) -> list[tuple[Any, ...]]:
    if command.condition is None:
        raise Rejected(
            f"{command.table.title} has no primary key; of changes to it, only those by its own WHERE can be followed"
        )
    names = [piece.name for piece in command.condition if not isinstance(piece, str)]
    table = command.table
    alias = f" AS {quoted(command.named, table.dialect)}" if command.named not in ("", table.title.name) else ""
    columns = ", ".join(quoted(name, table.dialect) for name in table.names)
    text: Text = ("SELECT ", columns, " FROM ", table.sql, alias, " ", *command.condition)
    bound = {name: command.bound[name] for name in names}
    return session.run(text, bound, mode=Mode.READ, most=most).rows


def _numbered(table: Table, rows: Sequence[tuple[Any, ...]]) -> Rowset:
    ordered = sorted(rows, key=lambda row: encode(list(row)))
    return {(number,): dict(zip(table.names, row, strict=True)) for number, row in enumerate(ordered, 1)}
