"""From commands to the `Change` that is shown: run, look, roll back; and the same again, compared, when it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from banksman import PENDING, Change, Effect
from banksman.errors import Drifted, Rejected
from banksman_connectors.sql.commands import Command, resolved
from banksman_connectors.sql.following import Effects, follow
from banksman_connectors.sql.lexing import Named, rendered
from banksman_connectors.sql.models import Changed
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.schema import Table
from banksman_connectors.sql.session import Session
from banksman_connectors.sql.statement import Statement
from banksman_connectors.sql.views import View, Viewer

_NO_KEY = "it cannot be undone: the table has no primary key"


@dataclass(frozen=True)
class Intent:
    """What is to be done to one table, and to others with it.

    Attributes:
        main: the table that the change is about.
        operation: the word for it.
        most: how many rows it may touch.
    """

    commands: Sequence[Command]
    main: Table
    operation: str
    most: int

    def change(self, session: Session, stage: Stage) -> Change[Changed]:
        """Do it, inside a transaction that the caller rolls back, and tell what it did.

        Raises:
            Denied: it touches too many rows.
            Rejected: it cannot be followed, or waits for values of other steps.
            CallError: the database refuses it.
        """
        for table in {command.table.title: command.table for command in self.commands}.values():
            refuse_table(table)
        ready = replace(self, commands=[resolved(one, stage.known(one.given)) for one in self.commands])
        effects = follow(session, ready.commands, self.most)
        view = Viewer(session, self.main, marks=stage.marks, token=stage.token).view(effects)
        change = ready._change(session, effects, view)
        actual = Viewer(session, self.main, masked=False).view(effects)
        stage.keep(self._result(actual, effects), view.marks, effects.after)
        return change

    def _change(self, session: Session, effects: Effects, view: View) -> Change[Changed]:
        expected = Viewer(session, self.main).view(effects)

        def carry_out(inside: Session) -> Any:
            found = follow(inside, self.commands, self.most)
            compare(str(self.main.title), expected, Viewer(inside, self.main).view(found))
            return self._result(Viewer(inside, self.main, masked=False).view(found), found)

        statement = Statement(
            effect=Effect.WRITE,
            dialect=session.dialect,
            texts=[rendered(command.text) for command in self.commands],
            parameters=[command.given for command in self.commands],
            about={
                "table": str(self.main.title),
                "operation": self.operation,
                "key": list(self.main.primary_key),
                "pending": sorted(_pending_columns(view)),
            },
            carry_out=carry_out,
        )
        result = self._result(view, effects)
        return Change(
            entity=str(self.main.title),
            key=_key(view.keys),
            before=view.before,
            after=view.after,
            # Nothing to run: an undo of what is undone already.
            requests=(statement,) if self.commands else (),
            result=result,
            receive=lambda answer: Changed.model_validate(answer if answer is not None else result),
            guarded=True,
            notes=tuple(self._notes(session, effects, view)),
            reach=view.reach,
            touches=tuple(view.counts),
        )

    def _result(self, view: View, effects: Effects) -> dict[str, Any]:
        return {
            "table": str(self.main.title),
            "operation": self.operation,
            "count": len(view.keys),
            "key": list(self.main.primary_key),
            "rows": view.rows,
            "generated": view.generated,
            "lost": list(effects.lost),
        }

    def _notes(self, session: Session, effects: Effects, view: View) -> list[str]:
        notes = [f"{count:,} rows of {title} go along by foreign keys" for title, count in view.counts.items()]
        notes += [f"{text} go along and cannot be put back" for text in effects.lost]
        for title, table in effects.tables.items():
            events = {_EVENTS.get(one.operation, "INSERT") for one in self.commands if one.table.title == title}
            triggers = sorted({name for event in events or {"UPDATE", "DELETE"} for name in table.triggered(event)})
            if triggers:
                notes.append(f"triggers of {title} run with it, and may do more than is shown: {', '.join(triggers)}")
        if not self.main.primary_key:
            notes.append(_NO_KEY)
        if not view.keys:
            notes.append("no row is touched")
        elif len(view.keys) > 1 and self._is_whole(session, effects):
            notes.append(f"every row of {self.main.title} is touched")
        return notes

    def _is_whole(self, session: Session, effects: Effects) -> bool:
        """Whether no other row is there. Looks at one row more than were touched, not at the whole table."""
        if any(command.operation not in ("update", "delete") for command in self.commands):
            return False
        left = len(effects.after[self.main.title])
        text = ("SELECT count(*) FROM (SELECT 1 FROM ", self.main.sql, " LIMIT ", Named("most"), ") AS probed")
        return bool(session.run(text, {"most": left + 1}).rows[0][0] <= left)


_EVENTS = {"insert": "INSERT", "upsert": "INSERT", "update": "UPDATE", "delete": "DELETE", "merge": "UPDATE"}


def refuse_table(table: Table) -> None:
    """Refuse a table whose changes cannot be followed.

    Raises:
        Rejected: with the reason.
    """
    if table.refuses:
        raise Rejected(f"{table.title} cannot be written to: {table.refuses}")


def _key(keys: list[Any]) -> Any:
    if len(keys) == 1:
        return keys[0]
    return PENDING if keys and all(key is PENDING for key in keys) else keys


def _pending_columns(view: View) -> set[str]:
    groups = [view.after["rows"], *view.after.get("also", {}).values()] if view.after else []
    return {name for rows in groups for row in rows.values() for name, value in row.items() if value is PENDING}


def compare(what: str, shown: View, now: View) -> None:
    """Hold what a change did against what was approved.

    Raises:
        Drifted: with each field that is different.
    """
    for side in ("before", "after"):
        found = list(_differences(getattr(shown, side) or {}, getattr(now, side) or {}, side))
        if found:
            raise Drifted(what, found[:50])


def _differences(shown: Any, now: Any, path: str) -> list[tuple[str, Any, Any]]:
    if isinstance(shown, Mapping) and isinstance(now, Mapping):
        names = [*shown, *(name for name in now if name not in shown)]
        return [
            one
            for name in names
            for one in _differences(shown.get(name, "(nothing)"), now.get(name, "(nothing)"), f"{path}.{name}")
        ]
    return [] if shown is now or (type(shown) is type(now) and shown == now) else [(path, shown, now)]
