"""The handle that the actions get: one database, as one account.

Its seam is the transaction: reads run in read-only ones, a change is prepared in one that is rolled back, and only
`send` commits, through the gate. All of it runs in worker threads.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import anyio.from_thread
import anyio.to_thread

from banksman import Environment, _gate
from banksman._change import call_context
from banksman.errors import Unavailable, UnknownName
from banksman_connectors.sql.rehearsal import Rehearsal, Stage
from banksman_connectors.sql.schema import Table
from banksman_connectors.sql.session import Mode, Session
from banksman_connectors.sql.settings import Dialect, SqlSettings
from banksman_connectors.sql.statement import Statement

if TYPE_CHECKING:
    from banksman import Action

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Job = Callable[[Session, Stage], T]

#: How many idle connections are kept.
_IDLE: Final = 4
#: The rehearsal of the preview under way, by handle: another run on the same handle has none, or its own.
_rehearsals: ContextVar[Mapping[int, Rehearsal]] = ContextVar("banksman_sql_rehearsals", default={})


class SqlApi:
    """One account of one database.

    Args:
        connect: opens a connection.
        concurrency: how many threads work at once.
    """

    #: Later reads of a preview see its earlier writes as the database itself would answer.
    rehearses: Final = True

    def __init__(
        self,
        connect: Callable[[], Session],
        *,
        dialect: Dialect,
        settings: SqlSettings,
        environment: Environment,
        concurrency: int = 16,
    ) -> None:
        self.dialect: Dialect = dialect
        self.settings = settings
        self.production = environment is Environment.PRODUCTION
        self.most_changed = settings.most_changed(environment)
        self._connect = connect
        self._concurrency = concurrency
        self._limiter: anyio.CapacityLimiter | None = None
        self._idle: list[Session] = []
        self._closed = False
        self._guard = threading.Lock()
        self._reader: Any = None
        self.sync = SyncSqlApi(self)

    def bind(self, reader: Any) -> None:
        """Called once by the hub: where `read` goes."""
        self._reader = reader

    async def read(self, action: Action[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read action of this connector."""
        if self._reader is None:
            return await action.body(self, *args, **kwargs)  # type: ignore[no-any-return]
        arguments = {**dict(zip(action.input.names, args, strict=False)), **kwargs}
        return await self._reader(action, arguments)  # type: ignore[no-any-return]

    @property
    def call_key(self) -> str:
        """Unique to this call of this run, the same for every attempt."""
        return call_context().key

    async def reading(self, job: Job[T]) -> T:
        """Run a job that reads: in a read-only transaction, or in the preview's own where that has written."""
        rehearsal = self._rehearsal()
        if rehearsal is not None and rehearsal.is_open:
            async with rehearsal.turn:
                return await self._thread(lambda: rehearsal.read(job))
        return await self._thread(lambda: self._alone(Mode.READ, job))

    async def preparing(self, job: Job[T]) -> T:
        """Run a job that changes rows, and roll it back: at once, or at the end of the preview."""
        rehearsal = self._rehearsal()
        if rehearsal is None:
            return await self._thread(lambda: self._alone(Mode.WRITE, job))
        async with rehearsal.turn:
            # A preview may look at the same call twice; its effect must be there once.
            key, kept = self.call_key, call_context().kept
            if key and kept and key in rehearsal.prepared:
                return rehearsal.prepared[key]  # type: ignore[no-any-return]
            made = await self._thread(lambda: rehearsal.write(job, keep=kept))
            if key and kept:
                rehearsal.prepared[key] = made
            return made

    def provisional(self, output: Any) -> bool:
        """Whether an answer holds something that the preview under way has drawn and the run will draw anew."""
        rehearsal = self._rehearsal()
        return rehearsal is not None and rehearsal.stage.holds_drawn(output)

    async def send(self, request: Statement) -> Any:
        """Carry out an approved change: run it, compare it with what was shown, commit.

        Raises:
            WriteRefused: nobody approved it.
            Drifted: the rows are not what was shown; nothing was changed.
            OutcomeUnknown: no clear answer came to COMMIT.
            CallError: it was refused, and nothing was changed.
        """
        _gate.admit(request.effect, request, request.fingerprint, request.summary())
        return await self._thread(lambda: self._commit(request))

    def _commit(self, statement: Statement) -> Any:
        with self._transaction(Mode.WRITE) as session:
            answer = statement.carry_out(session)
            session.commit(statement)
            return answer

    def _alone(self, mode: Mode, job: Job[T]) -> T:
        with self._transaction(mode) as session:
            return job(session, Stage())

    @contextmanager
    def _transaction(self, mode: Mode) -> Iterator[Session]:
        """A connection inside a transaction, which is rolled back unless it was committed."""
        session = self._begun(mode)
        try:
            yield session
        finally:
            session.rollback()
            self._put_back(session)

    def _begun(self, mode: Mode) -> Session:
        session, fresh = self._take(), False
        while True:
            try:
                session.begin(mode)
                return session
            except Unavailable:
                cut = not session.usable
                self._put_back(session)
                if fresh or not cut:
                    raise
            # An idle connection was cut; a fresh one tells whether the database is there.
            session, fresh = self._connect(), True

    def _take(self) -> Session:
        with self._guard:
            while self._idle:
                session = self._idle.pop()
                if session.usable:
                    return session
                session.close()
        return self._connect()

    def _put_back(self, session: Session) -> None:
        with self._guard:
            if session.usable and not self._closed and len(self._idle) < _IDLE:
                self._idle.append(session)
                return
        session.close()

    async def _thread(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._concurrency)
        # Never abandoned: a thread that went on alone could commit unseen. Its statements have a time limit.
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=False, limiter=self._limiter)

    def _rehearsal(self) -> Rehearsal | None:
        return _rehearsals.get().get(id(self))

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Around a whole preview: its writes are visible to its later steps, and rolled back at the end."""
        if self._rehearsal() is not None:
            yield
            return
        held = Rehearsal(self._take, self._put_back, self.settings.rehearsal_timeout)
        token = _rehearsals.set({**_rehearsals.get(), id(self): held})
        try:
            yield
        finally:
            _rehearsals.reset(token)
            with anyio.CancelScope(shield=True):
                async with held.turn:
                    await self._thread(held.finish)

    async def aclose(self) -> None:
        """Close the idle connections; those in use close when they are done."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for session in idle:
            await self._thread(session.close)


class SyncSqlApi:
    """The same handle for sync bodies, which run in a worker thread of the event loop."""

    def __init__(self, api: SqlApi) -> None:
        self.api = api

    @property
    def call_key(self) -> str:
        return self.api.call_key

    def read(self, action: Action[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """See `SqlApi.read`."""
        return anyio.from_thread.run(lambda: self.api.read(action, *args, **kwargs))


def table_named(session: Session, name: str) -> Table:
    """The table that an argument names: `orders`, `public.orders`, in the spelling of the database.

    Raises:
        UnknownName: lists the near ones.
    """
    for title, _ in session.tables():
        if name == str(title):
            found = session.table(title.schema or None, title.name)
            if found is not None:
                return found
    found = session.table(None, name)
    if found is None:
        raise UnknownName("table", name, (str(title) for title, _ in session.tables()))
    return found
