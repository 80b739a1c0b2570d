"""The durable engine behind a narrow port: start a run, wait for it, and recover what a dead process left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from banksman.errors import StorageError, UsageError
from banksman.runtime._locks import Locks, held, take_slot
from banksman.runtime._writing import Stopping

if TYPE_CHECKING:
    import sqlalchemy

#: The same for every release: a run is a fold over its ledger, so a newer version can go on with it. DBOS does not
#: recover runs of another application version.
APPLICATION_VERSION = "banksman-ledger-1"

Carry = Callable[[str], Awaitable[None]]


class Engine(Protocol):
    """Runs `carry(run)` durably: once it was started, some process will call it until it returns."""

    async def start(self, run: str) -> None:
        """Start a run. Where it is under way in this process already, nothing more happens."""

    async def wait(self, run: str) -> None:
        """Until `carry` has returned for a run that was started or recovered here.

        Raises:
            Stopping: the process shuts down.
            StorageError: the ledger cannot be written.
            UsageError: another process carries it out.
        """

    async def recover(self) -> list[str]:
        """Take over what processes that died have left; the ids of the runs."""

    async def close(self) -> None:
        """Stop; what has not returned is recovered by another process."""


class DbosEngine:
    """DBOS Transact on SQLite or PostgreSQL. One per process: DBOS is a singleton.

    Measured with dbos 3.4.0 on SQLite, and what is done about it: no journal mode is set (an engine with WAL and
    `synchronous=FULL` is handed in: a started run must survive a power cut like its ledger does); two live processes
    under one executor id run a step twice (each takes a slot by a lock that dies with it); runs of another
    application version are not recovered (the version is pinned); a step costs many commits and is repeated after a
    kill (there is one workflow a run and no step in it: the ledger is the step record).
    """

    def __init__(self, where: str | Path, locks: Locks, carry: Carry) -> None:
        self._where = where
        self._locks = locks
        self._carry = carry
        self.slot = ""
        self._workflow: Any = None
        self._tasks: dict[str, asyncio.Future[None]] = {}
        self._carrying: set[str] = set()

    async def open(self) -> DbosEngine:
        """Launch DBOS under a slot of its own. What a dead process left under that slot starts again.

        Raises:
            StorageError: the database cannot be used.
        """
        import dbos
        from sqlalchemy.exc import SQLAlchemyError

        self.slot = take_slot(self._locks)
        logging.getLogger("dbos").setLevel(logging.ERROR)
        config: dict[str, Any] = {
            "name": "banksman",
            "executor_id": self.slot,
            "application_version": APPLICATION_VERSION,
            "max_executor_threads": 2,
            "log_level": "ERROR",
            "console_log_level": "ERROR",
        }
        try:
            if isinstance(self._where, str) and self._where.startswith(("postgresql://", "postgres://")):
                config["system_database_url"] = _psycopg_url(self._where)
            else:
                config["system_database_url"] = f"sqlite:///{self._where}"
                config["system_database_engine"] = sqlite_engine(Path(self._where))
            dbos.DBOS(config=cast(dbos.DBOSConfig, config))
            self._workflow = _registered(self)
            dbos.DBOS.launch()
        except (SQLAlchemyError, OSError) as error:
            self._locks.release(self.slot)
            raise StorageError(
                f"the run database cannot be used: {str(error).splitlines()[0]}",
                hint="Check the folder's permissions and free space, or the --database address.",
            ) from error
        return self

    async def _run(self, run: str) -> None:
        if run in self._carrying:
            return
        self._carrying.add(run)
        future = self._future(run)
        try:
            with held(self._locks, f"run-{run}") as mine:
                if not mine:
                    raise UsageError(f"run {run} is being carried out by another process")
                await self._carry(run)
        except UsageError as error:
            _fail(future, error)
        except (Stopping, StorageError, asyncio.CancelledError) as error:
            _fail(future, error if isinstance(error, StorageError) else Stopping())
            # DBOS records an Exception as the workflow's end. This one has not ended: it stays pending, and the next
            # process that takes the slot goes on with it.
            raise asyncio.CancelledError from None
        finally:
            self._carrying.discard(run)
        if not future.done():
            future.set_result(None)

    def _future(self, run: str) -> asyncio.Future[None]:
        known = self._tasks.get(run)
        if known is None or known.done():
            self._tasks[run] = known = asyncio.get_running_loop().create_future()
        return known

    async def start(self, run: str) -> None:
        import dbos

        if run in self._carrying:
            return
        self._future(run)
        # An id of its own each time: which process carries a run is decided by the run's lock, and what is left to do
        # by its ledger.
        with dbos.SetWorkflowID(f"{run}#{secrets.token_hex(4)}"):
            await dbos.DBOS.start_workflow_async(self._workflow, run)

    async def wait(self, run: str) -> None:
        await asyncio.shield(self._future(run) if run not in self._tasks else self._tasks[run])

    async def recover(self) -> list[str]:
        import dbos

        pending = await dbos.DBOS.list_workflows_async(status="PENDING", app_version=APPLICATION_VERSION)
        found: list[str] = []
        dead: dict[str, bool] = {self.slot: False}
        for workflow in pending:
            owner = str(workflow.executor_id)
            if owner not in dead:
                # A slot that can be locked has no live owner.
                with held(self._locks, owner) as free:
                    dead[owner] = free
            if dead[owner]:
                await dbos.DBOS.resume_workflow_async(workflow.workflow_id)
                found.append(workflow.workflow_id.partition("#")[0])
        return found

    async def close(self) -> None:
        import dbos

        with contextlib.suppress(Exception):
            await asyncio.to_thread(dbos.DBOS.destroy, workflow_completion_timeout_sec=0)
        self._locks.release(self.slot)


_engine: DbosEngine | None = None
_workflow: Any = None


def _registered(engine: DbosEngine) -> Any:
    """The workflow, registered once a process as DBOS wants it; it belongs to the engine opened last."""
    global _engine, _workflow
    import dbos

    _engine = engine
    if _workflow is None:

        async def carry_out(run: str) -> None:
            assert _engine is not None
            await _engine._run(run)

        _workflow = dbos.DBOS.workflow(name="banksman.run", max_recovery_attempts=None)(carry_out)
    return _workflow


def sqlite_engine(path: Path) -> sqlalchemy.Engine:
    """An engine for DBOS with the settings that it does not make itself."""
    import sqlalchemy
    from sqlalchemy import event

    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _psycopg_url(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # it is asked for in `wait`, or not at all


class LocalEngine:
    """The same port without durability of its own, for previews, tests and embedding: a run is a task."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, run: str) -> None:
        self._tasks[run] = asyncio.ensure_future(self._carry(run))

    async def wait(self, run: str) -> None:
        await self._tasks[run]

    async def recover(self) -> list[str]:
        return []

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
