"""A process that carries out runs until it is killed.

python benchmarks/crash_worker.py HOME URL SETTLE [DATABASE]
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import crash_system
from banksman.errors import BanksmanError
from banksman.hub import Hub
from banksman.runtime import RunState

#: How often to look for runs that nobody has started: seconds.
INTERVAL = 0.1


async def work(hub: Hub) -> None:
    """Recover what was left, start what is new, resume what was paused and can go on."""
    await hub.engine()
    print("ready", flush=True)
    started: set[str] = set()
    resuming: set[asyncio.Task[object]] = set()
    known: dict[str, RunState] = {}
    while True:
        for created in hub.ledger.of_kind("run.created"):
            state = known.setdefault(created.run, RunState(created.run))
            if state.is_over:
                continue
            for entry in hub.ledger.entries(state.id, after=state.last):
                state.apply(entry)
            if state.last == 1 and state.id not in started:
                started.add(state.id)
                await hub.start(state.id)
            elif state.status == "paused" and not state.of_status("handed_over"):
                task: asyncio.Task[object] = asyncio.ensure_future(_resume(hub, state.id))
                resuming.add(task)
                task.add_done_callback(resuming.discard)
        await asyncio.sleep(INTERVAL)


async def _resume(hub: Hub, run: str) -> None:
    # Another worker may be faster.
    with contextlib.suppress(BanksmanError):
        await hub.resume(run)


async def main() -> None:
    """Work until the end."""
    home, url, settle = sys.argv[1:4]
    database = sys.argv[4] if len(sys.argv) > 4 else None
    config = crash_system.config(Path(home), url, database, float(settle))
    async with Hub(config, registry=crash_system.registry()) as hub:
        await work(hub)


if __name__ == "__main__":
    asyncio.run(main())
