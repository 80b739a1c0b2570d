"""From what a database says to the errors of the tree: one table for SQLSTATE, one for SQLite's result codes.

https://www.postgresql.org/docs/current/errcodes-appendix.html, https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from banksman.errors import (
    AccessDenied,
    AuthFailed,
    CallError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)

if TYPE_CHECKING:
    import psycopg

#: SQLSTATE, or its class (the first two signs), to error; the longer one decides.
SQLSTATES: Final[Mapping[str, type[CallError]]] = {
    "08": Unavailable,
    "0A": Rejected,
    "21": Rejected,
    "22": Rejected,
    "23": Conflict,
    "25": Rejected,
    "25P03": Unavailable,  # the transaction was idle for too long
    "25P04": Unavailable,  # the transaction took too long
    "28": AuthFailed,
    "3D": NotFound,
    "3F": NotFound,
    "40": Conflict,
    "42": Rejected,
    "42501": AccessDenied,
    "42704": NotFound,
    "44": Conflict,
    "53": Unavailable,  # disk full, out of memory, too many connections
    "54": Rejected,
    "55": Conflict,
    "55P03": Unavailable,  # a lock was not to be had in time
    "57": Unavailable,  # cancelled, shutting down, starting up
    "58": Unavailable,
    "P0": Conflict,  # a trigger or a function raised it
    "XX": Unavailable,
}

#: SQLite's primary result codes to errors.
SQLITE_CODES: Final[Mapping[int, type[CallError]]] = {
    sqlite3.SQLITE_ERROR: Rejected,
    sqlite3.SQLITE_PERM: AccessDenied,
    sqlite3.SQLITE_ABORT: Unavailable,
    sqlite3.SQLITE_BUSY: Unavailable,
    sqlite3.SQLITE_LOCKED: Unavailable,
    sqlite3.SQLITE_NOMEM: Unavailable,
    sqlite3.SQLITE_READONLY: AccessDenied,
    sqlite3.SQLITE_INTERRUPT: Unavailable,
    sqlite3.SQLITE_IOERR: Unavailable,
    sqlite3.SQLITE_CORRUPT: Unavailable,
    sqlite3.SQLITE_FULL: Unavailable,
    sqlite3.SQLITE_CANTOPEN: Unavailable,
    sqlite3.SQLITE_SCHEMA: Conflict,
    sqlite3.SQLITE_TOOBIG: Rejected,
    sqlite3.SQLITE_CONSTRAINT: Conflict,
    sqlite3.SQLITE_MISMATCH: Rejected,
    sqlite3.SQLITE_AUTH: AccessDenied,
    sqlite3.SQLITE_RANGE: Rejected,
    sqlite3.SQLITE_NOTADB: Rejected,
}

_TOO_LONG: Final = "It took longer than `statement_timeout`; nothing was changed. Narrow it, or raise the setting."
_HINTS: Final[Mapping[str, str]] = {
    "23505": "A row with this key is there already.",
    "23503": "A foreign key stands against it.",
    "40001": "Somebody changed the same rows meanwhile; nothing was changed. Preview again.",
    "40P01": "Two transactions waited for each other, and this one was given up; nothing was changed.",
    "53100": "The disk is full; nothing was changed.",
    "55P03": "Somebody holds a lock on these rows; nothing was changed.",
    "57014": _TOO_LONG,
    "25P03": "The preview took longer than `rehearsal_timeout`; nothing was changed.",
}
_SQLITE_HINTS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "Somebody else is writing to the database; nothing was changed.",
    sqlite3.SQLITE_FULL: "The disk is full; nothing was changed.",
    sqlite3.SQLITE_INTERRUPT: _TOO_LONG,
    sqlite3.SQLITE_READONLY: "The file, or its folder, may not be written.",
}
_LOGIN: Final = "The login is wrong: correct `auth`, then `banksman connections test`."

#: Errors of COMMIT after which it is certain that nothing was committed.
_NOT_COMMITTED: Final = ("23", "40", "P0", "55", "22", "44")


def from_postgres(error: psycopg.Error, *, committing: bool = False) -> CallError:
    """What an error of PostgreSQL means. `committing`: it came in answer to COMMIT."""
    import psycopg

    state = error.sqlstate or ""
    text = _text(error.diag.message_primary or str(error))
    if committing and (not state.startswith(_NOT_COMMITTED) or state == "40003"):
        return OutcomeUnknown(f"no clear answer to COMMIT: {text}", code=state or None)
    if not state and not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Rejected(f"the value cannot be sent: {text}")
    if not state:
        return Unavailable(f"the connection to the database was lost: {text}", hint="Nothing was changed.")
    kind = SQLSTATES.get(state) or SQLSTATES.get(state[:2]) or Rejected
    if error.diag.message_detail:
        text = f"{text} ({_text(error.diag.message_detail)})"
    if error.diag.statement_position:
        text = f"{text}, at character {error.diag.statement_position}"
    return kind(f"{text} [SQLSTATE {state}]", code=state, hint=_HINTS.get(state))


def from_postgres_login(error: psycopg.Error) -> CallError:
    """What it means that PostgreSQL could not be connected to. libpq gives no code then, only its English text."""
    text = _text(str(error))
    needs = getattr(error.pgconn, "needs_password", False)
    if needs or any(sign in text for sign in ("password authentication failed", "no password supplied")):
        return AuthFailed(f"PostgreSQL refused the login: {text}", hint=_LOGIN)
    if any(sign in text for sign in ("authentication failed", "no pg_hba.conf entry", "is not permitted to log in")):
        return AuthFailed(f"PostgreSQL refused the login: {text}", hint=_LOGIN)
    if "database " in text and "does not exist" in text:
        return NotFound(f"there is no such database: {text}", hint="Correct `settings.url` of the connection.")
    if "role " in text and "does not exist" in text:
        return AuthFailed(f"PostgreSQL refused the login: {text}", hint=_LOGIN)
    return Unavailable(f"PostgreSQL cannot be reached: {text}", hint="Check `settings.url` and the network.")


def from_sqlite(error: Exception, *, committing: bool = False) -> CallError:
    """What an error of SQLite means. `committing`: it came in answer to COMMIT."""
    extended = getattr(error, "sqlite_errorcode", None)
    text = _text(str(error))
    if not isinstance(extended, int):
        # Raised by the Python module itself: a value that SQLite has no type for, a number beyond 64 bits.
        return Rejected(f"SQLite does not take it: {text}")
    code = extended & 0xFF
    name = getattr(error, "sqlite_errorname", str(extended))
    if committing and code == sqlite3.SQLITE_IOERR:
        return OutcomeUnknown(f"no clear answer to COMMIT: {text} [{name}]", code=name)
    kind = SQLITE_CODES.get(code, Rejected)
    return kind(f"{text} [{name}]", code=name, hint=_SQLITE_HINTS.get(code))


def _text(text: Any) -> str:
    from banksman.http.scrub import scrub

    return scrub(" ".join(str(text).split()))[:500]
