"""`banksman connectors`: the systems that can be connected, and recordings for their contract tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import BanksmanError, ConfigError, UsageError

if TYPE_CHECKING:
    from banksman.catalog import Registry
    from banksman.cli.render.page import Page

app = App(name="connectors", help="List the installed connectors, and record contracts.", version_flags=[])
Hidden = Parameter(parse=False)


@app.command(name="list")
async def list_connectors(*, session: Annotated[Session, Hidden]) -> Exit:
    """List the installed connectors."""
    from banksman.catalog import Registry

    registry = Registry()
    found = [_look(registry, name) for name in registry.names()]
    session.show({"connectors": found}, lambda page: _draw(page, found))
    return Exit.DONE


def _look(registry: Registry, name: str) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "from": registry.origin(name)}
    try:
        connector = registry.get(name)
    except BanksmanError as error:
        return {**document, "error": error.message, "hint": error.hint}
    return {
        **document,
        "title": connector.title,
        "docs": connector.docs,
        "actions": len(connector.actions),
        "reads_actions_from_the_system": connector.discover is not None,
        "settings": sorted(connector.settings.model_fields),
        "auth": sorted(str(getattr(scheme, "kind", type(scheme).__name__)) for scheme in connector.auth),
    }


def _draw(page: Page, found: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    for one in found:
        page.add(Text(one["name"], "bold"), "  ", outside(one.get("title", "")), "  ", Text(one["from"], "dim"))
        if "error" in one:
            page.add(outside(one["error"]), indent=4, style="red")
            page.add(outside(one["hint"] or ""), indent=4, style="cyan")
            continue
        more = ", and more that the system describes itself" if one["reads_actions_from_the_system"] else ""
        page.add(f"{one['actions']} actions{more}; auth: {', '.join(one['auth']) or 'none'}", indent=4)
        page.add(f"settings: {', '.join(one['settings'])}", indent=4, style="dim")


@app.command
async def record(script: Path, /, *, on: str, into: Path, session: Annotated[Session, Hidden]) -> Exit:
    """Record the contract of a connector against a real system, scrubbed, for the contract suite to replay.

    The system is changed, and changed back as far as undo goes: never record against production.

    Parameters
    ----------
    script
        The situations to record; `docs/connectors.md` has the format.
    on
        The connection.
    into
        The folder of the recordings.
    """
    try:
        from banksman.testing.record import record_contract
    except ImportError as error:
        raise ConfigError(
            f"recording needs {error.name}, which is not installed",
            hint="Install the extra: pip install 'banksman[testing]'.",
        ) from error
    async with session.hub() as hub:
        connection = hub.connection(on)
        if connection.environment.value == "production":
            raise UsageError(f"{on} is production, and recording changes the system", hint="Record against a sandbox.")
        written = await record_contract(hub.registry.get(connection.system), connection, script, into)
    session.show(
        {"files": [str(path) for path in written]},
        lambda page: page.add(f"{len(written):,} recordings in {into}"),
    )
    return Exit.DONE
