"""A run's state is a fold over its ledger: nothing else is kept, so nothing can disagree with it.

run.created      name, plan, inputs, facts, requester, undoes
run.previewed    the preview's document, its digest
approval.given   digest, by, how          approval.denied   digest, by, why
stage.begun      digest: the approval is used up
call.read        output
call.intended    attempt, and what is sent: on disk before the request leaves
call.confirmed   output, differs
call.failed      error, again: it is known that nothing happened
call.unknown     error: it may have happened
call.absent      reconcile found, late enough, that it did not happen
call.handed_over why: a person has to say what happened
call.settled     happened, by, note: what the person said
run.paused       why (drifted, unknown, denied, failed): `resume` looks again
run.replanned    plan
run.resumed      by
run.ended        status (done, failed, cancelled), outputs, unmet
run.undone       by: the id of the run that undid it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from banksman._canonical import Plain
from banksman.guard import Approval
from banksman.ledger import Entry
from banksman.preview import Preview


@dataclass(slots=True)
class CallState:
    """What is known of one call.

    Attributes:
        status: `read`, `intended`, `confirmed`, `failed`, `unknown`, `absent`, `handed_over`.
        intent: the body of the last `call.intended`.
        since: when that was recorded.
        attempts: how often it was sent, as far as is known.
    """

    id: str
    status: str = ""
    output: Plain = None
    error: str = ""
    intent: Mapping[str, Plain] = field(default_factory=dict)
    since: str = ""
    attempts: int = 0
    differs: list[Plain] = field(default_factory=list)
    order: int = 0


@dataclass(slots=True)
class RunState:
    """What is known of one run. `status`: `new`, `previewed`, `approved`, `running`, `paused`, `done`, `failed`,
    `cancelled`."""

    id: str
    name: str = ""
    requester: str = ""
    created: str = ""
    status: str = "new"
    why: str = ""
    plan: Mapping[str, Plain] = field(default_factory=dict)
    inputs: Mapping[str, Plain] = field(default_factory=dict)
    facts: Mapping[str, Plain] = field(default_factory=dict)
    undoes: str | None = None
    undone: str | None = None
    model: str | None = None
    preview: Preview | None = None
    previewed_at: str = ""
    stage: int = 0
    approvals: dict[str, Approval] = field(default_factory=dict)
    denials: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    calls: dict[str, CallState] = field(default_factory=dict)
    #: Loops whose rounds are named by place; once so, always so, or a call would be taken for a new one.
    positional: set[str] = field(default_factory=set)
    outputs: Plain = None
    unmet: list[str] = field(default_factory=list)
    last: int = 0
    resumes: int = 0
    replans: int = 0

    @property
    def exists(self) -> bool:
        """Whether the ledger knows the run."""
        return self.last > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen unless somebody resumes it."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def waits(self) -> bool:
        """Whether it waits for an approval."""
        return self.status == "previewed"

    def of_status(self, *statuses: str) -> list[CallState]:
        """The calls in some states, in the order they came there."""
        return sorted((call for call in self.calls.values() if call.status in statuses), key=lambda call: call.order)

    def known(self) -> dict[str, Plain]:
        """Outputs of the calls that have run."""
        return {call.id: call.output for call in self.calls.values() if call.status in ("read", "confirmed")}

    def failed(self) -> dict[str, str]:
        """Calls that failed for good, with the reason."""
        return {call.id: call.error for call in self.calls.values() if call.status == "failed"}

    def apply(self, entry: Entry) -> None:
        """Take one more entry into account."""
        self.last = entry.number
        _APPLY.get(entry.kind, _ignored)(self, entry)


def fold(run: str, entries: Iterable[Entry]) -> RunState:
    """The state after some entries."""
    state = RunState(run)
    for entry in entries:
        state.apply(entry)
    return state


def _ignored(state: RunState, entry: Entry) -> None:
    """Entries of later versions do not change what this one understands."""


def _created(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.created = entry.at
    state.name, state.requester = body["name"], body["requester"]
    state.plan, state.inputs, state.facts = body["plan"], body["inputs"], body["facts"]
    state.undoes, state.model = body.get("undoes"), body.get("model")


def _previewed(state: RunState, entry: Entry) -> None:
    state.preview = Preview.from_document(entry.body["preview"])
    state.previewed_at = entry.at
    state.stage = state.preview.stage
    state.positional |= {step for step, keys in state.preview.rounds.items() if keys[:1] == ("#1",)}
    state.status = "previewed"


def _approved(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.approvals[body["digest"]] = Approval(body["digest"], body["by"], body["how"], entry.at)
    if state.preview is not None and state.preview.digest == body["digest"] and state.status == "previewed":
        state.status = "approved"


def _denied(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.denials[body["digest"]] = body.get("why", "")


def _begun(state: RunState, entry: Entry) -> None:
    state.used.add(entry.body["digest"])
    state.status = "running"


def _call(state: RunState, entry: Entry) -> CallState:
    call = state.calls.setdefault(entry.call, CallState(entry.call))
    call.order = entry.number
    return call


def _read(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.output = "read", entry.body["output"]


def _intended(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.intent, call.since = "intended", entry.body, entry.at
    call.attempts += 1


def _confirmed(state: RunState, entry: Entry) -> None:
    call, body = _call(state, entry), entry.body
    call.status, call.output, call.differs, call.error = "confirmed", body["output"], body.get("differs", []), ""


def _failed(state: RunState, entry: Entry) -> None:
    call, body = _call(state, entry), entry.body
    # Nothing happened in either case; with `again` the run itself goes on trying.
    call.status, call.error = "absent" if body.get("again") else "failed", body["error"]


def _unknown(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.error = "unknown", entry.body["error"]


def _absent(state: RunState, entry: Entry) -> None:
    _call(state, entry).status = "absent"


def _handed_over(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.error = "handed_over", entry.body["why"]


def _settled(state: RunState, entry: Entry) -> None:
    call, body = _call(state, entry), entry.body
    if body["happened"]:
        call.status, call.output = "confirmed", body.get("output")
    else:
        call.status = "absent"


def _paused(state: RunState, entry: Entry) -> None:
    state.status, state.why = "paused", entry.body["why"]


def _replanned(state: RunState, entry: Entry) -> None:
    state.plan = entry.body["plan"]
    state.replans += 1
    _try_again(state)


def _resumed(state: RunState, entry: Entry) -> None:
    state.resumes += 1
    _try_again(state)


def _try_again(state: RunState) -> None:
    # What failed is known not to have happened, so it may be tried again under a new preview.
    state.calls = {name: call for name, call in state.calls.items() if call.status not in ("failed", "absent")}
    state.preview, state.status, state.why = None, "running", ""


def _ended(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.status, state.outputs, state.unmet = body["status"], body.get("outputs"), body.get("unmet", [])
    state.why = body.get("why", "")


def _undone(state: RunState, entry: Entry) -> None:
    state.undone = entry.body["by"]


_APPLY: dict[str, Any] = {
    "run.created": _created,
    "run.previewed": _previewed,
    "approval.given": _approved,
    "approval.denied": _denied,
    "stage.begun": _begun,
    "call.read": _read,
    "call.intended": _intended,
    "call.confirmed": _confirmed,
    "call.failed": _failed,
    "call.unknown": _unknown,
    "call.absent": _absent,
    "call.handed_over": _handed_over,
    "call.settled": _settled,
    "run.paused": _paused,
    "run.replanned": _replanned,
    "run.resumed": _resumed,
    "run.ended": _ended,
    "run.undone": _undone,
}
