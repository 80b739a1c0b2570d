"""Defining tables, indexes and views; and dropping them. Nothing of it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from banksman import ABSENT, UNSURE, Change, Effect, Irreversible, Sent, write
from banksman.errors import Drifted
from banksman_connectors.sql.api import SqlApi
from banksman_connectors.sql.lexing import rendered
from banksman_connectors.sql.models import Defined
from banksman_connectors.sql.outline import Outline, changed, count, counts, cut
from banksman_connectors.sql.parsing import Definition, parse_definition
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.schema import FOLLOWING, TableName
from banksman_connectors.sql.session import Mode, Session, check_functions
from banksman_connectors.sql.statement import Statement

_DOCS: Final = "https://www.postgresql.org/docs/current/ddl.html"
_WHY: Final = "what a definition drops or converts is not kept"


async def find_definition(api: SqlApi, sent: Sent[Any]) -> Any:
    """Found where the schema is as it was to become, absent where it is as it was."""
    before, after = ((side or {}).get("tables", {}) for side in (sent.before, sent.after))

    def look(session: Session, stage: Stage) -> Any:
        outline = session.outline()
        names = list(dict.fromkeys([*before, *after]))
        counted = [name for name in names if "rows" in {**before.get(name, {}), **after.get(name, {})}]
        now = cut(outline, names, counts(session, outline, counted))
        if now == after:
            return {"statement": sent.requests[0]["statement"], "tables": names}
        return ABSENT if now == before else UNSURE

    return await api.reading(look)


@write(
    "define",
    effect=Effect.DESTROY,
    targets=("statement",),
    undo=Irreversible(_WHY),
    reconcile=find_definition,
    docs=_DOCS,
)
async def define(api: SqlApi, statement: str) -> Change[Defined]:
    """Create, alter, drop or truncate tables, indexes, views, schemas or sequences.

    The preview runs it and rolls it back; it shows the tables before and after, and the rows that would be lost.
    https://www.sqlite.org/lang_createtable.html for SQLite.

    Args:
        statement: one CREATE, ALTER, DROP or TRUNCATE.

    Raises:
        Rejected: it is something else, or the database refuses it.
        Denied: in production, it drops or truncates.
    """
    parsed = parse_definition(statement, api.dialect, production=api.production)

    def prepare(session: Session, stage: Stage) -> Change[Defined]:
        check_functions(session, parsed.called, reading=False)
        return _change(session, parsed)

    return await api.preparing(prepare)


@dataclass(frozen=True)
class _Seen:
    before: Outline
    after: Outline
    notes: Sequence[str]
    lost: int


def _change(session: Session, parsed: Definition) -> Change[Defined]:
    seen = _look(session, parsed)
    text = rendered(parsed.text)
    names = list(dict.fromkeys([*seen.before, *seen.after]))
    result = {"statement": text, "tables": names}

    def carry_out(inside: Session) -> Any:
        now = _look(inside, parsed)
        for side, shown, found in (("before", seen.before, now.before), ("after", seen.after, now.after)):
            if shown != found:
                raise Drifted(
                    ", ".join(names) or "the schema",
                    [(f"{side}.{n}", shown.get(n), found.get(n)) for n in changed(shown, found)],
                )
        return result

    statement = Statement(
        effect=Effect.DESTROY, dialect=session.dialect, texts=[text], parameters=[{}], carry_out=carry_out
    )
    return Change(
        entity="schema",
        key=names[0] if len(names) == 1 else names,
        before={"tables": seen.before} if seen.before or not seen.after else None,
        after={"tables": seen.after} if seen.after or not seen.before else None,
        requests=(statement,),
        result=result,
        receive=Defined.model_validate,
        guarded=True,
        notes=tuple(seen.notes),
        reach=max(1, seen.lost),
        touches=tuple(names),
    )


def _look(session: Session, parsed: Definition) -> _Seen:
    """Run a definition inside the open transaction; first once on trial, to know which rows to count."""
    first = session.outline()
    with session.point(keep=False):
        session.run(parsed.text, mode=Mode.DEFINE)
        trial = session.outline()
    gone = [name for name in first if name not in trial]
    counted = list(dict.fromkeys([*_named(session, parsed), *gone]))
    rows_before = counts(session, first, counted)
    notes = _dropped_columns(session, first, trial)
    session.run(parsed.text, mode=Mode.DEFINE)
    last = session.outline()
    rows_after = counts(session, last, counted)
    emptied = {name: n - rows_after.get(name, 0) for name, n in rows_before.items() if rows_after.get(name, 0) < n}
    names = [*changed(first, last), *(name for name in emptied if first.get(name) == last.get(name))]
    notes += [f"{number:,} rows of {name} are lost" for name, number in emptied.items()]
    if not names:
        notes.append("nothing in the schema changes")
    return _Seen(cut(first, names, rows_before), cut(last, names, rows_after), notes, sum(emptied.values()))


def _named(session: Session, parsed: Definition) -> list[str]:
    """The tables that a definition names, and for TRUNCATE those that refer to them."""
    found: dict[TableName, None] = {}
    waiting = [session.table(schema, name) for schema, name in parsed.tables]
    while waiting:
        table = waiting.pop()
        if table is None or table.title in found:
            continue
        found[table.title] = None
        if parsed.loses == "truncate" or any(one.on_delete in FOLLOWING for one in table.referred_by):
            waiting += [session.table(one.table.schema, one.table.name) for one in table.referred_by]
    return [str(title) for title in found]


def _dropped_columns(session: Session, before: Outline, after: Outline) -> list[str]:
    titles = {str(title): title for title, kind in session.tables() if kind == "table"}
    notes: list[str] = []
    for name in before:
        if name not in after or name not in titles:
            continue
        for column in before[name]["columns"]:
            if column not in after[name]["columns"]:
                lost = count(session, titles[name], column)
                notes.append(f"{lost:,} values of {name}.{column} are lost, or the column has another name afterwards")
    return notes
