"""An error for people: what happened, to what, and what to do next."""

from __future__ import annotations

from rich.text import Text

from banksman.cli.render.page import Page
from banksman.cli.render.text import outside
from banksman.errors import BanksmanError


def show_error(page: Page, error: BaseException) -> None:
    """The message, line by line, and the hint."""
    told = str(error) or type(error).__name__
    hint = None
    if isinstance(error, BanksmanError):
        hint = error.hint
        told = told.removesuffix(f"\n  {hint}") if hint else told
    else:
        told = f"unforeseen fault: {type(error).__name__}: {told}"
        hint = "This is a fault in Banksman or in a connector. --verbose shows where it arose."
    first, *rest = told.split("\n")
    page.add(Text("error: ", "bold red"), outside(first), hang=7)
    for line in rest:
        page.add(outside(line.strip()), indent=4)
    if hint:
        for line in hint.split("\n"):
            page.add(outside(line.strip()), indent=2, style="cyan")
