"""`banksman runs`: what was done, what waits, and what is to go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import UsageError

if TYPE_CHECKING:
    from banksman.hub import Hub
    from banksman.runtime import RunState

app = App(name="runs", help="List, show, save, resume, undo and settle runs.", version_flags=[])
Flag = Parameter(negative=())
Hidden = Parameter(parse=False)
_STATUSES = ("new", "previewed", "approved", "running", "paused", "done", "failed", "cancelled")


@app.command(name="list")
async def list_runs(*, status: str | None = None, limit: int = 20, session: Annotated[Session, Hidden]) -> Exit:
    """List runs, the newest first.

    Parameters
    ----------
    status
        Only those that are new, previewed (waiting for an approval), approved, running, paused, done, failed or
        cancelled.
    limit
        How many.
    """
    from banksman.cli.documents import run_line
    from banksman.cli.render.runs import show_runs

    if status is not None and status not in _STATUSES:
        raise UsageError(f"no status {status!r}; there are {', '.join(_STATUSES)}")
    async with session.hub() as hub:
        found = newest(hub, limit, lambda state: status is None or state.status == status)
    session.show({"runs": [run_line(state) for state in found]}, lambda page: show_runs(page, found))
    return Exit.DONE


def newest(hub: Hub, limit: int, fits: Any) -> list[RunState]:
    """The newest runs that fit. Each is folded from its own entries, so no more are read than needed."""
    found: list[RunState] = []
    for entry in reversed(hub.ledger.of_kind("run.created")):
        if len(found) >= limit:
            break
        state = hub.state(entry.run)
        if fits(state):
            found.append(state)
    return found


@app.command
async def show(run: str, /, *, details: Annotated[bool, Flag] = False, session: Annotated[Session, Hidden]) -> Exit:
    """Show all that is known of a run.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    details
        Reads and outputs too, and the whole of a preview that waits.
    """
    from banksman.cli.documents import preview_document, run_document
    from banksman.cli.render.runs import show_run

    async with session.hub() as hub:
        state = hub.state(run)
        document = run_document(state, hub.ledger.entries(state.id))
    if state.waits and state.preview is not None:
        document["waiting"] = preview_document(state.preview)
    session.show(document, lambda page: show_run(page, state, details=details))
    return Exit.DONE


@app.command
async def save(run: str, file: Path, /, *, session: Annotated[Session, Hidden]) -> Exit:
    """Save the plan of a run as a runbook.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    file
        A file that is not there yet: .yaml, .yml or .json.
    """
    from banksman.cli.commands import write_new

    async with session.hub() as hub:
        state = hub.state(run)
    if not state.plan:
        raise UsageError(f"run {state.id} has no plan yet")
    write_new(file, _runbook_text(state.plan, file))
    session.show(
        {"run": state.id, "file": str(file)},
        lambda page: page.add(f"Saved. Run it with: banksman run {file}"),
    )
    return Exit.DONE


def _runbook_text(plan: Any, file: Path) -> str:
    from banksman.cli import documents
    from banksman.plan import build, dump

    runbook = build(plan)
    return documents.dump(runbook.document(), indent=2) + "\n" if file.suffix == ".json" else dump(runbook)


@app.command
async def resume(
    run: str,
    /,
    *,
    yes: Annotated[bool, Flag] = False,
    model: str | None = None,
    no_wait: Annotated[bool, Flag] = False,
    session: Annotated[Session, Hidden],
) -> Exit:
    """Let a paused, failed or interrupted run go on; what is left is previewed again.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    yes
        Approve without asking, where the rules allow it.
    model
        Lets a model, as PROVIDER:NAME, plan anew where that is needed.
    no_wait
        Leave the run to `banksman worker` once it is approved.
    """
    from banksman.cli.carrying import Carrier
    from banksman.cli.commands.run import agent, with_agent

    async with session.hub() as hub:
        state = hub.state(run)
        if model is not None:
            go_on = agent().resume
            return await with_agent(
                session, hub, lambda c, told: go_on(hub, state.id, model=model, approve=c.decide, show=told),
                yes=yes, wait=not no_wait,
            )  # fmt: skip
        if not state.plan:
            hint = f"Let a model go on planning: banksman runs resume {state.id} --model PROVIDER:NAME"
            raise UsageError(f"run {state.id} has no plan yet", hint=hint)
        await hub.reopen(state.id)
        return await Carrier(session, hub, yes=yes, wait=not no_wait).carry(state.id)


@app.command
async def settle(
    run: str,
    call: str,
    /,
    *,
    happened: Annotated[bool, Flag] = False,
    did_not_happen: Annotated[bool, Flag] = False,
    output: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    note: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    session: Annotated[Session, Hidden],
) -> Exit:
    """Say what you found out about a write whose outcome nobody knew.

    Parameters
    ----------
    run
        The run's id; the beginning is enough.
    call
        The call, as `banksman runs show` names it.
    happened
        It took effect.
    did_not_happen
        It did not; when the run is resumed it is previewed and tried again.
    output
        What the call would have given back, as JSON; later steps may use it.
    note
        How you know.
    """
    from banksman.cli.values import json_value

    if happened == did_not_happen:
        raise UsageError("say --happened or --did-not-happen")
    value = json_value(output, "--output") if output is not None else None
    if did_not_happen and output is not None:
        raise UsageError("what did not happen has no --output")
    async with session.hub() as hub:
        state = hub.state(run)
        await hub.settle(state.id, call, happened=happened, output=value, note=note)
    session.show(
        {"run": state.id, "call": call, "happened": happened},
        lambda page: page.add(f"Noted. Next: banksman runs resume {state.id}"),
    )
    return Exit.DONE
