"""The effects of a change as they are shown: the fields that differ, and `PENDING` for what only the system knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from banksman import PENDING
from banksman_connectors.sql.following import Effects, Origin
from banksman_connectors.sql.foreseeing import drawn_by_database, unforeseen
from banksman_connectors.sql.schema import Key, Row, Table, TableName, text_of
from banksman_connectors.sql.session import Session

#: What stands for a value of a row in this rehearsal: (table, key) -> column -> placeholder.
Marks = Mapping[tuple[TableName, Key], Mapping[str, Any]]
#: Gives the placeholder of a value that exists only once the change has run, from its place in the result.
Token = Callable[[str], Any]


@dataclass(frozen=True)
class View:
    """What a change shows.

    Attributes:
        before, after: `{"rows": {key: {column: value}}}`, rows of other tables under `also`; None: no rows.
        rows: the rows that are there afterwards, for the result.
        generated: what the database itself drew for each of them: new numbers, default times.
        marks: what stands for values of each row from now on, for later steps of a rehearsal.
        reach: how many rows are touched, those of other tables included.
        keys: the primary keys of the rows of the table itself, as they are shown.
        counts: how many rows of each other table go along.
    """

    before: dict[str, Any] | None
    after: dict[str, Any] | None
    rows: list[dict[str, Any]]
    generated: list[dict[str, Any]]
    marks: dict[tuple[TableName, Key], dict[str, Any]]
    reach: int
    keys: list[Any]
    counts: dict[str, int]


@dataclass
class _Side:
    rows: dict[str, Any] = field(default_factory=dict)
    also: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, title: str | None, text: str, row: Mapping[str, Any]) -> None:
        (self.rows if title is None else self.also.setdefault(title, {}))[text] = dict(row)

    def shown(self, empty: bool) -> dict[str, Any] | None:
        if not self.rows and not self.also and not empty:
            return None
        return {"rows": self.rows, "also": self.also} if self.also else {"rows": self.rows}


@dataclass
class _Drawing:
    before: _Side = field(default_factory=_Side)
    after: _Side = field(default_factory=_Side)
    rows: list[dict[str, Any]] = field(default_factory=list)
    generated: list[dict[str, Any]] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)
    marks: dict[tuple[TableName, Key], dict[str, Any]] = field(default_factory=dict)
    counts: dict[TableName, int] = field(default_factory=dict)
    born: dict[TableName, int] = field(default_factory=dict)


class Viewer:
    """Draws effects.

    Args:
        main: the table that the change is about.
        marks: what stands for values that exist only in the rehearsal.
        token: what stands for values that this change brings into being.
        masked: False shows every value as it is.
    """

    def __init__(
        self,
        session: Session,
        main: Table,
        *,
        marks: Marks | None = None,
        token: Token = lambda _: PENDING,
        masked: bool = True,
    ) -> None:
        self._session = session
        self._main = main
        self._marks = marks or {}
        self._token = token
        self._masked = masked

    def view(self, effects: Effects) -> View:
        """What to show."""
        drawing = _Drawing()
        for title, table in effects.tables.items():
            for key in self._order(effects, title):
                was, now = effects.before[title].get(key), effects.after[title].get(key)
                if was != now or key in effects.touched.get(title, ()):
                    self._draw(drawing, table, key, was, now, effects.origins.get((title, key)))
        nothing = not drawing.before.rows and not drawing.after.rows
        return View(
            drawing.before.shown(nothing),
            drawing.after.shown(nothing),
            drawing.rows,
            drawing.generated,
            drawing.marks,
            sum(drawing.counts.values()) + effects.lost_rows,
            drawing.keys,
            {str(title): count for title, count in drawing.counts.items() if title != self._main.title},
        )

    def _order(self, effects: Effects, title: TableName) -> list[Key]:
        held = dict.fromkeys(effects.before[title])
        return [*held, *(key for key in effects.touched.get(title, ()) if key not in held)]

    def _draw(
        self, drawing: _Drawing, table: Table, key: Key, was: Row | None, now: Row | None, origin: Origin | None
    ) -> None:
        title = table.title
        name = None if title == self._main.title else str(title)
        drawing.counts[title] = drawing.counts.get(title, 0) + 1
        drawing.born[title] = drawing.born.get(title, 0) + (was is None)
        held = self._marks.get((title, key), {})
        pending = unforeseen(self._session, table, was, now, origin) if now and self._masked else {}
        kept = {column: mark for column, mark in held.items() if was and now and was[column] == now[column]}
        text = self._text(table, key, {**held, **pending}, drawing.born[title])
        if was is not None:
            drawing.before.put(name, text, self._drawn(table, was, now, held))
        if now is not None:
            seen = self._drawn(table, now, was, {**kept, **pending})
            drawing.after.put(name, text, seen)
            if name is None:
                drawing.rows.append(seen)
                own = drawn_by_database(self._session, origin) if was is None and origin else []
                drawing.generated.append({column: seen[column] for column in own})
        if name is None:
            drawing.keys.append(self._key(table, key, {**held, **pending}))
        drawing.marks[title, key] = {**kept, **(self._tokens(drawing, pending) if name is None else pending)}

    def _tokens(self, drawing: _Drawing, pending: Mapping[str, Any]) -> dict[str, Any]:
        """How later steps name the values of the row that was drawn last."""
        last = len(drawing.rows) - 1
        tokens: dict[str, Any] = {}
        for column, mark in pending.items():
            place = "generated" if drawing.generated and column in drawing.generated[-1] else "rows"
            tokens[column] = self._token(f"{place}[{last}].{column}") if mark is PENDING else mark
        return tokens

    def _drawn(self, table: Table, row: Row, other: Row | None, instead: Mapping[str, Any]) -> dict[str, Any]:
        """The whole row where it comes or goes, else its key and what differs."""
        if other is None or not table.primary_key:
            shown = table.names
        else:
            shown = tuple(name for name in table.names if name in table.primary_key or row[name] != other[name])
        return {name: instead.get(name, row[name]) if self._masked else row[name] for name in shown}

    def _text(self, table: Table, key: Key, instead: Mapping[str, Any], number: int) -> str:
        if not table.primary_key:
            return f"row {key[0]}"
        drawn = [instead.get(name, part) for name, part in zip(table.primary_key, key, strict=True)]
        if any(part is PENDING for part in drawn):
            return f"new {number}"
        return text_of(table.primary_key, tuple(drawn))

    def _key(self, table: Table, key: Key, instead: Mapping[str, Any]) -> Any:
        if not table.primary_key:
            return key[0]
        drawn = [instead.get(name, part) for name, part in zip(table.primary_key, key, strict=True)]
        return drawn[0] if len(drawn) == 1 else dict(zip(table.primary_key, drawn, strict=True))
