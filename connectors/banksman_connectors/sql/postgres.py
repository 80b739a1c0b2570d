"""PostgreSQL through psycopg 3. https://www.psycopg.org/psycopg3/docs/"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from banksman.errors import CallError, ConfigError, Conflict, OutcomeUnknown, Unavailable
from banksman_connectors.sql.auth import Login
from banksman_connectors.sql.errors import from_postgres, from_postgres_login
from banksman_connectors.sql.lexing import Text, quoted, rendered
from banksman_connectors.sql.postgres_catalog import find_table, list_tables, outline, volatilities
from banksman_connectors.sql.schema import Table, TableName
from banksman_connectors.sql.session import Bounds, Mode, Rows, Session, too_large
from banksman_connectors.sql.settings import Address, Dialect

if TYPE_CHECKING:
    import psycopg

#: Marked VOLATILE, and yet harmless: they only give another value each time.
_HARMLESS: Final = frozenset(
    [
        "random",
        "random_normal",
        "clock_timestamp",
        "timeofday",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "uuid_generate_v1",
        "uuid_generate_v4",
        "pg_relation_size",
        "pg_table_size",
        "pg_indexes_size",
        "pg_total_relation_size",
        "pg_database_size",
    ]
)
#: Harmless in a write, where the number they draw is part of it.
_NUMBERS: Final = frozenset({"nextval", "currval", "lastval"})
#: Not marked VOLATILE, and yet they run SQL that nobody has judged, or show files of the server.
_HIDDEN: Final = frozenset(
    [
        "table_to_xml",
        "table_to_xmlschema",
        "table_to_xml_and_xmlschema",
        "schema_to_xml",
        "schema_to_xmlschema",
        "schema_to_xml_and_xmlschema",
        "database_to_xml",
        "database_to_xmlschema",
        "database_to_xml_and_xmlschema",
        "pg_hba_file_rules",
        "pg_ident_file_mappings",
        "pg_show_all_file_settings",
        "crosstab",
        "connectby",
    ]
)
#: Refused by their names too, whatever the catalog says of them.
_DENIED: Final = ("dblink", "lo_", "pg_read_", "pg_ls_", "pg_advisory", "pg_try_advisory", "pg_sleep", "pg_terminate_")
_SETTLING: Final = 3.0  # seconds that a COMMIT without an answer is watched


class PostgresSession(Session):
    """One connection to a PostgreSQL server."""

    dialect: ClassVar[Dialect] = "postgres"

    def __init__(
        self,
        address: Address,
        login: Login,
        bounds: Bounds,
        *,
        search_path: tuple[str, ...] = (),
        functions: tuple[str, ...] = (),
    ) -> None:
        super().__init__(bounds)
        self._address = address
        self._login = login
        self._search_path = search_path
        self._functions = frozenset(functions)
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            import psycopg
        except ImportError:
            raise ConfigError("psycopg is not installed", hint="pip install 'banksman[sql]'") from None
        from banksman_connectors.sql.postgres_values import adapt

        parameters: dict[str, Any] = dict(self._address.parameters)
        if self._login.username is not None:
            parameters["user"] = self._login.username
        if self._login.password is not None and self._login.password.reveal():
            parameters["password"] = self._login.password.reveal()
        try:
            connection = psycopg.connect(
                **parameters, autocommit=True, application_name="banksman", connect_timeout=10, prepare_threshold=None
            )
        except psycopg.Error as error:
            raise from_postgres_login(error) from None
        try:
            adapt(connection)
            self._configure(connection)
        except psycopg.Error as error:
            connection.close()
            raise from_postgres(error) from None
        return connection

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        """Settings of the session: how texts are read and written, and how long anything may take."""
        milliseconds = {
            "statement_timeout": self.bounds.statement,
            "lock_timeout": self.bounds.lock,
            "idle_in_transaction_session_timeout": self.bounds.rehearsal,
        }
        settings = {name: str(max(1, int(value * 1000))) for name, value in milliseconds.items()}
        settings |= {
            "standard_conforming_strings": "on",
            "client_encoding": "UTF8",
            "DateStyle": "ISO, YMD",
            "IntervalStyle": "postgres",
            "TimeZone": "UTC",
        }
        if self._search_path:
            settings["search_path"] = ", ".join(quoted(name, "postgres") for name in self._search_path)
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))

    def control(self, sql: str) -> None:
        import psycopg

        try:
            self._connection.execute(sql.encode())
        except psycopg.Error as error:
            raise from_postgres(error) from None

    def run(
        self, text: Text, parameters: Mapping[str, Any] = {}, *, mode: Mode = Mode.OWN, most: int | None = None
    ) -> Rows:
        import psycopg

        from banksman_connectors.sql.postgres_values import bindable

        values: list[Any] = []

        def mark(name: str) -> str:
            # Each place has a number of its own, so that the server infers the type of each by itself.
            values.append(bindable(parameters[name]))
            return f"${len(values)}"

        sql = rendered(text, mark)
        try:
            with closing(psycopg.RawCursor(self._connection)) as cursor:
                if mode is Mode.DEFINE:
                    # Prepared, so that the server itself takes no more than one statement.
                    cursor.execute(sql.encode(), values, prepare=True)
                    return Rows((), [], 0)
                return self._fetch(cursor, sql, values, most, stop=mode is Mode.READ)
        except psycopg.Error as error:
            raise from_postgres(error) from None

    def _fetch(
        self, cursor: psycopg.RawCursor[Any], sql: str, values: list[Any], most: int | None, *, stop: bool
    ) -> Rows:
        """Row by row, so that a large answer is counted without being kept; the protocol takes one statement only."""
        from banksman_connectors.sql.postgres_values import plain_value, size_of

        kept: list[tuple[Any, ...]] = []
        size = count = 0
        with closing(_rows_of(cursor, sql, values)) as stream:
            for row in stream:
                count += 1
                if most is None or count <= most:
                    kept.append(tuple(plain_value(value) for value in row))
                    size += size_of(kept[-1])
                    if size > self.bounds.size:
                        raise too_large(size, self.bounds.size)
                elif stop:
                    break
            columns = tuple(item.name for item in cursor.description or ())
        if stop and not count:
            # A stream without rows keeps no description. The snapshot is the same, so there are none again.
            cursor.execute(sql.encode(), values, prepare=True)
            columns = tuple(item.name for item in cursor.description or ())
        return Rows(columns, kept, count)

    def begin(self, mode: Mode) -> None:
        # One snapshot for all statements: what changes a row that was seen here fails instead of overwriting it.
        access = "READ ONLY" if mode is Mode.READ else "READ WRITE"
        self.control(f"BEGIN ISOLATION LEVEL REPEATABLE READ {access}")

    def end(self) -> None:
        import psycopg

        number = self.ask("SELECT pg_current_xact_id_if_assigned()::text")[0][0]
        try:
            status = self._connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            known = from_postgres(error, committing=True)
            if isinstance(known, OutcomeUnknown) and number and self._was_committed(number):
                return
            raise known from None
        if status != "COMMIT":
            raise Conflict("the transaction had failed before, so it was rolled back; nothing was changed")

    def _was_committed(self, number: str) -> bool:
        """Ask another connection what became of a transaction whose COMMIT had no answer.

        Raises:
            Unavailable: it was given up, so nothing was changed.
            OutcomeUnknown: the server cannot be asked, or does not know.
        """
        until = time.monotonic() + _SETTLING
        state = None
        while state in (None, "in progress") and time.monotonic() < until:
            with suppress(CallError), closing(self._connect()) as other:
                row = other.execute("SELECT pg_xact_status(%s::xid8)", (number,)).fetchone()
                state = row[0] if row else None
            if state in (None, "in progress"):
                time.sleep(0.2)
        if state == "aborted":
            raise Unavailable("the connection was lost at COMMIT, and the server gave the transaction up")
        return state == "committed"

    def rollback(self) -> None:
        self._points = 0
        try:
            if self.in_transaction:
                self._connection.execute("ROLLBACK")
        except Exception:
            self.close()

    def close(self) -> None:
        with suppress(Exception):
            self._connection.close()

    @property
    def in_transaction(self) -> bool:
        return not self._connection.closed and self._connection.info.transaction_status.name in ("INTRANS", "INERROR")

    @property
    def usable(self) -> bool:
        return not self._connection.closed and self._connection.info.transaction_status.name == "IDLE"

    def about(self) -> str:
        version, database, user = self.ask("SELECT version(), current_database(), current_user")[0]
        return f"{' '.join(version.split()[:2])}, database {database} as {user}"

    def tables(self) -> list[tuple[TableName, str]]:
        return list_tables(self)

    def table(self, schema: str | None, name: str) -> Table | None:
        return find_table(self, schema, name)

    def outline(self) -> dict[str, dict[str, Any]]:
        return outline(self)

    def refused(self, functions: frozenset[str], *, reading: bool) -> dict[str, str]:
        allowed = self._functions | _HARMLESS | (frozenset() if reading else _NUMBERS)
        found: dict[str, str] = {}
        # Only names that are functions here: a table may well be called `lo_items`.
        for name, kinds in volatilities(self, functions - self._functions).items():
            if name.startswith(_DENIED) or name in _HIDDEN:
                found[name] = "it reaches outside the statement"
            elif "v" in kinds and name not in allowed:
                found[name] = "it is VOLATILE, so it may have effects; `settings.functions` can allow it"
        return found

    def unstable(self, functions: frozenset[str], texts: Iterable[Any]) -> frozenset[str]:
        return frozenset(name for name, kinds in volatilities(self, functions).items() if kinds != {"i"})


def _rows_of(cursor: psycopg.RawCursor[Any], sql: str, values: list[Any]) -> Generator[Any, None, None]:
    yield from cursor.stream(sql.encode(), values)
