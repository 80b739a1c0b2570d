"""`banksman call`: one action by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import UsageError

if TYPE_CHECKING:
    from banksman.cli.render.page import Page
    from banksman.hub import Hub

Flag = Parameter(negative=())


async def call(
    action: str,
    /,
    *,
    on: str | None = None,
    with_: Annotated[list[str] | None, Parameter(name="--with", negative=(), allow_leading_hyphen=True)] = None,
    json_args: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    preview: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    session: Annotated[Session, Parameter(parse=False)],
) -> Exit:
    """Call one action. A read prints its output; a write is previewed, approved and recorded like any run.

    Parameters
    ----------
    action
        Its full name, such as slack.messages.post.
    on
        The connection. May be left out where there is only one of the system.
    with_
        An argument, as NAME=VALUE. May be given several times.
    json_args
        All arguments, as one JSON object.
    preview
        Show what a write would change, and change nothing.
    yes
        Approve without asking.
    """
    from banksman.cli.commands.run import run_plan, show
    from banksman.cli.values import arguments
    from banksman.hub import single_call

    async with session.hub() as hub:
        connection = on or only_connection(hub, action)
        found = await (await hub.connect(connection)).action(action)
        given = arguments(found, with_ or (), json_args)
        if not found.effect.changes:
            output = await hub.call(action, connection, given)
            document = {"action": action, "connection": connection, "output": output}
            session.show(document, lambda page: _draw(page, output))
            return Exit.DONE
        plan = single_call(action, connection, given)
        if preview:
            return show(session, await hub.preview(plan))
        return await run_plan(session, hub, plan, {}, yes=yes)


def only_connection(hub: Hub, action: str) -> str:
    """The one connection of an action's system.

    Raises:
        UsageError: there are several, or none.
    """
    system = action.split(".", 1)[0]
    named = [name for name in hub.config.connections if name.split(":", 1)[0] == system]
    if len(named) != 1:
        listed = f"there are {', '.join(named)}" if named else f"no connection of {system} is configured"
        raise UsageError(f"say --on CONNECTION: {listed}", hint="`banksman connections list` shows all.")
    return named[0]


def _draw(page: Page, output: Any) -> None:
    from rich.text import Text

    from banksman.cli.render.fields import BARE, fields_of, show_fields
    from banksman.cli.render.text import shown

    records = output if isinstance(output, list) else [output]
    if isinstance(output, list):
        page.add(f"{len(output):,} record{'' if len(output) == 1 else 's'}", style="bold")
    for place, record in enumerate(records):
        if not isinstance(record, dict):
            page.add(shown(record))
            continue
        if isinstance(output, list):
            page.add(Text(f"[{place}]", "dim"))
        show_fields(
            page, fields_of(None, record, in_order=True), "", indent=2 if isinstance(output, list) else 0, limits=BARE
        )
