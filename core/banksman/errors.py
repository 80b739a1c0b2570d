"""Everything Banksman raises, in one tree, named by what the caller does next.

    BanksmanError
     ├─ UsageError               mend your code, file or command
     │   ├─ ConnectorGaps        a connector is incomplete; lists every gap
     │   ├─ ConfigError          the configuration file or a connection's settings
     │   ├─ PlanError            the runbook; lists every problem with its place
     │   ├─ ArgumentError        arguments do not fit the action's schema
     │   └─ UnknownName          no such action, connection, run ...; lists the near ones
     ├─ CallError                a call to a system failed, and it is known how
     │   ├─ AuthFailed           log in again, or renew the credential
     │   ├─ AccessDenied         ask for the scope or the permission
     │   ├─ NotFound             the record is not there
     │   ├─ Conflict             somebody changed it meanwhile; read again
     │   ├─ Rejected             the system refuses this input; change it
     │   ├─ RateLimited          wait `retry_after` seconds
     │   ├─ Unavailable          try later; nothing was changed
     │   ├─ MalformedAnswer      the answer cannot be read
     │   └─ OutcomeUnknown       a write may or may not have happened; reconcile
     ├─ Stopped                  the hub stopped before acting
     │   ├─ Denied               a rule forbids it; carries the rule's name
     │   ├─ WriteRefused         code tried to write outside an approved run
     │   ├─ NotApproved          nobody has approved, or the approval expired or was used
     │   └─ Drifted              the record changed since the preview; carries the diff
     ├─ RunFailed                a run ended early; the ledger says where
     └─ StorageError             the ledger cannot be written; nothing was sent

A `CallError` says which action, on which connection, and never carries a credential: texts from outside pass
`banksman.http.scrub` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any


class BanksmanError(Exception):
    """The root of the tree. `hint` says what to do next, where there is one thing to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(BanksmanError):
    """Code, a file or a command line is wrong; the same call cannot succeed."""


class ConnectorGaps(UsageError, TypeError):
    """A connector is incomplete. `gaps` names each missing piece, one line each."""

    def __init__(self, connector: str, gaps: Sequence[str]) -> None:
        lines = "\n".join(f"  - {gap}" for gap in gaps)
        super().__init__(f"connector {connector!r} is incomplete:\n{lines}")
        self.connector = connector
        self.gaps = tuple(gaps)


class ConfigError(UsageError):
    """The configuration, or one connection's settings, cannot be used."""


class PlanError(UsageError):
    """A runbook cannot be run. `problems` are `place: what is wrong` lines, all of them at once."""

    def __init__(self, source: str, problems: Sequence[str], *, hint: str | None = None) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{source}: {len(problems)} problem(s):\n{lines}", hint=hint)
        self.source = source
        self.problems = tuple(problems)


class ArgumentError(UsageError):
    """Arguments do not fit the action's schema. `problems` are `argument: what is wrong` lines."""

    def __init__(self, action: str, problems: Sequence[str]) -> None:
        super().__init__(f"{action}: " + "; ".join(problems))
        self.action = action
        self.problems = tuple(problems)


class UnknownName(UsageError):
    """There is no such thing under that name; the near ones are listed."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=5, cutoff=0.5)
        listed = near or names[:8]
        more = f" (of {len(names)})" if len(names) > len(listed) else ""
        tail = f"; did you mean {', '.join(listed)}{more}?" if near else ""
        if not near:
            tail = f"; there are: {', '.join(listed)}{more}" if listed else "; there are none"
        super().__init__(f"no {kind} {name!r}{tail}", hint=hint)
        self.kind = kind
        self.name = name


class CallError(BanksmanError):
    """A call to a system failed.

    Attributes:
        action: the action's full name, filled in by the hub.
        connection: the connection's name, filled in by the hub.
        code: the vendor's own code, where it gave one.
        status: the HTTP status, where there was one.
    """

    #: Whether the same call can succeed later without anybody changing anything.
    transient = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        hint: str | None = None,
        action: str | None = None,
        connection: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.status = status
        self.action = action
        self.connection = connection

    def __str__(self) -> str:
        where = " on ".join(part for part in (self.action, self.connection) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class AuthFailed(CallError):
    """The credential is missing, wrong or expired."""


class AccessDenied(CallError):
    """The credential is good, but may not do this."""


class NotFound(CallError):
    """The record is not there (or not visible to this credential)."""


class Conflict(CallError):
    """The record changed meanwhile, or a rule of the system about its state was broken."""


class Rejected(CallError):
    """The system refuses the input; the same input will be refused again."""


class RateLimited(CallError):
    """Too many calls. `retry_after` is in seconds, None where the system did not say."""

    transient = True

    def __init__(self, message: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class Unavailable(CallError):
    """The system cannot be reached or is down; nothing was changed."""

    transient = True


class MalformedAnswer(CallError):
    """The answer is not what the system's own description promises: no JSON, a wrong type, too large, cut off."""


class OutcomeUnknown(CallError):
    """A write was sent and no clear answer came: it may or may not have happened. Never repeat it unasked."""


class Stopped(BanksmanError):
    """The hub stopped before acting. Nothing was changed."""


class Denied(Stopped):
    """A rule forbids the call, whatever anybody approves. `rule` is its name."""

    def __init__(self, message: str, *, rule: str, hint: str | None = None) -> None:
        super().__init__(f"{message} (rule: {rule})", hint=hint)
        self.rule = rule


class WriteRefused(Stopped):
    """Something tried to write outside an approved run. The default mode of the seam is preview."""


class NotApproved(Stopped):
    """There is no valid approval: none was given, it expired, it was used, or it is for another preview."""


class Drifted(Stopped):
    """The record is no longer what the preview showed. `changes` are `(path, shown, now)` triples."""

    def __init__(self, what: str, changes: Sequence[tuple[str, Any, Any]]) -> None:
        lines = "\n".join(f"  {path}: shown {shown!r}, now {now!r}" for path, shown, now in changes)
        super().__init__(
            f"{what} changed since the preview:\n{lines}",
            hint="Preview again and approve what is true now.",
        )
        self.what = what
        self.changes = tuple(changes)


class RunFailed(BanksmanError):
    """A run ended before its last step. `failures` maps a call's id to its message."""

    def __init__(self, run: str, failures: Mapping[str, str], *, hint: str | None = None) -> None:
        lines = "\n".join(f"  {call}: {message}" for call, message in failures.items())
        super().__init__(f"run {run} did not finish:\n{lines}", hint=hint)
        self.run = run
        self.failures = dict(failures)


class StorageError(BanksmanError):
    """The ledger cannot be written (disk full, permissions). Nothing is sent that cannot be recorded first."""
