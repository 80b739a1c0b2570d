"""`banksman connections`: the accounts that are configured, and whether they work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from banksman.cli.exits import Exit, of_error
from banksman.cli.session import Session
from banksman.errors import BanksmanError

if TYPE_CHECKING:
    from banksman.cli.render.page import Page
    from banksman.hub import Hub

app = App(name="connections", help="List and test the configured accounts.", version_flags=[])
Hidden = Parameter(parse=False)


@dataclass(frozen=True)
class _Found:
    """A connection, or what is wrong with it."""

    name: str
    environment: str = ""
    auth: str = ""
    unattended: bool = False
    told: str = ""
    error: Exception | None = None

    def document(self) -> dict[str, Any]:
        from banksman.cli.documents import error_document

        document: dict[str, Any] = {
            "name": self.name, "environment": self.environment, "auth": self.auth, "unattended": self.unattended,
            "ok": self.error is None, "told": self.told or None,
        }  # fmt: skip
        return document | (error_document(self.error) if self.error is not None else {})


@app.command(name="list")
async def list_connections(*, session: Annotated[Session, Hidden]) -> Exit:
    """List the configured connections. Nothing is called."""
    async with session.hub() as hub:
        found = [_look(hub, name) for name in hub.config.connections]
        path = hub.config.path
    session.show(
        {"config": str(path) if path else None, "connections": [one.document() for one in found]},
        lambda page: _draw(page, found, str(path) if path else None),
    )
    return Exit.DONE


def _look(hub: Hub, name: str) -> _Found:
    try:
        connection = hub.connection(name)
    except BanksmanError as error:
        return _Found(name, error=error)
    environment = connection.environment.value
    unattended = connection.unattended if connection.unattended is not None else environment != "production"
    return _Found(name, environment, str(connection.auth.get("kind", "")), unattended)


@app.command(name="test")
async def try_connections(name: str | None = None, /, *, session: Annotated[Session, Hidden]) -> Exit:
    """Try connections with a cheap read.

    Parameters
    ----------
    name
        One connection; by default all.
    """
    async with session.hub() as hub:
        if name is not None:
            hub.connection(name)
        names = [name] if name is not None else list(hub.config.connections)
        found = await asyncio.gather(*(_try(hub, one) for one in names))
    session.show({"connections": [one.document() for one in found]}, lambda page: _draw(page, found, None))
    codes = [of_error(type(one.error)) for one in found if one.error is not None]
    return next((code for code in (Exit.UNAVAILABLE, Exit.USAGE) if code in codes), codes[0] if codes else Exit.DONE)


async def _try(hub: Hub, name: str) -> _Found:
    found = _look(hub, name)
    if found.error is not None:
        return found
    error: Exception
    try:
        opened = await hub.connect(name)
        probe = opened.connector.probe
        told = await probe(opened.api) if probe is not None else "opened; its connector has no probe"
        return _Found(found.name, found.environment, found.auth, found.unattended, told)
    except BanksmanError as refused:
        error = refused
    except Exception as fault:
        # One connector's fault must not hide what the others say.
        error = fault
    return _Found(found.name, found.environment, found.auth, found.unattended, error=error)


def _draw(page: Page, found: list[_Found], path: str | None) -> None:
    from rich.text import Text

    from banksman.cli.render.errors import show_error
    from banksman.cli.render.text import outside

    if path is not None:
        page.add(outside(path), style="dim")
    if not found:
        page.add("No connection is configured. `banksman init` writes a banksman.yaml to begin with.")
    styles = {"production": "bold red", "sandbox": "cyan", "test": "green"}
    for one in found:
        word = (
            Text("failed ", "bold red") if one.error is not None else Text("ok     ", "green") if one.told else Text()
        )
        environment = Text(one.environment.upper() if one.environment == "production" else one.environment)
        environment.stylize(styles.get(one.environment, ""))
        facts = [f"auth {one.auth}" if one.auth else "no auth", "--yes may approve" if one.unattended else ""]
        told = outside(one.told) if one.told else Text(", ".join(fact for fact in facts if fact), "dim")
        page.add(word, Text.assemble(outside(one.name), style="bold"), "  ", environment, "  ", told, hang=7)
        if one.error is not None:
            page.lines.extend(_indented(page, one.error, show_error))


def _indented(page: Page, error: Exception, show: Any) -> list[Any]:
    from rich.text import Text

    inner = type(page)(page.console)
    show(inner, error)
    return [Text.assemble("  ", line) for line in inner.lines]
