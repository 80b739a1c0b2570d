"""What a command ends with: one code for each thing that the caller may do next. `docs/cli.md` has the same table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from banksman import errors

if TYPE_CHECKING:
    from banksman.ledger import Entry
    from banksman.runtime import RunState


class Exit(IntEnum):
    """Exit codes.

    Attributes:
        DONE: it was done.
        FAULT: something unforeseen went wrong; a fault of Banksman or of a connector.
        USAGE: the arguments, the runbook or the configuration have to be mended.
        WAITING: the run waits for an approval.
        NOT_APPROVED: somebody said no, the approval expired, or a rule forbids it.
        FAILED: a system refused something, or what was to be ensured does not hold.
        DRIFTED: the run is paused, because something changed since the preview.
        UNKNOWN: nobody knows whether a write happened; a person has to find out.
        UNAVAILABLE: a system cannot be reached, or does not let us in.
        STORAGE: the ledger cannot be read or written.
        INTERRUPTED: stopped by a signal; what was under way has ended, and the run can be resumed.
    """

    DONE = 0
    FAULT = 1
    USAGE = 2
    WAITING = 3
    NOT_APPROVED = 4
    FAILED = 5
    DRIFTED = 6
    UNKNOWN = 7
    UNAVAILABLE = 8
    STORAGE = 9
    INTERRUPTED = 130


#: The first class that fits decides.
_OF_ERRORS: tuple[tuple[type[BaseException], Exit], ...] = (
    (errors.StorageError, Exit.STORAGE),
    (errors.AuthFailed, Exit.UNAVAILABLE),
    (errors.AccessDenied, Exit.UNAVAILABLE),
    (errors.RateLimited, Exit.UNAVAILABLE),
    (errors.Unavailable, Exit.UNAVAILABLE),
    (errors.OutcomeUnknown, Exit.UNKNOWN),
    (errors.Drifted, Exit.DRIFTED),
    (errors.Stopped, Exit.NOT_APPROVED),
    (errors.CallError, Exit.FAILED),
    (errors.RunFailed, Exit.FAILED),
    (errors.UsageError, Exit.USAGE),
    (KeyboardInterrupt, Exit.INTERRUPTED),
)


def of_error(kind: type[BaseException]) -> Exit:
    """The code for an error of some class."""
    return next((code for known, code in _OF_ERRORS if issubclass(kind, known)), Exit.FAULT)


def of_kinds(kinds: Sequence[str]) -> Exit:
    """The code for a plan whose calls cannot be looked at, from the classes of their errors."""
    found = {of_error(getattr(errors, kind, errors.RunFailed)) for kind in kinds}
    return Exit.UNAVAILABLE if Exit.UNAVAILABLE in found else Exit.FAILED


def of_state(state: RunState, entries: Sequence[Entry] = ()) -> Exit:
    """The code for a run as it is now."""
    if state.status == "paused":
        return _of_pause(state, entries)
    codes = {"done": Exit.DONE, "failed": Exit.FAILED, "cancelled": Exit.NOT_APPROVED, "previewed": Exit.WAITING}
    return codes.get(state.status, Exit.INTERRUPTED)


def _of_pause(state: RunState, entries: Sequence[Entry]) -> Exit:
    if state.of_status("handed_over") or state.why.startswith("unknown"):
        return Exit.UNKNOWN
    if state.why.startswith("drifted"):
        return Exit.DRIFTED
    if "approval expired" in state.why:
        return Exit.NOT_APPROVED
    paused = next((entry.body for entry in reversed(entries) if entry.kind == "run.paused"), {})
    return of_kinds(list(paused.get("kinds", {}).values()))
