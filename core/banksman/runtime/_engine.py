"""The durable engine behind a narrow port: start a run, wait for it, and recover what a dead process left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from anyio import to_thread

from banksman.errors import StorageError
from banksman.runtime._locks import Locks, held, take_slot
from banksman.runtime._runner import Carry, Runner
from banksman.runtime._writing import Stopping

if TYPE_CHECKING:
    import sqlalchemy

#: The same for every release: a run is a fold over its ledger, so a newer version can go on with it. DBOS does not
#: recover runs of another application version.
APPLICATION_VERSION = "banksman-ledger-1"
#: How often a living process looks for runs that a dead one has left: seconds.
LOOK_ROUND = 10.0


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
        self._runner = Runner(locks, carry)
        self._workflow: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._dropped: set[str] = set()
        self.slot = ""

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
            with contextlib.suppress(Exception):
                # It is the only one of the process, and would be taken for the next one's.
                dbos.DBOS.destroy(workflow_completion_timeout_sec=0)
            self._locks.release(self.slot)
            raise _translated(error) from error
        self._tasks = [asyncio.create_task(self._runner.watch()), asyncio.create_task(self._look_round())]
        return self

    async def _run(self, run: str) -> None:
        try:
            await self._runner.run(run)
        except (Stopping, StorageError):
            # A ledger that was busy for too long, say: nobody else recovers what a living process has dropped.
            self._dropped.add(run)
            # DBOS records an Exception as the workflow's end. This one has not ended: it stays pending, and the next
            # process that takes the slot goes on with it.
            raise asyncio.CancelledError from None

    async def start(self, run: str) -> None:
        import dbos
        from sqlalchemy.exc import SQLAlchemyError

        if self._runner.carries_again(run):
            return
        self._runner.end(run)
        # An id of its own each time: which process carries a run is decided by the run's lock, and what is left to do
        # by its ledger.
        with dbos.SetWorkflowID(f"{run}#{secrets.token_hex(4)}"):
            try:
                await dbos.DBOS.start_workflow_async(self._workflow, run)
            except SQLAlchemyError as error:
                raise _translated(error) from error

    async def wait(self, run: str) -> None:
        await self._runner.wait(run)

    async def recover(self) -> list[str]:
        import dbos

        pending = await dbos.DBOS.list_workflows_async(
            status="PENDING", app_version=APPLICATION_VERSION, load_input=False, load_output=False
        )
        left: dict[str, list[str]] = {}
        for workflow in pending:
            left.setdefault(str(workflow.executor_id), []).append(workflow.workflow_id)
        left.pop(self.slot, None)  # DBOS starts these itself when it is launched
        found: list[str] = []
        for owner, workflows in left.items():
            # A slot that can be locked has no living owner. It stays locked until its runs are in the queue, or a
            # process that starts now would recover them as well.
            with held(self._locks, owner) as free:
                for workflow_id in workflows if free else ():
                    await dbos.DBOS.resume_workflow_async(workflow_id)
                    found.append(workflow_id.partition("#")[0])
        return found

    async def _look_round(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        while True:
            await asyncio.sleep(LOOK_ROUND)
            with contextlib.suppress(SQLAlchemyError, StorageError):
                for run in list(self._dropped):
                    await self.start(run)
                    self._dropped.discard(run)
                await self.recover()

    async def close(self) -> None:
        import dbos

        for task in self._tasks:
            task.cancel()
        await self._runner.close()
        with contextlib.suppress(Exception):
            await to_thread.run_sync(lambda: dbos.DBOS.destroy(workflow_completion_timeout_sec=0))
        # DBOS has put its own pool, which is shut down by now, in the place of the loop's: `asyncio.to_thread` of the
        # program around us would fail.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        with contextlib.suppress(StorageError):
            self._locks.release(self.slot)


def _translated(error: Exception) -> StorageError:
    return StorageError(
        f"the run database cannot be used: {str(error).splitlines()[0]}",
        hint="Check the folder's permissions and free space, or the --database address.",
    )


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


class LocalEngine:
    """The same port without durability of its own, for previews, tests and embedding: a run is a task."""

    def __init__(self, locks: Locks, carry: Carry) -> None:
        self._runner = Runner(locks, carry)
        self._watching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, run: str) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._runner.watch())
        if not self._runner.carries_again(run):
            self._runner.end(run)
            task = asyncio.create_task(self._runner.run(run))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for the run is told

    async def wait(self, run: str) -> None:
        await self._runner.wait(run)

    async def recover(self) -> list[str]:
        return []

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self._runner.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
