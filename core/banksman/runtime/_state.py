"""A run's state is a fold over its ledger: nothing else is kept, so nothing can disagree with it.

run.created      name, plan, inputs, facts, requester, undoes; for a run that a model is to plan: goal, model, no plan
model.asked      purpose, model, server, prompt (its version), digest, tokens, actions: on disk before it is asked
model.answered   purpose, model, input_tokens, output_tokens, digest, problems of reading the answer
plan.refused     problems of a plan that could be read
run.planned      name, plan, inputs: the first plan of a run that began with a goal
run.previewed    the preview's document, its digest
approval.given   digest, by, how          approval.denied   digest, by, why
stage.begun      digest: the approval is used up
call.read        output
call.intended    what is sent, and by which runner: on disk before the request leaves
call.confirmed   output, differs
call.failed      error, kind, again: it is known that nothing happened
call.unknown     error, clock, up: it may have happened; from now on nothing of this attempt leaves any more
call.absent      reconcile found, late enough, that it did not happen
call.handed_over why: a person has to say what happened
call.settled     happened, by, note: what the person said
run.paused       why (drifted, unknown, failed ...), tried, asked: `resume` looks again
run.replanned    plan
run.resumed      by
run.ended        status (done, failed, cancelled), outputs, unmet
run.undone       by: the id of the run that undoes it; the first one counts

Anybody may append, at any time. What comes too late (a plan for a stage that is under way, a second resume) is kept
and changes nothing: the fold decides, so all processes see the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from banksman._canonical import Plain
from banksman.guard import Approval
from banksman.ledger import Draft, Entry
from banksman.preview import Preview


@dataclass(slots=True)
class CallState:
    """What is known of one call.

    Attributes:
        status: `read`, `intended`, `confirmed`, `failed`, `unknown`, `absent`, `handed_over`.
        kind: the class of the error, such as `NotFound`.
        intent: the body of the last `call.intended`.
        since: when that was recorded.
        first: when the first of the attempts was recorded that are not known to have come to nothing.
        quiet: what the clock showed when it was certain that nothing of it leaves this side any more; empty while
            it may.
        attempts: how often it was sent, as far as is known.
    """

    id: str
    status: str = ""
    output: Plain = None
    error: str = ""
    kind: str = ""
    intent: Mapping[str, Plain] = field(default_factory=dict)
    since: str = ""
    first: str = ""
    quiet: Mapping[str, Plain] = field(default_factory=dict)
    attempts: int = 0
    differs: list[Plain] = field(default_factory=list)
    order: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it may have happened, and nobody knows yet."""
        return self.status in ("intended", "unknown", "handed_over")


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
    goal: str = ""
    undoes: str | None = None
    undone: str | None = None
    model: str | None = None
    preview: Preview | None = None
    #: The digest of the preview as recorded; what an approval is worth is decided by the preview's own.
    shown: str = ""
    previewed_at: str = ""
    stage: int = 0
    approvals: dict[str, Approval] = field(default_factory=dict)
    denials: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    calls: dict[str, CallState] = field(default_factory=dict)
    #: Outputs of the calls that have run, by call.
    known: dict[str, Plain] = field(default_factory=dict)
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
    def may_replan(self) -> bool:
        """Whether another plan may take the place of this one: not while a stage is under way, nor at the end."""
        under_way = self.status == "running" and self.preview is not None
        return not under_way and self.status not in ("done", "cancelled")

    @property
    def waits(self) -> bool:
        """Whether it waits for an approval."""
        return self.status == "previewed"

    def of_status(self, *statuses: str) -> list[CallState]:
        """The calls in some states, in the order they came there."""
        return sorted((call for call in self.calls.values() if call.status in statuses), key=lambda call: call.order)

    def failed(self) -> dict[str, str]:
        """Calls that failed for good, with the reason."""
        return {call.id: call.error for call in self.calls.values() if call.status == "failed"}

    def anticipate(self, draft: Draft) -> None:
        """Take into account what will be recorded with the next entry, which applies it once more."""
        soon = Entry(self.id, self.last, "", draft.kind, draft.call, draft.encoded().text or "", "", "")
        _APPLY.get(draft.kind, _ignored)(self, soon)

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
    state.goal = body.get("goal") or state.plan.get("goal", "")


