"""Times runs of guarded steps, beside a bare commit and beside another engine.

What is timed is the runtime, so the system is a dict in memory behind the seam's gate. Everything else is as in real
use: the durable engine (DBOS), the ledger with a synchronous commit before each write leaves and one after it, the
preview, the approval, the check for drift.

    write_vs_commit      a write in a run of 200 writes, one after the other: prepare, hold against the preview, record
                         the intent, send, record the outcome, and all that leads to the next one. The median time from
                         one intent on record to the next, in units of the median bare SQLite commit (WAL,
                         synchronous=FULL, one small row) made just before and after that run on the same disk.
    rate_vs_langgraph    100 runs of 10 steps at once, from creating the first to the end of the last; beside LangGraph
                         with its SQLite checkpointer and durability="sync", the faster of its async and threaded
                         forms. A step adds one to a number. `_writes`: the same with guarded writes.
    wide_plan_latencies  3 levels of 10 writes that take 50 ms each, in units of 50 ms, from start to end.
    step_growth          time per step of a run of 10,000 steps over that of a run of 100, from start to end.

    python benchmarks/run.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "core")]

import workload  # noqa: E402
from banksman.hub import Hub  # noqa: E402
from report import finish, table  # noqa: E402

RUNS, STEPS = 100, 10


class Place:
    """A hub with the durable engine, in a folder of its own."""

    def __init__(self, folder: Path, *, pause: float = 0.0, http: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.clerk = workload.Clerk()
        connector, self.memory = workload.connector(pause, http=http)
        self.hub: Hub = workload.hub(self.folder, connector, self.clerk)

    async def __aenter__(self) -> Place:
        await self.hub.__aenter__()
        await self.hub.engine()
        # What is imported and compiled on first use is not what is measured.
        await workload.carry_out(self.hub, workload.plan(workload.puts(3)))
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.hub.__aexit__(None, None, None)
        shutil.rmtree(self.folder)


def bare_commit(folder: Path, count: int = 300) -> float:
    """Median seconds of a commit of one small row."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)")
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 100,))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times)


async def write_vs_commit(folder: Path, repeats: int, writes: int = 200, *, http: bool = False) -> dict[str, float]:
    """The cost of a guarded write and of a bare commit, taken in turns."""
    pairs: list[tuple[float, float]] = []
    async with Place(folder, http=http) as place:
        for number in range(repeats):
            before = bare_commit(folder)
            plan = workload.plan(workload.puts(writes, offset=1000 + number * writes))
            run = await workload.carry_out(place.hub, plan)
            commit = (before + bare_commit(folder)) / 2
            pairs.append((place.clerk.cycle(run), commit))
    return {
        "write_us": statistics.median(write for write, _ in pairs) * 1e6,
        "commit_us": statistics.median(commit for _, commit in pairs) * 1e6,
        "ratio": statistics.median(write / commit for write, commit in pairs),
    }


def counting() -> Any:
    """A plan of steps that add one to a number, each to that of the one before."""
    steps: dict[str, Any] = {}
    for number in range(STEPS):
        before = "${s" + str(number - 1) + "}" if number else 0
        steps[f"s{number}"] = {"action": "rows.rows.next", "on": "rows:a", "with": {"n": before}}
    return workload.plan(steps)


async def our_rate(folder: Path, plan: Callable[[int], Any]) -> float:
    """Runs a second, all at once."""
    async with Place(folder) as place:
        started = time.perf_counter()
        await asyncio.gather(*[workload.carry_out(place.hub, plan(number)) for number in range(RUNS)])
        return RUNS / (time.perf_counter() - started)


class _Count(TypedDict):
    n: int


def _graph(node: Any, saver: Any) -> Any:
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(_Count)
    for number in range(STEPS):
        graph.add_node(f"s{number}", node)
        graph.add_edge(f"s{number - 1}" if number else START, f"s{number}")
    graph.add_edge(f"s{STEPS - 1}", END)
    return graph.compile(checkpointer=saver)


async def langgraph_async_rate(folder: Path) -> float:
    """Runs a second with `AsyncSqliteSaver`, all at once."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async def node(state: _Count) -> _Count:
        return {"n": state["n"] + 1}

    path = Path(tempfile.mkdtemp(dir=folder)) / "checkpoints.db"
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        app = _graph(node, saver)
        await app.ainvoke({"n": 0}, {"configurable": {"thread_id": "first"}}, durability="sync")
        started = time.perf_counter()
        await asyncio.gather(
            *[
                app.ainvoke({"n": 0}, {"configurable": {"thread_id": str(number)}}, durability="sync")
                for number in range(RUNS)
            ]
        )
        return RUNS / (time.perf_counter() - started)


def langgraph_threads_rate(folder: Path, threads: int) -> float:
    """Runs a second with `SqliteSaver`, in so many threads."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    def node(state: _Count) -> _Count:
        return {"n": state["n"] + 1}

    path = Path(tempfile.mkdtemp(dir=folder)) / "checkpoints.db"
    with SqliteSaver.from_conn_string(str(path)) as saver, ThreadPoolExecutor(threads) as pool:
        app = _graph(node, saver)

        def one(number: int) -> None:
            app.invoke({"n": 0}, {"configurable": {"thread_id": str(number)}}, durability="sync")

        one(-1)
        started = time.perf_counter()
        list(pool.map(one, range(RUNS)))
        return RUNS / (time.perf_counter() - started)


