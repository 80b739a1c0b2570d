"""`banksman approvals`: what waits for a yes, and saying yes or no to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import NotApproved, UsageError

if TYPE_CHECKING:
    from banksman.cli.render.page import Page
    from banksman.hub import Hub
    from banksman.preview import Preview
    from banksman.runtime import RunState

app = App(name="approvals", help="List, approve and deny what waits.", version_flags=[])
Flag = Parameter(negative=())
Hidden = Parameter(parse=False)
#: So many characters of a digest are asked for.
_ASKED = 12


@app.command(name="list")
async def list_approvals(*, session: Annotated[Session, Hidden]) -> Exit:
    """List the runs that wait for an approval, the newest first."""
    from banksman.cli.commands.runs import newest
    from banksman.cli.documents import run_line
    from banksman.cli.render.summary import summary_of

    async with session.hub() as hub:
        waiting = newest(hub, 10**9, _undecided)
    documents = [
        {**run_line(state), "expires": state.preview.expires, "summary": summary_of(state.preview).document()}
        for state in waiting
        if state.preview is not None
    ]
    session.show({"approvals": documents}, lambda page: _draw(page, waiting))
    return Exit.DONE


def _undecided(state: RunState) -> bool:
    return bool(state.waits and state.preview is not None and state.preview.digest not in state.denials)


def _draw(page: Page, waiting: list[RunState]) -> None:
    from banksman.cli.render.summary import summary_of
    from banksman.cli.render.text import outside

    if not waiting:
        page.add("Nothing waits for an approval.")
    for state in waiting:
        assert state.preview is not None
        page.add(state.id, "  ", outside(state.name), style="bold")
        page.add(summary_of(state.preview).line(), indent=2)
        page.add(f"banksman approvals approve {state.id} {state.preview.digest[:16]}", indent=2, style="cyan")


@app.command
async def approve(
    run: str,
    digest: str | None = None,
    /,
    *,
    no_wait: Annotated[bool, Flag] = False,
    session: Annotated[Session, Hidden],
) -> Exit:
    """Approve the preview that a run waits with, and let the run go on.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    digest
        The digest of the preview, or its first 12 characters or more. Without it the preview is shown, and asked for.
    no_wait
        Only record the yes; another process, such as `banksman worker`, carries the run out.
    """
    async with session.hub() as hub:
        state, preview = _waiting(hub, run)
        if digest is None:
            digest = await _confirmed(session, preview)
            if digest is None:
                return Exit.WAITING
        await hub.approve(state.id, digest, how="command")
        return await _go_on(session, hub, state, wait=not no_wait)


def _waiting(hub: Hub, run: str) -> tuple[RunState, Preview]:
    state = hub.state(run)
    if not _undecided(state) or state.preview is None:
        raise NotApproved(f"run {state.id} does not wait for an approval: it is {state.status}")
    return state, state.preview


async def _confirmed(session: Session, preview: Preview) -> str | None:
    """What the person types after having seen the preview; None where it is not its digest."""
    from banksman.cli.render.preview import show_preview
    from banksman.cli.terminal import answer, stop_signals

    if not session.interactive:
        raise UsageError(
            "nobody can be asked here, so the digest has to be given",
            hint=f"banksman approvals approve {preview.run} {preview.digest[:16]}",
        )
    page = session.page()
    show_preview(page, preview)
    page.show()
    with stop_signals() as stop:
        said = await answer(lambda: session.ask(f"Type the first {_ASKED} characters of the digest to approve: "), stop)
    if said and len(said) >= _ASKED and preview.digest.startswith(said.lower()):
        return said.lower()
    session.say("Not approved; the run goes on waiting.")
    return None


async def _go_on(session: Session, hub: Hub, state: RunState, *, wait: bool) -> Exit:
    from banksman.cli.carrying import Carrier
    from banksman.cli.documents import run_line

    if wait:
        return await Carrier(session, hub).carry(state.id, since=state.last)
    line = run_line(hub.state(state.id))
    session.show(line, lambda page: page.add(f"Noted for run {state.id}. `banksman worker` carries it out."))
    return Exit.DONE


@app.command
async def deny(
    run: str,
    /,
    *,
    why: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    session: Annotated[Session, Hidden],
) -> Exit:
    """Say no to the preview that a run waits with. The run ends.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    why
        The reason, for the record.
    """
    from banksman.cli.documents import run_line

    async with session.hub() as hub:
        state, preview = _waiting(hub, run)
        await hub.deny(state.id, preview.digest, why)
        try:
            ended: RunState = await hub.carry_out(state.id)
        except UsageError:
            ended = hub.state(state.id)  # the process that carries it ends it
    session.show(run_line(ended), lambda page: page.add(f"Run {state.id} was not approved, and ends."))
    return Exit.DONE
