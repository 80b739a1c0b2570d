"""What an undo has brought back, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from banksman.cli.render.page import Page
from banksman.cli.render.text import outside, shown
from banksman.cli.restored import Restored
from banksman.preview import ABSENT_FIELD

_WORDS = {"restored": ("restored", "green"), "partly": ("in part", "yellow"), "stays": ("stays", "bold red")}


def show_restored(page: Page, calls: Sequence[Restored]) -> None:
    """A line for each write, and the fields that are not as they were."""
    page.gap()
    page.add("What was taken back", style="bold")
    for one in calls:
        word, style = _WORDS[one.how]
        page.add(Text(f"{word:>8} ", style), Text.assemble(outside(one.call), style="bold"), "  ", outside(one.entity))
        if one.fields:
            page.add("as before: ", outside(", ".join(one.fields)), indent=11, hang=4)
        for path, was, now in one.others:
            old, new = (Text("(not there)") if side is ABSENT_FIELD else shown(side) for side in (was, now))
            page.add("different: ", outside(path), ": was ", old, ", is ", new, indent=11, hang=4, style="yellow")
        if one.why:
            page.add(outside(one.why), indent=11, hang=4, style=style)
