"""The situations that every action is seen in, what each one proves, and who does not have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from banksman._action import Action
from banksman._canonical import Plain
from banksman._change import NativeKey, Unknowable

READS = ("success", "not_found", "denied", "rate_limited", "malformed")
WRITES = (*READS, "timeout_after_commit", "timeout_before_commit")
#: The errors of which one has to come of a situation.
ERRORS: Mapping[str, frozenset[str]] = {
    "not_found": frozenset({"NotFound"}),
    "denied": frozenset({"AccessDenied", "AuthFailed"}),
    "rate_limited": frozenset({"RateLimited"}),
    # Garbage in answer to a write leaves open whether it was carried out.
    "malformed": frozenset({"MalformedAnswer", "OutcomeUnknown"}),
}


def required(action: Action[Any, Any]) -> tuple[str, ...]:
    """The situations that recordings of an action have to show."""
    return WRITES if action.effect.changes else READS


def judge(action: Action[Any, Any], situation: str, observed: Mapping[str, Plain]) -> list[str]:
    """What is wrong with what came of a situation, whatever a recording expects of it."""
    if situation == "success":
        return [f"it failed: {observed['error']} {observed.get('code')}"] if "error" in observed else []
    if situation in ERRORS:
        wanted = ERRORS[situation]
        if situation == "malformed" and not action.effect.changes:
            wanted = frozenset({"MalformedAnswer"})
        came = observed.get("error", "an output")
        return [] if came in wanted else [f"{' or '.join(sorted(wanted))} had to come of it, and {came} did"]
    return _judge_lost(action, situation, observed)


def _judge_lost(action: Action[Any, Any], situation: str, observed: Mapping[str, Plain]) -> list[str]:
    if observed.get("error") != "OutcomeUnknown":
        return [f"OutcomeUnknown had to come of a lost answer, and {observed.get('error', 'an output')} did"]
    verdict = observed["reconcile"]["verdict"]
    if isinstance(action.reconcile, Unknowable):
        return [] if verdict == "UNSURE" else [f"reconcile is declared unknowable and said {verdict}"]
    if isinstance(action.reconcile, NativeKey):
        return [] if verdict == "found" else [f"the same request under the same key gave {verdict}"]
    if situation == "timeout_after_commit" and verdict != "found":
        # Sent again on the word of an ABSENT, the write would be there twice.
        return [f"the write had happened, and reconcile said {verdict}"]
    if situation == "timeout_before_commit" and verdict == "found":
        return ["nothing was written, and reconcile found it"]
    return []
