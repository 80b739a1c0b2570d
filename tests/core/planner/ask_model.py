"""Lets a model reach a goal on the ticket desk: `ask_model.py MODEL GOAL HOME`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.core.agent.ticket_desk import Desk, DeskSandbox

from banksman.agent import pursue


async def main(model: str, goal: str, home: Path) -> None:
    with DeskSandbox() as sandbox:
        desk = Desk(home, sandbox.url)
        async with desk.hub:
            state = await pursue(desk.hub, goal, model=model, approve=desk.approve, show=desk.show)
        if state.status != "done":
            sys.exit("\n".join([state.why, *(event.text for event in desk.events)]))
        print(f"{state.status}, {len(sandbox.sent('PUT'))} closed, {len(sandbox.messages)} message")


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
