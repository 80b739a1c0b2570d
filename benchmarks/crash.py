"""Kills runs in mid-flight, again and again, and counts what was lost and what was done twice.

Workers carry out runs over HTTP against a remote that commits one write in twenty three seconds late, whether or not
anybody waits, and deduplicates nothing. They are ended by SIGKILL at random moments: while they start, recover, look,
wait for an approval, send, or undo; often two of them at once. What is left at the end is compared with what the
remote has in its journal.

    python benchmarks/crash.py                      100 kills on SQLite
    python benchmarks/crash.py --postgres           the same on PostgreSQL
    python benchmarks/crash.py --early-reconcile    believes at once that what is not found did not happen: it doubles
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import crash_system  # noqa: E402
from banksman.errors import BanksmanError  # noqa: E402
from banksman.hub import Hub  # noqa: E402
from banksman.ledger import broken_links  # noqa: E402
from banksman.runtime import RunState  # noqa: E402
from report import finish, table  # noqa: E402

#: How many runs are under way at once.
CROWD = 10
#: Every so many runs has a write that only a person can look up; every so many is undone afterwards.
SHOUTS_EVERY, UNDONE_EVERY = 2, 3
#: Seconds without any new entry after which it is said that nothing happens any more.
STALLED = 120.0


@dataclass
class Watched:
    """A run as the driver sees it."""

    state: RunState
    undone: bool = False
    #: When a call was handed to a person, by call.
    asked: dict[str, float] = field(default_factory=dict)


class Driver:
    """Creates runs, approves them, kills workers, and plays the person who looks into the system."""

    def __init__(self, hub: Hub, url: str, command: list[str], given: argparse.Namespace) -> None:
        self.hub = hub
        self.url = url
        self.command = command
        self.given = given
        self.random = random.Random(given.seed)
        self.workers: list[subprocess.Popen[str]] = []
        self.runs: dict[str, Watched] = {}
        self.kills = self.kills_while_sending = 0
        #: What the runs were at when a worker was killed.
        self.hits: Counter[str] = Counter()
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.last_news = time.monotonic()

    async def drive(self) -> None:
        """Until the kills are done and all runs are over."""
        while self.kills < self.given.kills:
            await self._fill()
            await self._kill_after(self.random.uniform(0.2, 2.0))
        print(f"{self.given.kills} kills are done; waiting for the runs to end", file=sys.stderr)
        while any(not self._is_settled(one) for one in self.runs.values()):
            self._hire(1)
            await self._tick()
            if time.monotonic() - self.last_news > STALLED:
                print("nothing has happened for two minutes", file=sys.stderr)
                return

    async def _fill(self) -> None:
        under_way = sum(not one.state.is_over for one in self.runs.values())
        for _ in range(max(0, CROWD - under_way)):
            number = len(self.runs)
            plan = crash_system.plan(shouts=number % SHOUTS_EVERY == SHOUTS_EVERY - 1)
            run = await self.hub.create(plan)
            self.runs[run] = Watched(RunState(run), undone=number % UNDONE_EVERY != UNDONE_EVERY - 1)

    def _hire(self, count: int) -> None:
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < count:
            self.workers.append(subprocess.Popen(self.command, text=True, stdout=subprocess.PIPE))

    async def _kill_after(self, seconds: float) -> None:
        two = self.random.random() < 0.3
        self._hire(2 if two else 1)
        from_the_start = self.random.random() < 0.15
        if not from_the_start:
            # A worker needs its time to be up; most kills are to hit it at work.
            await asyncio.gather(*[asyncio.to_thread(_ready, worker) for worker in self.workers])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self._tick()
        both = self.random.random() < 0.5
        doomed = list(self.workers) if both else [self.random.choice(self.workers)]
        for worker in doomed:
            worker.kill()
            worker.wait()
            self.workers.remove(worker)
        self._refresh()
        self.kills += len(doomed)
        states = [one.state for one in self.runs.values() if not one.state.is_over]
        self.hits.update("not started yet" if from_the_start else _moment(state) for state in states)
        self.kills_while_sending += any(state.of_status("intended") for state in states)

    async def _tick(self) -> None:
        self._refresh()
        for watched in list(self.runs.values()):
            state = watched.state
            with contextlib.suppress(BanksmanError):
                if state.waits and state.preview is not None and self.random.random() < 0.3:
                    await self.hub.approve(state.id, state.preview.digest, how="flag")
                elif state.of_status("handed_over"):
                    await self._look_up(watched)
                elif state.status == "done" and watched.undone and not state.undoes:
                    watched.undone = False
                    undo = await self.hub.plan_undo(state.id)
                    assert undo.plan is not None
                    run = await self.hub.create(undo.plan, undoes=state.id)
                    self.runs[run] = Watched(RunState(run))
        await asyncio.sleep(0.05)

    def _refresh(self) -> None:
        for watched in self.runs.values():
            if not self._is_settled(watched) or watched.undone:
                for entry in self.hub.ledger.entries(watched.state.id, after=watched.state.last):
                    watched.state.apply(entry)
                    self.last_news = time.monotonic()

    def _is_settled(self, watched: Watched) -> bool:
        return watched.state.is_over and not (watched.undone and watched.state.status == "done")

    async def _look_up(self, watched: Watched) -> None:
        """A person looks into the system, but not before it can have been done."""
        for call in watched.state.of_status("handed_over"):
            if time.monotonic() < watched.asked.setdefault(call.id, time.monotonic() + crash_system.SETTLE):
                continue
            found = next((one for one in self.journal() if one["marker"] == f"{watched.state.id}.{call.id}"), None)
            output = {"id": found["id"], "text": found["text"]} if found else None
            await self.hub.settle(watched.state.id, call.id, happened=found is not None, output=output)

    def journal(self) -> list[dict[str, Any]]:
        """All writes that took effect, as the remote has them."""
        return list(self.http.get("/journal").json())

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.http.close()


def _moment(state: RunState) -> str:
    if state.of_status("intended"):
        return "sending an undo" if state.undoes else "sending"
    if state.of_status("unknown"):
        return "finding out what became of a write"
    names = {"new": "looking", "previewed": "waiting for an approval", "paused": "waiting for a person"}
    return names.get(state.status, "between calls, or looking again")


def _ready(worker: subprocess.Popen[str]) -> None:
    if worker.stdout is not None and not worker.stdout.closed:
        worker.stdout.readline()
        worker.stdout.close()


def examine(driver: Driver) -> dict[str, Any]:
    """Hold the ledger against the remote's journal."""
    journal = driver.journal()
    by_key = Counter(one["marker"] for one in journal)
    by_content = Counter((one["method"], one["text"], one["id"] if one["method"] != "POST" else 0) for one in journal)
    confirmed: set[str] = set()
    broken = lost = short = reconciled = absent = escalated = 0
    for run, watched in driver.runs.items():
        entries = driver.hub.ledger.entries(run)
        broken += len(broken_links(run, entries))
        state = watched.state
        lost += state.status != "done"
        writes = [call for call in state.of_status("confirmed") if call.intent]
        confirmed.update(f"{run}.{call.id}" for call in writes)
        if state.status == "done" and not state.undoes:
            own = [call for call in writes if not call.id.startswith("shout")]
            short += crash_system.WRITES - len(own)
        asked = {entry.call for entry in entries if entry.kind == "call.handed_over"}
        doubtful = {entry.call for entry in entries if entry.kind == "call.unknown"}
        escalated += len(asked)
        reconciled += len(doubtful - asked)
        absent += sum(entry.kind == "call.absent" for entry in entries)
    undone = [one.state for one in driver.runs.values() if one.state.undoes]
    # The same content comes twice when an undo puts back what was there before.
    again = sum(count - 1 for (method, _, _), count in by_content.items() if method == "POST" and count > 1)
    return {
        "kills": driver.kills,
        "kills_while_sending": driver.kills_while_sending,
        "runs": len(driver.runs),
        "undos": len(undone),
        "writes": len(journal),
        "runs_lost": lost,
        "writes_lost": short + sum(key not in by_key for key in confirmed),
        "writes_doubled": max(sum(count - 1 for count in by_key.values()), again),
        "writes_unrecorded": sum(key not in confirmed for key in by_key),
        "unknown_reconciled": reconciled,
        "unknown_absent": absent,
        "unknown_escalated": escalated,
        "chains_broken": broken,
    }


