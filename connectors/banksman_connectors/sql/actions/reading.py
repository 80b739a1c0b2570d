"""Reading: queries and the tables there are."""

from __future__ import annotations

from typing import Any, Final

from banksman import Effect, action
from banksman.errors import Rejected
from banksman_connectors.sql.api import SqlApi, table_named
from banksman_connectors.sql.commands import parameters_of
from banksman_connectors.sql.models import Column, ForeignKey, QueryResult, TableDescription, TableSummary
from banksman_connectors.sql.parsing import parse_query
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.session import Mode, Session, check_functions

_SELECT: Final = "https://www.postgresql.org/docs/current/sql-select.html"
_CATALOG: Final = "https://www.postgresql.org/docs/current/catalogs.html"


@action("query", effect=Effect.READ, docs=_SELECT)
async def query(
    api: SqlApi, statement: str, parameters: dict[str, Any] | None = None, limit: int | None = None
) -> QueryResult:
    """Read rows with one SELECT (or VALUES, or EXPLAIN).

    It runs in a read-only transaction. https://www.sqlite.org/lang_select.html for SQLite.

    Args:
        statement: the query. Write values as `:name`, never into the text.
        parameters: the value of each `:name`.
        limit: the most rows to return; at most `max_rows` of the connection.

    Raises:
        Rejected: it is not exactly one query, or the database refuses it.
        Denied: it calls a function that has effects.
        Unavailable: it took longer than `statement_timeout` of the connection.
    """
    parsed = parse_query(statement, api.dialect, production=api.production)
    if limit is not None and limit < 1:
        raise Rejected(f"limit is {limit}; it is at least 1")
    most = min(limit or api.settings.max_rows, api.settings.max_rows)

    def look(session: Session, stage: Stage) -> QueryResult:
        check_functions(session, parsed.called, reading=True)
        bound = parameters_of(parsed.text, parameters or {}, stage.known(parameters or {}))
        rows = session.run(parsed.text, bound, mode=Mode.READ, most=most)
        objects = rows.objects()
        columns = list(objects[0]) if objects else list(rows.columns)
        return QueryResult(columns=columns, rows=objects, truncated=rows.count > most)

    return await api.reading(look)


@action("tables.list", effect=Effect.READ, docs=_CATALOG)
async def list_tables(api: SqlApi) -> list[TableSummary]:
    """List the tables and views.

    https://www.sqlite.org/pragma.html#pragma_table_list for SQLite.
    """

    def look(session: Session, stage: Stage) -> list[TableSummary]:
        return [TableSummary.model_validate({"name": str(title), "kind": kind}) for title, kind in session.tables()]

    return await api.reading(look)


@action("tables.describe", effect=Effect.READ, docs=_CATALOG)
async def describe_table(api: SqlApi, table: str) -> TableDescription:
    """Describe the columns and keys of a table or view.

    https://www.sqlite.org/pragma.html#pragma_table_xinfo for SQLite.

    Args:
        table: its name, as `sql.tables.list` gives it.

    Raises:
        UnknownName: there is none; the near ones are listed.
    """

    def look(session: Session, stage: Stage) -> TableDescription:
        found = table_named(session, table)
        return TableDescription(
            name=str(found.title),
            columns=[
                Column(name=c.name, type=c.type, nullable=c.nullable, default=c.default, generated=c.generated)
                for c in found.columns
            ],
            primary_key=list(found.primary_key),
            referred_by=[
                ForeignKey(
                    table=str(one.table),
                    columns=list(one.columns),
                    referred=list(one.referred),
                    on_delete=one.on_delete,
                )
                for one in found.referred_by
            ],
            triggers=[trigger.name for trigger in found.triggers],
        )

    return await api.reading(look)
