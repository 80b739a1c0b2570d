"""Runs for people: a list of them, one of them, and how one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from banksman._canonical import Plain
from banksman.cli.render.page import Page
from banksman.cli.render.preview import show_preview
from banksman.cli.render.text import name_of, outside, shown
from banksman.runtime import CallState, RunState

_STYLES = {
    "done": "green", "failed": "bold red", "cancelled": "dim", "paused": "bold yellow", "previewed": "bold cyan",
    "approved": "cyan", "running": "cyan", "new": "dim", "confirmed": "green", "read": "dim", "absent": "yellow",
    "intended": "bold yellow", "unknown": "bold yellow", "handed_over": "bold red",
}  # fmt: skip
_MEANS = {
    "previewed": "waits for an approval",
    "handed_over": "a person has to say whether it happened",
    "absent": "did not happen",
    "intended": "under way, or its process ended",
    "unknown": "may have happened",
}

_HEADS = {
    "done": "Done", "failed": "Failed", "cancelled": "Not approved", "paused": "Paused",
    "previewed": "Waiting for an approval",
}  # fmt: skip


def status_text(status: str) -> Text:
    """A status in its colour, explained where the word is not plain."""
    return Text(f"{status}{f' ({_MEANS[status]})' if status in _MEANS else ''}", _STYLES.get(status, ""))


def show_runs(page: Page, states: Sequence[RunState]) -> None:
    """One line a run."""
    if not states:
        page.add("There are no runs.")
    page.table(
        [
            (
                state.id,
                Text(state.status, _STYLES.get(state.status, "")),
                Text.assemble(outside(state.name), _aside(state)),
            )
            for state in states
        ]
    )


def _aside(state: RunState) -> Text:
    parts = [f"undoes {state.undoes}" if state.undoes else "", f"undone by {state.undone}" if state.undone else ""]
    told = "; ".join(part for part in parts if part)
    return Text(f"  ({told})" if told else "", "dim")


def show_run(page: Page, state: RunState, *, details: bool = False) -> None:
    """All of a run."""
    page.add(Text(state.id, "bold"), "  ", outside(state.name))
    rows: list[tuple[str | Text, str | Text]] = [("status", status_text(state.status))]
    rows += [("why", line) for line in _lines(state.why)]
    rows += [("goal", outside(state.goal))] if state.goal else []
    rows += [("asked for by", Text.assemble(outside(state.requester), f" at {state.created}"))]
    rows += [("model", outside(state.model))] if state.model else []
    rows += [("undoes", state.undoes)] if state.undoes else []
    rows += [("undone by", state.undone)] if state.undone else []
    rows += [(outside(name), shown(value)) for name, value in state.inputs.items()]
    rows += [
        ("approved", Text.assemble("by ", outside(one.by), f" at {one.at} ({one.how}), digest {one.digest[:16]}"))
        for one in state.approvals.values()
    ]
    page.table(rows, indent=2)
    _show_calls(page, state, details=details)
    if state.waits and state.preview is not None:
        page.gap()
        show_preview(page, state.preview, details=details)
    show_next(page, state)


def _lines(text: str) -> list[Text]:
    return [outside(line.strip()) for line in text.split("\n")] if text else []


def _show_calls(page: Page, state: RunState, *, details: bool) -> None:
    calls = sorted(state.calls.values(), key=lambda call: call.order)
    told = [call for call in calls if details or call.status != "read"]
    if told:
        page.gap()
        page.add("Calls", style="bold")
    for call in told:
        page.add(outside(call.id), "  ", status_text(call.status), "  ", _what(call), indent=2)
        if call.attempts > 1:
            page.add(f"sent {call.attempts} times", indent=6, style="yellow")
        for line in _lines(call.error):
            page.add(line, indent=6, style="red")
        _show_differs(page, call)
        if details and call.output is not None:
            page.behind("| ", shown(call.output), indent=6)
    if reads := len(calls) - len(told):
        page.add(f"and {reads:,} {'read' if reads == 1 else 'reads'}", indent=2, style="dim")


def _what(call: CallState) -> Text:
    if not call.intent:
        return Text()
    return Text.assemble(outside(call.intent["action"]), " on ", outside(call.intent["connection"]), style="dim")


def _show_differs(page: Page, call: CallState) -> None:
    for path, foretold, came in call.differs:
        told = Text.assemble(outside(path), ": ", shown(came), " instead of ", shown(foretold))
        page.add("not as the preview said: ", told, indent=6, style="yellow")


def show_end(page: Page, state: RunState) -> None:
    """How a run ended, or why it stopped, and what to do next."""
    writes, reads = len(state.of_status("confirmed")), len(state.of_status("read"))
    page.gap()
    head = _HEADS.get(state.status)
    counts = f"{writes:,} {'write' if writes == 1 else 'writes'}, {reads:,} {'read' if reads == 1 else 'reads'}"
    page.add(Text(head or state.status.capitalize(), _STYLES.get(state.status, "")), f": run {state.id}: {counts}")
    for line in _lines(state.why):
        page.add(line, indent=2)
    for call in state.of_status("confirmed"):
        if call.differs:
            page.add(outside(call.id), indent=2)
            _show_differs(page, call)
    if isinstance(state.outputs, Mapping) and state.outputs:
        page.add("Outputs", style="bold")
        show_outputs(page, state.outputs)
    show_next(page, state)


def show_outputs(page: Page, outputs: Mapping[str, Plain]) -> None:
    """Named values; what does not fit on a line stands behind a bar."""
    for name, value in outputs.items():
        line = Text.assemble(name_of(name), ": ", shown(value))
        if line.cell_len + 2 <= page.width:
            page.add(line, indent=2)
        else:
            page.add(name_of(name), ":", indent=2)
            page.behind("| ", shown(value), indent=4)


def next_steps(state: RunState) -> list[str]:
    """The commands that make sense now."""
    run = state.id
    if state.waits and state.preview is not None:
        return [f"banksman approvals approve {run} {state.preview.digest[:16]}", f"banksman approvals deny {run}"]
    if handed_over := state.of_status("handed_over"):
        settle = [f"banksman runs settle {run} '{call.id}' --happened   (or --did-not-happen)" for call in handed_over]
        return [*settle, f"banksman runs resume {run}"]
    steps = []
    if state.status in ("paused", "failed", "new", "running", "approved"):
        steps.append(f"banksman runs resume {run}")
    if (
        state.of_status("confirmed")
        and not state.undone
        and not state.undoes
        and (state.is_over or state.status == "paused")
    ):
        steps.append(f"banksman runs undo {run}")
    return steps


def show_next(page: Page, state: RunState) -> None:
    """What to do next."""
    for place, step in enumerate(next_steps(state)):
        page.add("Next: " if not place else "      ", outside(step, "cyan"))