async def rates(folder: Path, repeats: int) -> list[dict[str, float]]:
    """Ours and theirs, taken in turns."""
    found: list[dict[str, float]] = []
    for _ in range(repeats):
        theirs = {
            "LangGraph, async": await langgraph_async_rate(folder),
            "LangGraph, 8 threads": await asyncio.to_thread(langgraph_threads_rate, folder, 8),
            "LangGraph, one by one": await asyncio.to_thread(langgraph_threads_rate, folder, 1),
        }
        ours = {
            "Banksman, steps": await our_rate(folder, lambda number: counting()),
            "Banksman, guarded writes": await our_rate(
                folder, lambda number: workload.plan(workload.puts(STEPS, offset=1000 + number * STEPS))
            ),
        }
        found.append({**ours, **theirs})
    return found


async def wide_plan(folder: Path, repeats: int, pause: float = 0.05) -> float:
    """How many latencies 3 levels of 10 take."""
    steps: dict[str, Any] = {}
    for level in range(3):
        steps[f"level{level}"] = {
            "action": "rows.rows.put",
            "on": "rows:a",
            "for_each": list(range(10)),
            "with": {"id": "${each}", "text": f"level {level}: ${{each}}"},
            "after": [f"level{level - 1}"] if level else [],
        }
    # Different rows, so that only the order of the plan holds a level back.
    for level in range(3):
        steps[f"level{level}"]["for_each"] = list(range(level * 10, level * 10 + 10))
    times: list[float] = []
    async with Place(folder, pause=pause) as place:
        for _ in range(repeats):
            started = time.perf_counter()
            await workload.carry_out(place.hub, workload.plan(steps))
            times.append(time.perf_counter() - started)
    return statistics.median(times) / pause


async def growth(folder: Path, sizes: list[int]) -> list[tuple[str, int, float]]:
    """Seconds a step of runs of several sizes, side by side (`for_each`) and one after the other."""
    found: list[tuple[str, int, float]] = []
    async with Place(folder) as place:
        for size in sizes:
            each = {
                "action": "rows.rows.put",
                "on": "rows:a",
                "for_each": list(range(size)),
                "with": {"id": "${each}", "text": f"{size}: ${{each}}"},
            }
            chain = workload.puts(size, offset=1_000_000)
            for kind, steps in (("for_each", {"all": each}), ("chain", chain)):
                times = []
                for _ in range(5 if size <= 100 else 1):
                    place.memory.records.clear()
                    started = time.perf_counter()
                    await workload.carry_out(place.hub, workload.plan(steps))
                    times.append(time.perf_counter() - started)
                found.append((kind, size, statistics.median(times) / size))
    return found


async def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """All four parts."""
    repeats = 3 if quick else 9
    write = await write_vs_commit(folder, repeats)
    seam = await write_vs_commit(folder, repeats, http=True)
    rows = [
        ["guarded write, no I/O", write["write_us"], write["commit_us"], write["ratio"]],
        ["guarded write through the HTTP seam", seam["write_us"], seam["commit_us"], seam["ratio"]],
    ]
    table("One write in a run of 200, one after the other", ["", "write us", "bare commit us", "ratio"], rows)

    found = await rates(folder, 2 if quick else 5)
    median = {name: statistics.median(one[name] for one in found) for name in found[0]}
    table("100 runs of 10 steps at once", ["", "runs a second"], [[name, rate] for name, rate in median.items()])
    best = [max(rate for name, rate in one.items() if name.startswith("LangGraph")) for one in found]
    against = {
        name: statistics.median(one[name] / theirs for one, theirs in zip(found, best, strict=True))
        for name in ("Banksman, steps", "Banksman, guarded writes")
    }

    latencies = await wide_plan(folder, repeats)
    table("3 levels of 10 writes of 50 ms", ["", "latencies"], [["start to end", latencies]])

    sizes = [10, 100, 1000] if quick else [10, 100, 1000, 10_000]
    grown = await growth(folder, sizes)
    table("Time a step, start to end", ["", "steps", "us a step"], [[k, n, s * 1e6] for k, n, s in grown])
    by = {(kind, size): seconds for kind, size, seconds in grown}
    ratios = {kind: by[kind, sizes[-1]] / by[kind, 100] for kind in ("for_each", "chain")}
    return {
        "write_vs_commit": write["ratio"],
        "write_vs_commit_http": seam["ratio"],
        "write_us": write["write_us"],
        "commit_us": write["commit_us"],
        "rate_vs_langgraph": against["Banksman, steps"],
        "rate_vs_langgraph_writes": against["Banksman, guarded writes"],
        "runs_per_second": median["Banksman, steps"],
        "wide_plan_latencies": latencies,
        "step_growth": max(ratios.values()),
        "step_growth_for_each": ratios["for_each"],
        "step_growth_chain": ratios["chain"],
        "step_us": {f"{kind}_{size}": round(seconds * 1e6) for kind, size, seconds in grown},
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and no run of 10,000 steps")
    parser.add_argument("--folder", type=Path, help="where to keep the databases; the disk matters")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        finish(asyncio.run(measure(Path(folder), quick=given.quick)))


if __name__ == "__main__":
    main()
