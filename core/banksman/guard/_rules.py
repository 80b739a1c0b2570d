"""The rules that hold by default, in one place: each has a name, a verdict and a reason that a person understands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from banksman._connector import Connection, Environment
from banksman._effect import Effect
from banksman.errors import Denied
from banksman.preview import Item

#: Part of every approval: an approval under other rules is worth nothing.
VERSION = "banksman.rules.v1"


class Verdict(StrEnum):
    """What a rule says of one write."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the rule it comes from."""

    verdict: Verdict
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Judges a write, or has nothing to say about it."""

    name: str
    judge: Callable[[Item, Connection, bool], str | None]
    verdict: Verdict


def _destroy_unattended(item: Item, connection: Connection, unattended: bool) -> str | None:
    if unattended and item.effect is Effect.DESTROY and connection.environment is Environment.PRODUCTION:
        return f"{item.action} destroys in production ({connection.name}); a person has to approve it"
    return None


def _connection_unattended(item: Item, connection: Connection, unattended: bool) -> str | None:
    if (
        not unattended
        or connection.unattended
        or (connection.unattended is None and connection.environment is not Environment.PRODUCTION)
    ):
        return None
    what = "says `unattended: false`" if connection.unattended is False else "is production"
    return f"{connection.name} {what}; set `unattended: true` on the connection, or let a person approve"


def _any_write(item: Item, connection: Connection, unattended: bool) -> str | None:
    return f"{item.action} changes {connection.name}"


#: The first rule with something to say decides.
RULES = (
    Rule("destroy-in-production-needs-a-person", _destroy_unattended, Verdict.DENY),
    Rule("unattended-only-where-the-connection-says-so", _connection_unattended, Verdict.DENY),
    Rule("every-write-needs-approval", _any_write, Verdict.ASK),
)


def judge(item: Item, connection: Connection, *, unattended: bool) -> Decision:
    """What the rules say of a write. `unattended`: the approval is given by a flag, not by a person."""
    for rule in RULES:
        reason = rule.judge(item, connection, unattended)
        if reason is not None:
            return Decision(rule.verdict, rule.name, reason)
    return Decision(Verdict.ALLOW, "nothing-to-say", "")


def require_unattended(items: Iterable[Item], connections: Mapping[str, Connection]) -> None:
    """Check that writes may be approved by a flag.

    Raises:
        Denied: with the first rule that forbids it.
    """
    for item in items:
        decision = judge(item, connections[item.connection], unattended=True)
        if decision.verdict is Verdict.DENY:
            raise Denied(decision.reason, rule=decision.rule, hint="Run it without --yes and approve the preview.")
