"""`banksman run`: a runbook, or a goal in words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from banksman.cli.exits import Exit, of_kinds
from banksman.cli.session import Session
from banksman.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from banksman.cli.carrying import Carrier
    from banksman.hub import Hub
    from banksman.plan import Runbook
    from banksman.preview import Preview

Flag = Parameter(negative=())


async def run(
    what: str,
    /,
    *,
    input: Annotated[list[str] | None, Parameter(negative=(), allow_leading_hyphen=True)] = None,
    preview: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    model: str | None = None,
    no_wait: Annotated[bool, Flag] = False,
    session: Annotated[Session, Parameter(parse=False)],
) -> Exit:
    """Run a runbook, or pursue a goal in words.

    Parameters
    ----------
    what
        A runbook (.yaml, .yml, .json), or a goal in words, which needs --model.
    input
        A value for an input of the runbook, as NAME=VALUE. May be given several times.
    preview
        Show what would change, and change nothing.
    yes
        Approve without asking. Rules forbid it where a person has to look: in production.
    model
        Who plans for a goal, as PROVIDER:NAME, such as anthropic:claude-sonnet-4-5.
    no_wait
        Leave the run to `banksman worker` once it is approved.
    """
    from banksman.cli.values import pairs

    inputs = pairs(input or (), "--input")
    if not _is_file(what):
        return await _pursue(session, what, inputs, model=model, preview=preview, yes=yes, wait=not no_wait)
    if model is not None:
        raise UsageError("a runbook needs no --model", hint="A goal in words does: banksman run 'GOAL' --model ...")
    from banksman.plan import load

    plan = load(what)
    async with session.hub() as hub:
        if preview:
            return show(session, await hub.preview(plan, inputs))
        return await run_plan(session, hub, plan, inputs, yes=yes, wait=not no_wait)


def _is_file(what: str) -> bool:
    # A goal may be longer than a path can be.
    return what.endswith((".yaml", ".yml", ".json")) or (len(what) < 256 and "\n" not in what and Path(what).is_file())


def show(session: Session, preview: Preview) -> Exit:
    """Print a preview that nobody is to decide about."""
    from banksman.cli.documents import preview_document
    from banksman.cli.render.preview import show_preview

    session.show(preview_document(preview), lambda page: show_preview(page, preview))
    return code_of(preview)


def code_of(preview: Preview) -> Exit:
    """The exit code of a preview that nobody is to decide about."""
    return of_kinds(list(preview.kinds.values())) if preview.failed else Exit.DONE


async def run_plan(
    session: Session,
    hub: Hub,
    plan: Runbook,
    inputs: dict[str, Any],
    *,
    yes: bool,
    wait: bool = True,
    undoes: str | None = None,
) -> Exit:
    """Record a run, and carry it out."""
    from banksman.cli.carrying import Carrier

    made = await hub.create(plan, inputs, undoes=undoes)
    return await Carrier(session, hub, yes=yes, wait=wait).carry(made)


async def _pursue(
    session: Session, goal: str, inputs: dict[str, Any], *, model: str | None, preview: bool, yes: bool, wait: bool
) -> Exit:
    if model is None:
        raise UsageError(
            f"{goal!r} is no runbook (there is no such file), and a goal in words needs a model",
            hint="Name one: --model PROVIDER:NAME, such as anthropic:claude-sonnet-4-5.",
        )
    if preview:
        raise UsageError(
            "--preview is for runbooks", hint="A goal is previewed anyway, and asks before anything changes."
        )
    pursue = agent().pursue
    async with session.hub() as hub:
        return await with_agent(
            session, hub, lambda c, show: pursue(hub, goal, model=model, approve=c.decide, show=show, inputs=inputs),
            yes=yes, wait=wait,
        )  # fmt: skip


def agent() -> Any:
    """The module of the agent.

    Raises:
        ConfigError: the extra that it needs is not installed.
    """
    try:
        from banksman import agent as module
    except ImportError as error:
        raise ConfigError(
            f"planning with a model needs {error.name}, which is not installed",
            hint="Install the extra: pip install 'banksman[models]'.",
        ) from error
    return module


async def with_agent(session: Session, hub: Hub, begin: Any, *, yes: bool, wait: bool = True) -> Exit:
    """Follow what the agent does. `begin(carrier, show)` starts it."""
    from banksman.cli.carrying import Carrier

    carrier = Carrier(session, hub, yes=yes, wait=wait)
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def show_event(event: Any) -> None:
        if event.kind == "begun" and not begun.done():
            begun.set_result(event.run)
        _tell(session, carrier, event)

    work = asyncio.ensure_future(begin(carrier, show_event))
    await asyncio.wait([work, begun], return_when=asyncio.FIRST_COMPLETED)
    if not begun.done():
        await work
        raise UsageError("the agent ended before it had begun a run")
    return await carrier.following(begun.result(), lambda: work, decide=False)


def _tell(session: Session, carrier: Carrier, event: Any) -> None:
    if session.json:
        session.event({"event": f"agent.{event.kind}", "run": event.run, "text": event.text})
        return
    from rich.text import Text

    from banksman.cli.render.text import outside

    page = session.page()
    for place, line in enumerate(event.text.split("\n")):
        head = f"{event.kind.replace('_', ' ')}: " if not place else ""
        page.add(Text(head, "bold"), outside(line), indent=0 if not place else 2)
    page.show()
