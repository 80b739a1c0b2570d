"""`banksman runs undo`: what cannot be taken back first; then the inverse of the rest, run like any plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session

if TYPE_CHECKING:
    from banksman.cli.render.page import Page
    from banksman.runtime import RunState, UndoPlan

Flag = Parameter(negative=())


async def undo(
    run: str,
    /,
    *,
    preview: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    session: Annotated[Session, Parameter(parse=False)],
) -> Exit:
    """Take back what a run did, as far as that is possible.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    preview
        Show what would be taken back, and change nothing.
    yes
        Approve without asking, where the rules allow it.
    """
    from banksman.cli.commands.run import code_of, run_plan, show
    from banksman.cli.documents import preview_document

    async with session.hub() as hub:
        state = hub.state(run)
        inverse = await hub.plan_undo(state.id)
        document = {"event": "undo", "run": state.id, "stays": inverse.stays, "leaves": inverse.leaves}
        if preview and session.json and inverse.plan is not None:
            shown = await hub.preview(inverse.plan)
            session.document({**document, **preview_document(shown)})
            return code_of(shown)
        _announce(session, document, inverse)
        if inverse.plan is None:
            return Exit.FAILED if inverse.stays else Exit.DONE
        if preview:
            return show(session, await hub.preview(inverse.plan))
        code = await run_plan(session, hub, inverse.plan, {}, yes=yes, undoes=state.id)
        undone = hub.state(state.id).undone
        if undone is not None:
            _report(session, state, inverse, hub.state(undone))
        return code


def _announce(session: Session, document: Mapping[str, Any], inverse: UndoPlan) -> None:
    if session.json:
        session.event(document)
        return
    page = session.page()
    page.add("Undo of run ", document["run"])
    _reasons(page, "Cannot be undone", inverse.stays, "bold red")
    _reasons(page, "Undone only in part; what stays", inverse.leaves, "yellow")
    if inverse.plan is None and not inverse.stays:
        page.add("It has changed nothing; there is nothing to undo.")
    page.show()


def _reasons(page: Page, title: str, reasons: Mapping[str, str], style: str) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    if not reasons:
        return
    page.gap()
    page.add(Text(f"{title}:", style))
    for call, why in reasons.items():
        page.add(outside(call), ": ", outside(why), indent=2, hang=4)
    page.gap()


def _report(session: Session, state: RunState, inverse: UndoPlan, undone: RunState) -> None:
    from banksman.cli.render.restored import show_restored
    from banksman.cli.restored import restored

    calls = restored(state, inverse, undone)
    if session.json:
        session.event(
            {"event": "restored", "run": state.id, "by": undone.id, "calls": [one.document() for one in calls]}
        )
        return
    page = session.page()
    show_restored(page, calls)
    page.show()
