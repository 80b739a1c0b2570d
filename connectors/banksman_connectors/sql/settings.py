"""What a connection to a database says: where it is, and how much a statement may read, change and take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import Field

from banksman import Environment, Settings
from banksman.errors import ConfigError

Dialect = Literal["sqlite", "postgres"]

#: What a PostgreSQL URL may add, besides the host: https://www.postgresql.org/docs/current/libpq-connect.html
_POSTGRES_PARAMETERS: Final = ("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding")
_SECRET_PARAMETERS: Final = ("password", "passfile", "sslpassword", "service")
_USE_AUTH: Final = 'Put them under `auth`: {kind: basic, username: ..., password: "env:NAME"}.'


class SqlSettings(Settings):
    """Settings of a `sql` connection."""

    url: str = Field(
        description="`sqlite:///orders.db` (relative), `sqlite:////srv/orders.db` (absolute), "
        "`postgresql://host:5432/database`, or `postgresql:///database?host=/run/postgresql` for a Unix socket. "
        "Without a password: that belongs under `auth`.",
    )
    search_path: tuple[str, ...] = Field(
        default=(), description="PostgreSQL: the schemas in which unqualified names are looked up, in order."
    )
    max_rows: int = Field(default=10_000, ge=1, description="The most rows that one query returns.")
    max_changed_rows: int | None = Field(
        default=None, ge=1, description="The most rows that one write may touch; 1,000 in production, else 10,000."
    )
    statement_timeout: float = Field(default=30.0, gt=0, description="Seconds that one statement may take.")
    rehearsal_timeout: float = Field(
        default=60.0, gt=0, description="Seconds that a preview may hold its transaction, and so its locks."
    )
    functions: tuple[str, ...] = Field(
        default=(), description="PostgreSQL: further functions marked VOLATILE that statements may call."
    )

    def most_changed(self, environment: Environment) -> int:
        """The most rows that one write may touch."""
        if self.max_changed_rows is not None:
            return self.max_changed_rows
        return 1_000 if environment is Environment.PRODUCTION else 10_000


@dataclass(frozen=True)
class Address:
    """Where a database is, taken from its URL.

    Attributes:
        path: the file, for SQLite.
        parameters: libpq's connection parameters, for PostgreSQL.
    """

    dialect: Dialect
    path: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        where = self.parameters.get("host", "the local socket")
        return f"{where}, database {self.parameters.get('dbname') or self.parameters.get('user') or 'of the user'}"


def address_of(url: str) -> Address:
    """Read a connection's URL.

    Raises:
        ConfigError: the scheme is unknown, the URL holds a password, or a part of it cannot be used. The URL itself
            is never shown, since somebody may have put a password into it.
    """
    try:
        parts = urlsplit(url)
        port, password = parts.port, parts.password
    except ValueError:
        raise ConfigError("settings.url is not a URL; is the port a number?") from None
    if password is not None:
        raise ConfigError("settings.url holds a password", hint=_USE_AUTH)
    if parts.fragment:
        raise ConfigError("settings.url has a fragment ('#...'), which means nothing for a database")
    scheme = parts.scheme.partition("+")[0]
    if scheme == "sqlite":
        return _sqlite(parts)
    if scheme in ("postgresql", "postgres"):
        return _postgres(parts, port)
    raise ConfigError(
        f"settings.url has the scheme {parts.scheme!r}",
        hint="There are sqlite:///FILE and postgresql://HOST:PORT/DATABASE.",
    )


def _sqlite(parts: SplitResult) -> Address:
    path = unquote(parts.path)[1:]
    if parts.netloc:
        raise ConfigError("settings.url has too few slashes", hint="Write sqlite:///FILE, or sqlite:////FOLDER/FILE.")
    if parts.query:
        raise ConfigError("settings.url of SQLite takes no parameters after '?'")
    if path in ("", ":memory:"):
        raise ConfigError(
            "settings.url names no file; a database in memory would be empty for each connection",
            hint="Write sqlite:///FILE, or sqlite:////FOLDER/FILE.",
        )
    return Address("sqlite", path=Path(path))


def _postgres(parts: SplitResult, port: int | None) -> Address:
    given = {"host": unquote(parts.hostname or ""), "port": str(port or ""), "user": unquote(parts.username or "")}
    given["dbname"] = unquote(parts.path.lstrip("/"))
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _SECRET_PARAMETERS:
            raise ConfigError(f"settings.url holds {name}=", hint=_USE_AUTH)
        if name not in _POSTGRES_PARAMETERS:
            raise ConfigError(
                f"settings.url has the parameter {name!r}", hint=f"There are {', '.join(_POSTGRES_PARAMETERS)}."
            )
        given[name] = value
    return Address("postgres", parameters={name: value for name, value in given.items() if value})
