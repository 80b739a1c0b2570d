"""What became of a change whose COMMIT had no answer: the rows tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from banksman import ABSENT, UNSURE, Sent
from banksman_connectors.sql.api import SqlApi
from banksman_connectors.sql.lexing import Named, quoted
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.schema import Row, Table
from banksman_connectors.sql.session import Session

Rows = Mapping[str, Mapping[str, Any]]


async def find_change(api: SqlApi, sent: Sent[Any]) -> Any:
    """Found where every row is as it was to become, absent where every row is as it was before.

    A row that came without a known key is looked for by its contents. If an equal one is there, it may be somebody
    else's, so that is for a person to say.
    """
    about = sent.requests[0]
    pending = frozenset(about["pending"])

    def look(session: Session, stage: Stage) -> Any:
        groups = _groups(str(about["table"]), sent.before, sent.after)
        verdicts: set[str] = set()
        rows: list[Row] = []
        for number, (name, before, after) in enumerate(groups):
            table = _table(session, name)
            if table is None:
                return UNSURE
            found = _judge(session, table, before, after, pending)
            verdicts |= found[0]
            rows += found[1] if number == 0 else []
        if not verdicts or verdicts <= {"done", "both"}:
            return _output(about, sent, rows)
        return ABSENT if verdicts <= {"undone", "both"} else UNSURE

    return await api.reading(look)


def _groups(main: str, before: Any, after: Any) -> list[tuple[str, Rows, Rows]]:
    was, now = before or {}, after or {}
    groups = [(main, was.get("rows") or {}, now.get("rows") or {})]
    others = list(dict.fromkeys([*was.get("also", {}), *now.get("also", {})]))
    return groups + [(name, was.get("also", {}).get(name, {}), now.get("also", {}).get(name, {})) for name in others]


def _table(session: Session, name: str) -> Table | None:
    title = next((title for title, _ in session.tables() if str(title) == name), None)
    return session.table(title.schema or None, title.name) if title else None


def _judge(
    session: Session, table: Table, before: Rows, after: Rows, pending: frozenset[str]
) -> tuple[set[str], list[Row]]:
    """`done`, `undone`, `both` (the change changes nothing of the row) or `unsure` for each row."""
    keyless = not table.primary_key or bool(pending & set(table.primary_key))
    verdicts: set[str] = set()
    rows: list[Row] = []
    for text in dict.fromkeys([*before, *after]):
        was, now = before.get(text), after.get(text)
        if keyless and was is None and now is not None:
            verdicts.add("unsure" if _is_there(session, table, now, pending) else "undone")
            continue
        if not table.primary_key:
            return {"unsure"}, []
        key = table.key_of(was or now or {})
        held = next(iter(session.selected(table, table.primary_key, [key])), None)
        done, undone = _fits(held, now, pending), _fits(held, was, frozenset())
        verdicts.add("both" if done and undone else "done" if done else "undone" if undone else "unsure")
        if held is not None and now is not None:
            rows.append({name: held[name] for name in now if name in held})
    return verdicts, rows


def _fits(held: Row | None, wanted: Mapping[str, Any] | None, pending: frozenset[str]) -> bool:
    if held is None or wanted is None:
        return held is None and wanted is None
    return all(name in held and held[name] == value for name, value in wanted.items() if name not in pending)


def _is_there(session: Session, table: Table, row: Mapping[str, Any], pending: frozenset[str]) -> bool:
    """Whether an equal row is there; True as well where that cannot be asked exactly."""
    pieces: list[str | Named] = []
    parameters: dict[str, Any] = {}
    for number, (name, value) in enumerate(row.items()):
        column = table.by_name.get(name)
        inexact = column is None or column.structured or any(word in column.type.lower() for word in _INEXACT)
        if name in pending or inexact:
            continue
        pieces += [" AND " if pieces else "", quoted(name, session.dialect)]
        if value is None:
            pieces.append(" IS NULL")
            continue
        pieces += [" = ", Named(f"v{number}")]
        parameters[f"v{number}"] = value
    if not pieces:
        return True
    text = ("SELECT count(*) FROM ", table.sql, " WHERE ", *(piece for piece in pieces if piece != ""))
    return bool(session.run(text, parameters).rows[0][0])


#: Types in which equal texts are not always equal values.
_INEXACT = ("real", "double", "float", "xml", "point", "box", "circle", "polygon", "path", "line", "lseg")


def _output(about: Mapping[str, Any], sent: Sent[Any], rows: Sequence[Row]) -> dict[str, Any]:
    touched = dict.fromkeys([*((sent.before or {}).get("rows") or {}), *((sent.after or {}).get("rows") or {})])
    return {
        "table": about["table"],
        "operation": about["operation"],
        "count": len(touched),
        "key": list(about["key"]),
        "rows": list(rows),
        # A row with a number of the database's own is never found for certain.
        "generated": [{} for _ in rows],
        "lost": [],
    }
