"""`banksman worker`: carries out what other processes have started and left, until it is told to stop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.cli.terminal import stop_signals

if TYPE_CHECKING:
    from banksman.ledger import Entry
    from banksman.runtime import RunState


async def worker(*, session: Annotated[Session, Parameter(parse=False)]) -> Exit:
    """Carry out runs that were left waiting, approved with --no-wait, or interrupted.

    Several workers may share one PostgreSQL ledger. SIGTERM and Ctrl-C let calls under way end; what is unfinished
    goes on in the next worker.
    """
    async with session.hub() as hub:
        hub.progress = _Told(session).see
        with stop_signals() as stop:
            await hub.engine()
            _say(session, "worker.started", "Worker: waiting for runs. Ctrl-C stops it.")
            await stop
            _say(session, "worker.stopping", "Worker: calls under way end, nothing new begins.")
            await hub.close()
    return Exit.DONE


def _say(session: Session, event: str, text: str) -> None:
    if session.json:
        session.event({"event": event})
    else:
        session.say(text)


class _Told:
    """A line for each thing that comes to something, of any run."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def see(self, state: RunState, entry: Entry) -> None:
        """Print an entry. A run does not fail because nobody reads what the worker says."""
        with contextlib.suppress(OSError):
            self._print(state, entry)

    def _print(self, state: RunState, entry: Entry) -> None:
        from banksman.cli.documents import entry_line
        from banksman.cli.render.text import visible

        if self._session.json:
            line = entry_line(entry)
            if entry.kind == "run.previewed":
                line["digest"] = entry.body["digest"]
            self._session.event(line)
            return
        told = _TELL.get(entry.kind)
        if told is None:
            return
        text = told.format(
            call=visible(entry.call), **{name: visible(str(value)) for name, value in _words(entry).items()}
        )
        self._session.say(f"{entry.run}  {text}")


def _words(entry: Entry) -> dict[str, object]:
    body = entry.body
    names = ("digest", "error", "why", "status")
    words: dict[str, object] = {name: body.get(name, "") for name in names}
    return {**words, "digest": str(words["digest"])[:16], "run": entry.run}


_TELL = {
    "run.previewed": "waits for an approval: banksman approvals approve {run} {digest}",
    "stage.begun": "begins",
    "call.confirmed": "{call} done",
    "call.failed": "{call} failed: {error}",
    "call.unknown": "{call} may have happened: {error}",
    "call.handed_over": "{call}: a person has to find out whether it happened: {why}",
    "run.paused": "paused: {why}",
    "run.ended": "{status} {why}",
}
