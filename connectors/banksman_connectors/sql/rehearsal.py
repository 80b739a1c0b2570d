"""A preview's transaction: what a plan writes is there for its later steps, and nowhere else, and never stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import anyio

from banksman import PENDING
from banksman._canonical import Plain
from banksman._change import call_context
from banksman._record import Placeholder, at_path, holds_placeholder, placeholder, settle, token_parts
from banksman.errors import Unavailable
from banksman_connectors.sql.schema import Key, Rowset, TableName
from banksman_connectors.sql.session import Mode, Session

T = TypeVar("T")


@dataclass
class Stage:
    """What the steps of one preview know of each other's rows.

    A row that an earlier step inserts has a number in the rehearsal that it will not have in the run. So values that
    only the database knows are remembered with the placeholder that later steps are shown, and a placeholder that a
    later step is given is turned back into the rehearsed value where it has to be looked up.

    Attributes:
        marks: what stands for values of rows, by table and key.
        results: the rehearsed outputs, by call.
        drawn: the values that the run will draw anew: numbers, times.
    """

    marks: dict[tuple[TableName, Key], dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Plain] = field(default_factory=dict)
    drawn: set[Any] = field(default_factory=set)

    def aside(self) -> Stage:
        """A copy, for a step whose effects are not to be remembered."""
        return Stage(dict(self.marks), dict(self.results), set(self.drawn))

    def token(self, path: str) -> Any:
        """The placeholder of a part of the result that is being prepared; `PENDING` outside of a preview."""
        context = call_context()
        return placeholder(context.nonce, context.call, path) if context.nonce and context.call else PENDING

    def known(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The rehearsed values of those parameters that are placeholders of this connection's own steps."""
        found: dict[str, Any] = {}
        for name, value in parameters.items():
            if holds_placeholder(value):
                value = settle(value, call_context().nonce, self._resolve)
                if not holds_placeholder(value):
                    found[name] = value
        return found

    def _resolve(self, token: Placeholder) -> Plain:
        parts = token_parts(token)
        if parts is None or parts[1] not in self.results:
            return token
        try:
            return at_path(self.results[parts[1]], parts[2])
        except LookupError:
            return token

    def keep(
        self, result: Plain, marks: Mapping[tuple[TableName, Key], Mapping[str, Any]], rows: Mapping[TableName, Rowset]
    ) -> None:
        """Remember what a step did: its output, what stands for values of rows, and the rows themselves."""
        if call := call_context().call:
            self.results[call] = result
        for (title, key), columns in marks.items():
            self.marks[title, key] = dict(columns)
            row = rows[title].get(key, {})
            self.drawn |= {row[name] for name in columns if isinstance(row.get(name), int | str | Decimal | float)}

    def holds_drawn(self, value: Plain) -> bool:
        """Whether a value that the run will draw anew is inside a value."""
        if isinstance(value, Mapping):
            return any(map(self.holds_drawn, value.values()))
        if isinstance(value, list):
            return any(map(self.holds_drawn, value))
        return isinstance(value, int | str | Decimal | float) and not isinstance(value, bool) and value in self.drawn


@dataclass
class Rehearsal:
    """The transaction of one preview, opened by its first write.

    One thread at a time uses it. A timer gives it up, so that a preview that waits for another system does not hold
    locks for ever.
    """

    open: Callable[[], Session]
    close: Callable[[Session], None]
    seconds: float
    stage: Stage = field(default_factory=Stage)
    prepared: dict[str, Any] = field(default_factory=dict)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    session: Session | None = None
    _thread: threading.Lock = field(default_factory=threading.Lock)
    _timer: threading.Timer | None = None
    _over: str = ""

    def read(self, job: Callable[[Session, Stage], T]) -> T:
        """Run a job that reads; call it only where there is a transaction."""
        with self._thread:
            session = self._running()
            with session.point(keep=False):
                if session.dialect == "postgres":
                    # Ends with the savepoint.
                    session.control("SET TRANSACTION READ ONLY")
                return job(session, self.stage)

    def write(self, job: Callable[[Session, Stage], T], *, keep: bool = True) -> T:
        """Run a job that changes rows; what it did stays visible to later jobs, unless it is only looked at."""
        with self._thread:
            if self.session is None and not self._over:
                self._begin()
            session = self._running()
            try:
                with session.point(keep=keep):
                    return job(session, self.stage if keep else self.stage.aside())
            finally:
                if not session.in_transaction:
                    self._end("the database gave the transaction of the preview up")

    def _begin(self) -> None:
        session = self.open()
        try:
            session.begin(Mode.WRITE)
        except BaseException:
            session.close()
            raise
        self.session = session
        self._timer = threading.Timer(self.seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _running(self) -> Session:
        if self.session is None:
            raise Unavailable(self._over or "the preview is over", hint="Preview again; nothing was changed.")
        return self.session

    def _expire(self) -> None:
        with self._thread:
            self._end(f"the preview took longer than {self.seconds:g} s (`rehearsal_timeout`)")

    def _end(self, why: str) -> None:
        self._over = self._over or why
        if self.session is not None:
            session, self.session = self.session, None
            with suppress(Exception):
                session.rollback()
            self.close(session)

    def finish(self) -> None:
        """Roll back whatever was rehearsed."""
        if self._timer is not None:
            self._timer.cancel()
        with self._thread:
            self._end("the preview is over")

    @property
    def is_open(self) -> bool:
        """Whether reads have to go through the transaction: it is open, or was and is lost."""
        return self.session is not None or bool(self._over)