def _planned(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.name, state.plan, state.inputs = body["name"], body["plan"], body["inputs"]
    state.status, state.why = "new", ""


def _previewed(state: RunState, entry: Entry) -> None:
    preview = Preview.from_document(entry.body["preview"])
    if preview.plan != state.plan:
        return  # it shows a plan that another has taken the place of while it was made
    state.preview, state.shown = preview, entry.body["digest"]
    state.previewed_at = entry.at
    state.stage = state.preview.stage
    state.positional |= {step for step, keys in state.preview.rounds.items() if keys[:1] == ("#1",)}
    state.status = "previewed"


def _approved(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.approvals[body["digest"]] = Approval(body["digest"], body["by"], body["how"], entry.at)
    if state.preview is not None and state.shown == body["digest"] and state.status == "previewed":
        state.status = "approved"


def _denied(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.denials[body["digest"]] = body.get("why", "")


def _begun(state: RunState, entry: Entry) -> None:
    state.used.add(entry.body["digest"])
    if state.status in ("previewed", "approved"):
        state.status = "running"


def _call(state: RunState, entry: Entry) -> CallState:
    call = state.calls.setdefault(entry.call, CallState(entry.call))
    call.order = entry.number
    return call


def _ran(state: RunState, call: CallState, output: Plain) -> None:
    call.output = state.known[call.id] = output


def _read(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status = "read"
    _ran(state, call, entry.body["output"])


def _intended(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.first = call.first if call.is_open else entry.at
    call.status, call.intent, call.since, call.quiet = "intended", entry.body, entry.at, {}
    call.attempts += 1


def _confirmed(state: RunState, entry: Entry) -> None:
    call, body = _call(state, entry), entry.body
    call.status, call.differs, call.error = "confirmed", body.get("differs", []), ""
    _ran(state, call, body["output"])


def _failed(state: RunState, entry: Entry) -> None:
    call, body = _call(state, entry), entry.body
    # Nothing happened in either case; with `again` the run itself goes on trying.
    call.status, call.error = "absent" if body.get("again") else "failed", body["error"]
    call.kind = body.get("kind", "")


def _unknown(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.error, call.quiet = "unknown", entry.body["error"], entry.body


def _absent(state: RunState, entry: Entry) -> None:
    _call(state, entry).status = "absent"


def _handed_over(state: RunState, entry: Entry) -> None:
    call = _call(state, entry)
    call.status, call.error = "handed_over", entry.body["why"]


def _settled(state: RunState, entry: Entry) -> None:
    body = entry.body
    if state.calls.get(entry.call, CallState("")).status != "handed_over":
        return  # somebody else was first
    call = _call(state, entry)
    if body["happened"]:
        call.status = "confirmed"
        _ran(state, call, body.get("output"))
    else:
        call.status = "absent"


def _paused(state: RunState, entry: Entry) -> None:
    state.status, state.why = "paused", entry.body["why"]


def _replanned(state: RunState, entry: Entry) -> None:
    if not state.may_replan:
        return
    state.plan = entry.body["plan"]
    state.replans += 1
    _try_again(state)


def _resumed(state: RunState, entry: Entry) -> None:
    if state.status not in ("paused", "failed"):
        return
    state.resumes += 1
    _try_again(state)


def _try_again(state: RunState) -> None:
    # What failed is known not to have happened, so it may be tried again under a new preview; but not where another
    # way has been gone in its place.
    gone = {way_of(call.id)[0]: way_of(call.id)[1] for call in state.calls.values() if not _came_to_nothing(call)}
    state.calls = {
        name: call
        for name, call in state.calls.items()
        if not _came_to_nothing(call) or gone.get(way_of(name)[0], -1) > way_of(name)[1]
    }
    state.preview, state.status, state.why = None, "running", ""


def _came_to_nothing(call: CallState) -> bool:
    return call.status in ("failed", "absent")


def way_of(call: str) -> tuple[str, int]:
    """A call's id without its way, and the way: `tell[a]~1` is the first alternative of `tell[a]`."""
    name, _, way = call.rpartition("~")
    return (name, int(way)) if name and way.isdigit() else (call, 0)


def _ended(state: RunState, entry: Entry) -> None:
    body = entry.body
    state.status, state.outputs, state.unmet = body["status"], body.get("outputs"), body.get("unmet", [])
    state.why = body.get("why", "")


def _undone(state: RunState, entry: Entry) -> None:
    state.undone = state.undone or entry.body["by"]


_APPLY: dict[str, Any] = {
    "run.created": _created,
    "run.planned": _planned,
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
