"""A process of its own for the tests that kill one.

python -m tests.core.runtime.child lock WHERE NAME         takes a lock, says `held` or `busy`, waits
python -m tests.core.runtime.child slot WHERE              takes an executor slot, says which, waits
python -m tests.core.runtime.child work HOME WHERE         starts new runs and recovers old ones, says `ready`, works
python -m tests.core.runtime.child carry HOME WHERE RUN    carries one run out, says how that ended, then waits
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from banksman.errors import BanksmanError
from banksman.runtime import _engine, locks_for
from banksman.runtime._locks import take_slot

from .toy import Board, Desk


class Kept(Board):
    """A board whose effects outlive the process and are seen by others: one line of a file each."""

    def __init__(self, path: Path, **more):
        super().__init__(**more)
        self._path = path
        self._seen = 0
        self._catch_up()

    def _catch_up(self):
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines[self._seen :]:
            verb, id, text, marker = json.loads(line)
            self.done.append((verb, id, text, marker))
            self.notes[id] = text
            next(self._ids)
        self._seen = len(lines)

    def written(self, marker):
        self._catch_up()
        return super().written(marker)

    def note(self, id):
        self._catch_up()
        return super().note(id)

    def _do(self, pin, keyed):
        self._catch_up()
        answer = super()._do(pin, keyed)
        with self._path.open("a") as file:
            file.write(json.dumps(self.done[-1]) + "\n")
        self._seen += 1
        return answer


def desk_of(home: Path, where: str | None, **more) -> Desk:
    desk = Desk(home, where, settle=0.6, board=Kept(home / "board", **more))
    desk.approves = False
    return desk


async def work(home: Path, where: str | None) -> None:
    _engine.LOOK_ROUND = 0.5
    desk = desk_of(home, where, delay=0.3)
    # Each write takes a while, so that a kill finds one under way.
    desk.board.script = ["slow"] * 1000
    async with desk.hub(durable=True) as hub:
        await hub.engine()
        print("ready", flush=True)
        while True:
            for entry in hub.ledger.of_kind("run.created"):
                if hub.state(entry.run).last == 1:
                    await hub.start(entry.run)
            await asyncio.sleep(0.05)


async def carry(home: Path, where: str | None, run: str) -> None:
    desk = desk_of(home, where)
    async with desk.hub(durable=True) as hub:
        try:
            print((await hub.resume(run)).status, flush=True)
        except BanksmanError as error:
            print(f"{type(error).__name__}: {error.message}", flush=True)
        await asyncio.sleep(60)


def main(mode: str, *given: str) -> None:
    if mode == "lock":
        locks = locks_for(_place(given[0]))
        print("held" if locks.take(given[1]) else "busy", flush=True)
        time.sleep(60)
    elif mode == "slot":
        locks = locks_for(_place(given[0]))
        print(take_slot(locks), flush=True)
        time.sleep(60)
    elif mode == "work":
        asyncio.run(work(Path(given[0]), given[1] or None))
    else:
        asyncio.run(carry(Path(given[0]), given[1] or None, given[2]))


def _place(text: str):
    return text if "://" in text else Path(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
