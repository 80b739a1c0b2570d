"""One invocation of the command: its options, where it prints, and the hub that it opens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from banksman.cli.render.page import Page
    from banksman.config import Config
    from banksman.hub import Hub


@dataclass
class Session:
    """What every command gets.

    Attributes:
        json: print JSON, and nothing else, on standard output.
        verbose: tell on standard error what goes over the wire, and where a fault arose.
    """

    config_file: Path | None = None
    database: str | None = None
    json: bool = False
    verbose: bool = False

    @cached_property
    def config(self) -> Config:
        """The configuration that applies.

        Raises:
            ConfigError: it cannot be read.
        """
        from banksman.config import load

        return load(self.config_file, database=self.database)

    def hub(self, *, durable: bool = True) -> Hub:
        """The hub; to be used as an async context manager."""
        from banksman.hub import Hub

        self._keep_database_password_quiet()
        return Hub(self.config, durable=durable)

    def _keep_database_password_quiet(self) -> None:
        from urllib.parse import unquote, urlsplit

        from banksman.auth import register

        password = urlsplit(self.config.database).password if self.config.database else None
        if password:
            for form in {password, unquote(password)}:
                register(form)

    @property
    def interactive(self) -> bool:
        """Whether a person sees the output and can answer."""
        return not self.json and sys.stdin.isatty() and sys.stdout.isatty()

    @cached_property
    def console(self) -> Console:
        """Standard output."""
        return _console(sys.stdout)

    def page(self) -> Page:
        """An empty page for standard output."""
        from banksman.cli.render.page import Page

        return Page(self.console)

    def document(self, document: Any) -> None:
        """Print the one JSON document of this command."""
        from banksman.cli.documents import dump

        self._write(dump(document, indent=2))

    def event(self, document: Any) -> None:
        """Print one JSON line of several."""
        from banksman.cli.documents import dump

        self._write(dump(document))

    def _write(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def show(self, document: Any, draw: Callable[[Page], None]) -> None:
        """Print a document with `--json`, else what `draw` puts on a page."""
        if self.json:
            self.document(document)
            return
        page = self.page()
        draw(page)
        page.show()

    def say(self, *parts: Any, style: str = "") -> None:
        """A line for people; nothing with `--json`."""
        if not self.json:
            page = self.page()
            page.add(*parts, style=style)
            page.show()

    def ask(self, question: str) -> None:
        """Print a question; the answer is typed on the same line."""
        self.console.print(question, end="", markup=False)

    def complain(self, error: BaseException) -> None:
        """Print an error on standard error."""
        if self.json:
            from banksman.cli.documents import dump, error_document

            sys.stderr.write(dump(error_document(error)) + "\n")
            return
        from banksman.cli.render.errors import show_error
        from banksman.cli.render.page import Page

        page = Page(_console(sys.stderr))
        show_error(page, error)
        page.show()


def _console(file: Any) -> Console:
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process here, whatever is under way

    return Terminal(file=file, highlight=False, markup=False, emoji=False)