@contextlib.contextmanager
def remote(slow_every: int) -> Iterator[str]:
    """The remote in its own process; yields its address."""
    command = [sys.executable, str(HERE / "crash_remote.py"), "--slow-every", str(slow_every)]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def database(given: argparse.Namespace) -> Iterator[str | None]:
    """The `postgresql://` address that was asked for; None: SQLite."""
    if given.postgres:
        from tests.peers.servers import postgres

        with postgres() as server:
            yield server.url
    else:
        yield given.database


async def run(given: argparse.Namespace, home: Path, url: str, address: str | None) -> dict[str, Any]:
    """One trial."""
    settle = 0.0 if given.early_reconcile else crash_system.SETTLE
    command = [sys.executable, str(HERE / "crash_worker.py"), str(home), url, str(settle)]
    if address:
        command.append(address)
    config = crash_system.config(home, url, address, settle)
    async with Hub(config, registry=crash_system.registry()) as hub:
        driver = Driver(hub, url, command, given)
        try:
            await driver.drive()
            figures = examine(driver)
        finally:
            driver.close()
        rows = [[moment, count] for moment, count in driver.hits.most_common()]
        table("What the runs were at when a worker was killed", ["moment", "runs hit"], rows)
        over = Counter(one.state.status for one in driver.runs.values())
        table("Runs", ["status", "runs"], [[status, count] for status, count in over.items()])
        for one in driver.runs.values():
            if one.state.status != "done":
                print(f"run {one.state.id} is {one.state.status}: {one.state.why}")
        return figures


def main() -> int:
    """Run the benchmark; the exit code is 1 where a write or a run was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow-every", type=int, default=20, help="one write in so many takes three seconds")
    parser.add_argument("--database", help="a postgresql:// address; the schema `banksman` in it is used")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of its own")
    parser.add_argument("--early-reconcile", action="store_true", help="with a settle time of 0: shows doubled writes")
    given = parser.parse_args()
    started = time.monotonic()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent / "core"), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as home, remote(given.slow_every) as url, database(given) as address:
        figures = asyncio.run(run(given, Path(home), url, address))
    figures["database"] = "postgresql" if given.postgres or given.database else "sqlite"
    figures["early_reconcile"] = given.early_reconcile
    figures["seconds"] = round(time.monotonic() - started, 1)
    table("Against the remote's journal", ["figure", "value"], [[name, str(value)] for name, value in figures.items()])
    finish(figures)
    bad = ("runs_lost", "writes_lost", "writes_doubled", "writes_unrecorded", "chains_broken")
    return int(any(figures[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
