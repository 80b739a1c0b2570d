"""Which values the same change would give again, and which only the database knows once it has run."""

from __future__ import annotations

from typing import Any

from banksman import PENDING
from banksman._record import holds_placeholder
from banksman_connectors.sql.commands import Command, Value
from banksman_connectors.sql.following import Origin
from banksman_connectors.sql.lexing import lex
from banksman_connectors.sql.schema import Row, Table, TableColumn
from banksman_connectors.sql.session import Session


def unforeseen(session: Session, table: Table, was: Row | None, now: Row, origin: Origin | None) -> dict[str, Any]:
    """What stands for those values of a row that are not known beforehand, by column: `PENDING` or a placeholder."""
    if was is None:
        return _born(session, origin) if origin else {}
    changed = [name for name in table.names if was[name] != now[name]]
    generated = {column.name for column in table.columns if column.generated}
    found: dict[str, Any] = {}
    sets = origin.command.sets if origin else {}
    for name in table.names:
        if origin and name in sets:
            instead = _instead(origin.command, sets[name])
            found |= {} if instead is None else {name: instead}
        elif name in changed and name not in generated and table.triggered("UPDATE"):
            # Neither the statement nor a formula: a trigger did it, and may do otherwise next time.
            found[name] = PENDING
    return found | {name: PENDING for name in changed if name in generated and found}


def _born(session: Session, origin: Origin) -> dict[str, Any]:
    command = origin.command
    found: dict[str, Any] = {}
    for column in command.table.columns:
        if column.generated:
            continue
        sources = _sources(origin, column.name)
        if any(_is_filled(command, column, source) for source in sources):
            if _is_fresh(session, column) or command.table.triggered("INSERT"):
                found[column.name] = PENDING
            continue
        marks = [_instead(command, source) for source in sources]
        if any(mark is not None for mark in marks):
            found[column.name] = marks[0] if len(marks) == 1 else PENDING
    return found | {column.name: PENDING for column in command.table.columns if column.generated and found}


def drawn_by_database(session: Session, origin: Origin) -> list[str]:
    """The columns of a new row that the database itself filled with something of its own: a number, a time."""
    command = origin.command
    return [
        column.name
        for column in command.table.columns
        if all(_is_filled(command, column, source) for source in _sources(origin, column.name))
        and _is_fresh(session, column)
    ]


def _sources(origin: Origin, column: str) -> list[Value]:
    """Where a column of a new row comes from. If rows were left out, it is not known which one it is: all of them."""
    rows = origin.command.inserts or (origin.command.sets,)
    if len(rows) == origin.count > 1:
        rows = (rows[origin.place],)
    return [row.get(column, Value(filled=True)) for row in rows]


def _is_filled(command: Command, column: TableColumn, source: Value) -> bool:
    """Whether the database fills a column: nothing was given, or NULL for a number that it draws."""
    if source.filled:
        return True
    empty = source.empty or (source.parameter is not None and command.bound.get(source.parameter) is None)
    return empty and column.numbered


def _is_fresh(session: Session, column: TableColumn) -> bool:
    """Whether what the database fills into a column is another value each time."""
    if column.numbered:
        return True
    if column.default is None:
        return False
    lexed = lex(column.default, session.dialect)
    texts = [token.text for token in lexed.tokens if token.token_type.name == "STRING"]
    words = {lexed.word(index) for index in range(len(lexed.tokens))}
    present = any(word.startswith(("CURRENT_", "LOCALTIME")) for word in words)
    return present or bool(session.unstable(lexed.called, texts))


def _instead(command: Command, value: Value) -> Any:
    """What is shown instead of a value: the placeholder it was given as, `PENDING`, or None for the value itself."""
    if value.parameter is not None:
        given = command.given.get(value.parameter)
        return given if holds_placeholder(given) else None
    if not value.fixed or any(holds_placeholder(command.given.get(name)) for name in value.inside):
        return PENDING
    return None
