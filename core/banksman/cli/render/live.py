"""What a run is doing: a line for each write that comes to something, a spinner for what is under way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from banksman._record import waits_for
from banksman.cli.documents import entry_line
from banksman.cli.render.page import Page
from banksman.cli.render.text import outside, shown
from banksman.cli.session import Session
from banksman.ledger import Entry

_UNDER_WAY = 8


class Progress(Protocol):
    """Is told each entry of a run, as it is recorded."""

    def see(self, entry: Entry) -> None:
        """Take one more entry into account."""

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """While something else is on the terminal."""


class JsonLines:
    """Progress as one JSON object a line."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def see(self, entry: Entry) -> None:
        if entry.kind != "run.previewed":  # whoever decides about it prints it
            self._session.event(entry_line(entry))

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        yield


class Lines:
    """Progress for people. On a terminal, what is under way is shown below the lines with a spinner."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._doing: dict[str, Text] = {}
        self._where: dict[str, Mapping[str, Any]] = {}
        self._unsure: set[str] = set()
        self._reads = 0
        self._live: RichLive | None = None

    def see(self, entry: Entry) -> None:
        tell = _TELL.get(entry.kind)
        if tell is not None:
            tell(self, entry.call, entry.body)
        self._refresh()

    # What the kinds of entries mean

    def _read(self, call: str, body: Mapping[str, Any]) -> None:
        self._reads += 1

    def _intended(self, call: str, body: Mapping[str, Any]) -> None:
        self._where[call] = body
        self._doing[call] = Text.assemble("sending ", outside(f"{body['action']} on {body['connection']}"))

    def _confirmed(self, call: str, body: Mapping[str, Any]) -> None:
        after_all = " (it had happened)" if call in self._unsure else ""
        self._line("ok", "green", call, Text.assemble("done", after_all, "  ", self._record(call)))
        for path, foretold, came in body.get("differs", []):
            self._note(Text.assemble(outside(path), ": ", shown(came), " instead of ", shown(foretold), style="yellow"))

    def _failed(self, call: str, body: Mapping[str, Any]) -> None:
        if body.get("again"):
            self._line("..", "yellow", call, Text.assemble("nothing happened, trying again: ", outside(body["error"])))
            self._doing[call] = Text("waiting to try again")
        else:
            self._line("failed", "bold red", call, outside(body["error"]))

    def _unknown(self, call: str, body: Mapping[str, Any]) -> None:
        self._unsure.add(call)
        where = self._where.get(call, {}).get("connection", "the system")
        text = Text.assemble("it may have happened: ", outside(body["error"]))
        self._line("??", "bold yellow", call, text)
        self._doing[call] = Text.assemble("asking ", outside(where), " what became of it")

    def _absent(self, call: str, body: Mapping[str, Any]) -> None:
        self._line("..", "yellow", call, Text("it did not happen"))

    def _handed_over(self, call: str, body: Mapping[str, Any]) -> None:
        text = Text.assemble("a person has to find out whether it happened: ", outside(body["why"]))
        self._line("??", "bold red", call, text)

    def _settled(self, call: str, body: Mapping[str, Any]) -> None:
        happened = "happened" if body["happened"] else "did not happen"
        self._line("ok", "green", call, outside(f"{body['by']} says that it {happened}"))

    def _given(self, call: str, body: Mapping[str, Any]) -> None:
        self._note(Text.assemble("approved by ", outside(body["by"]), outside(f" ({body['how']})")))

    def _resumed(self, call: str, body: Mapping[str, Any]) -> None:
        self._note(Text.assemble("resumed by ", outside(body["by"])))

    # How that looks

    def _record(self, call: str) -> Text:
        """The record that a call wrote, as far as it was known by name when it was sent."""
        body = self._where.get(call, {})
        key = body.get("record")
        named = isinstance(key, str | int) and not waits_for(key, str(body.get("nonce", "")))
        return outside(f"{body.get('entity', '')}{f' {key}' if named else ''}", "dim")

    def _line(self, word: str, style: str, call: str, text: Text) -> None:
        self._doing.pop(call, None)
        page = self._page()
        page.add(Text(f"{word:>6} ", style), Text.assemble(outside(call), style="bold"), "  ", text, hang=11)
        page.show()

    def _note(self, text: Text) -> None:
        page = self._page()
        page.add(text, indent=7, hang=4)
        page.show()

    def _page(self) -> Page:
        return Page(self._live.console if self._live is not None else self._session.console)

    def _refresh(self) -> None:
        console = self._session.console
        if not console.is_terminal:
            return
        if not self._doing:
            self._end()
            return
        if self._live is None:
            self._live = RichLive(console=console, transient=True, refresh_per_second=8)
            self._live.start()
        table = Table.grid(padding=(0, 1))
        for call, text in list(self._doing.items())[:_UNDER_WAY]:
            line = Text.assemble(outside(call), "  ", text, overflow="ellipsis", no_wrap=True)
            table.add_row("    ", Spinner("line"), line)
        if len(self._doing) > _UNDER_WAY:
            table.add_row("    ", "", f"and {len(self._doing) - _UNDER_WAY:,} more under way")
        self._live.update(table)

    def _end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        self._end()
        yield
        self._refresh()

    @property
    def reads(self) -> int:
        """How many reads there were."""
        return self._reads


def progress_for(session: Session) -> Progress:
    """How this invocation shows progress."""
    return JsonLines(session) if session.json else Lines(session)


_TELL = {
    "call.read": Lines._read,
    "call.intended": Lines._intended,
    "call.confirmed": Lines._confirmed,
    "call.failed": Lines._failed,
    "call.unknown": Lines._unknown,
    "call.absent": Lines._absent,
    "call.handed_over": Lines._handed_over,
    "call.settled": Lines._settled,
    "approval.given": Lines._given,
    "run.resumed": Lines._resumed,
}
