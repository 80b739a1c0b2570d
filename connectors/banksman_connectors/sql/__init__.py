"""SQL databases: SQLite and PostgreSQL.

connections:
  sql:orders:
    url: postgresql://db.example.com/orders
    auth: {kind: basic, username: agent, password: "env:ORDERS_PASSWORD"}
"""

from __future__ import annotations

from dataclasses import replace

from banksman import Connection, Connector, Wiring
from banksman.auth import NoAuth
from banksman.errors import ConfigError
from banksman_connectors.sql.actions.changing import delete, execute, insert, update
from banksman_connectors.sql.actions.defining import define
from banksman_connectors.sql.actions.reading import describe_table, list_tables, query
from banksman_connectors.sql.actions.restoring import restore
from banksman_connectors.sql.api import SqlApi
from banksman_connectors.sql.auth import DatabaseLogin, login_of
from banksman_connectors.sql.rehearsal import Stage
from banksman_connectors.sql.session import Bounds, Session
from banksman_connectors.sql.settings import SqlSettings, address_of


def open_sql(connector: Connector, connection: Connection, wiring: Wiring) -> SqlApi:
    """The handle of one database. Nothing is connected yet.

    Raises:
        ConfigError: the settings do not fit.
    """
    from banksman.http.limits import Limits

    settings = connection.settings
    if not isinstance(settings, SqlSettings):
        raise ConfigError(f"connection {connection.name!r}: give settings.url, the address of the database")
    limits = replace(connector.limits or Limits(), **connection.limits)
    address, login = address_of(settings.url), login_of(wiring.auth)
    bounds = Bounds(
        statement=settings.statement_timeout,
        rehearsal=settings.rehearsal_timeout,
        lock=min(5.0, settings.statement_timeout),
        size=limits.response_bytes,
    )

    def connect() -> Session:
        if address.path is not None:
            from banksman_connectors.sql.sqlite import SqliteSession

            return SqliteSession(address.path, bounds)
        from banksman_connectors.sql.postgres import PostgresSession

        return PostgresSession(address, login, bounds, search_path=settings.search_path, functions=settings.functions)

    return SqlApi(
        connect,
        dialect=address.dialect,
        settings=settings,
        environment=connection.environment,
        concurrency=limits.concurrency,
    )


async def probe(api: SqlApi) -> str:
    """Which database answers, and how many tables it shows."""

    def look(session: Session, stage: Stage) -> str:
        return f"{session.about()}, {len(session.tables())} tables and views"

    return await api.reading(look)


connector = Connector(
    name="sql",
    title="SQL database",
    docs="https://www.postgresql.org/docs/current/sql.html",
    open=open_sql,
    settings=SqlSettings,
    auth=(DatabaseLogin(), NoAuth()),
    # A PostgreSQL backend may still commit after its client is gone; SQLite commits in the call or not at all, so its
    # connections may set `settle: 0`.
    settle=5.0,
    probe=probe,
    actions=[query, list_tables, describe_table, execute, insert, update, delete, restore, define],
)
