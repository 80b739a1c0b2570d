"""The plan as a pure machine: it yields the calls that are ready and takes their outcomes. No I/O, no clock.

Preview, run, recovery and undo all drive this one machine; what differs is where the outcomes come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from banksman._canonical import Plain
from banksman._record import holds_placeholder
from banksman.plan._format import Runbook, Step
from banksman.plan._graph import dependencies, roots, roots_index
from banksman.plan._reference import BadReference, resolve, true
from banksman.plan._rounds import Scope, round_keys


@dataclass(frozen=True, slots=True)
class Ready:
    """A call whose inputs are all there.

    Attributes:
        id: `tell`, `move[4500000017]`; `~1` after it for the first alternative.
        round: the key of the item, empty for a step without `for_each`.
        way: 0 for the call itself, 1 for its first alternative.
        reads: the steps whose outputs it was made from, those that chose it included.
    """

    id: str
    step: str
    round: str
    way: int
    action: str
    connection: str
    arguments: Mapping[str, Plain]
    reads: frozenset[str]


@dataclass(slots=True)
class _StepState:
    waits: int
    rounds: dict[str, _Round] = field(default_factory=dict)
    open: int = 0
    state: str = "waiting"  # waiting, running, done, skipped, failed, blocked, deferred


@dataclass(slots=True)
class _Round:
    scope: Scope
    output: Plain = None
    state: str = "running"  # running, done, skipped, failed, deferred


#: Says why a step cannot be decided yet, or None: given its roots and a way to evaluate an expression in its scope.
Undecided = Callable[[frozenset[str], Any, Any], str | None]


class Interpreter:
    """Drives one plan.

    Args:
        inputs: the checked inputs.
        facts: what `run` stands for in references: `id`, `date`, `requester`.
        positional: loops whose rounds are named by their place, as an earlier look at the same run named them.
        undecided: asked before `when` and `for_each` are evaluated; a reason defers the step. Preview gives one.

    `outputs` maps the finished steps to their outputs, `failures` calls to reasons, `deferred` steps to reasons.
    """

    def __init__(
        self,
        plan: Runbook,
        inputs: Mapping[str, Plain],
        facts: Mapping[str, Plain],
        *,
        positional: Collection[str] = (),
        undecided: Undecided | None = None,
    ) -> None:
        self._positional = positional
        self.plan = plan
        self.outputs: dict[str, Plain] = {}
        self.failures: dict[str, str] = {}
        self.deferred: dict[str, str] = {}
        self.skipped: set[str] = set()
        self._base: dict[str, Plain] = {"inputs": dict(inputs), "run": dict(facts)}
        self._undecided = undecided
        self._ready: deque[Ready] = deque()
        self._open: dict[str, Ready] = {}
        self._reads: dict[tuple[str, int], frozenset[str]] = {}
        self._needs = {name: dependencies(step) & plan.steps.keys() for name, step in plan.steps.items()}
        self._dependents: dict[str, list[str]] = {name: [] for name in plan.steps}
        for name, needs in self._needs.items():
            for need in needs:
                self._dependents[need].append(name)
        self._steps = {name: _StepState(waits=len(needs)) for name, needs in self._needs.items()}
        self._finished: deque[tuple[str, str]] = deque()
        self._spreading = False
        for name, needs in self._needs.items():
            if not needs:
                self._start(name)

    def take(self) -> list[Ready]:
        """The calls that became ready since the last time."""
        taken = list(self._ready)
        self._ready.clear()
        self._open.update((call.id, call) for call in taken)
        return taken

    @property
    def idle(self) -> bool:
        """Whether nothing is ready or under way: finished, or all the rest is deferred or blocked."""
        return not self._ready and not self._open

    def state_of(self, step: str) -> str:
        """`waiting`, `running`, `done`, `skipped`, `failed`, `blocked` or `deferred`."""
        return self._steps[step].state

    def succeed(self, call: str, output: Plain) -> None:
        """A call that was taken has its output."""
        ready = self._open.pop(call)
        self._settle(ready, "done", output)

    def fail(self, call: str, reason: str) -> None:
        """A call failed, and it is known that nothing happened: the next way is tried, if there is one."""
        ready = self._open.pop(call)
        self.failures[call] = reason
        ways = self.plan.steps[ready.step].ways
        if ready.way + 1 < len(ways):
            self._prepare(ready.step, ready.round, ready.way + 1, ready.reads)
        else:
            self._settle(ready, "failed", None)

    def defer(self, call: str, reason: str) -> None:
        """A call cannot be looked at before others have really run; so can none that waits for its step."""
        ready = self._open.pop(call)
        self.deferred.setdefault(ready.step, reason)
        self._settle(ready, "deferred", None)

    def other_way(self, call: Ready, way: int) -> Ready:
        """A call's alternative, for looking at it; it is not under way.

        Raises:
            BadReference: its arguments cannot be evaluated.
        """
        other = self.plan.steps[call.step].ways[way]
        scope = self._steps[call.step].rounds[call.round].scope
        return Ready(
            call_id(call.step, call.round, way),
            call.step,
            call.round,
            way,
            other.action,
            self.plan.connection_of(other),
            {name: resolve(value, scope) for name, value in other.arguments.items()},  # type: ignore[arg-type]
            call.reads | self._read_by(call.step, way),
        )

    def drop(self, call: str) -> None:
        """A call ends without an outcome, as when the run stops; what waits for it never starts."""
        self._open.pop(call)

    def scope(self) -> Any:
        """What references after the last step see: every output."""
        return Scope(self._base)

    # How steps start

    def _start(self, name: str) -> None:
        step = self.plan.steps[name]
        state = self._steps[name]
        state.state = "running"
        chosen = roots(step.when) | roots(step.for_each) | frozenset(step.after)
        reads = chosen & self.plan.steps.keys()
        try:
            if self._undecided is not None and (reason := self._why_undecided(step)):
                self.deferred.setdefault(name, reason)
                self._finish(name, "deferred")
                return
            if step.for_each is None:
                self._single(name, step, reads)
            else:
                self._rounds(name, step, reads)
        except BadReference as error:
            self.failures[name] = str(error)
            self._finish(name, "failed")

    def _why_undecided(self, step: Step) -> str | None:
        assert self._undecided is not None
        scope = Scope(self._base)
        for template in (step.for_each, step.when):
            if isinstance(template, str | list) and "each" not in roots(template) | roots_index(template):
                reason = self._undecided(roots(template), template, scope)
                if reason:
                    return reason
        return None

    def _single(self, name: str, step: Step, reads: frozenset[str]) -> None:
        scope = Scope(self._base)
        if step.when is not None and not true(resolve(step.when, scope)):  # type: ignore[arg-type]
            self._finish(name, "skipped")
            return
        state = self._steps[name]
        state.rounds[""] = _Round(scope)
        state.open = 1
        self._prepare(name, "", 0, reads)

    def _rounds(self, name: str, step: Step, reads: frozenset[str]) -> None:
        scope = Scope(self._base)
        by_item = bool({"each", "index"} & roots(step.when))
        if step.when is not None and not by_item and not true(resolve(step.when, scope)):  # type: ignore[arg-type]
            self._finish(name, "skipped")
            return
        items = resolve(step.for_each, scope)  # type: ignore[arg-type]
        if not isinstance(items, list):
            found = "null" if items is None else type(items).__name__
            raise BadReference(f"for_each of {name}: a list was expected, not {found}: {step.for_each}")
        by_place = name in self._positional or holds_placeholder(items)
        keys = [f"#{index + 1}" for index in range(len(items))] if by_place else round_keys(items, step.key)
        state = self._steps[name]
        state.open = len(items)
        for index, (key, item) in enumerate(zip(keys, items, strict=True)):
            state.rounds[key] = _Round(Scope(self._base, item, index, looped=True))
        if not items:
            self._finish(name, "done")
        for key in keys:
            one = state.rounds[key]
            if by_item and not true(resolve(step.when, one.scope)):  # type: ignore[arg-type]
                self._close(name, key, "skipped", None)
            else:
                self._prepare(name, key, 0, reads)

    def _prepare(self, name: str, key: str, way: int, reads: frozenset[str]) -> None:
        seed = Ready(call_id(name, key, way), name, key, way, "", "", {}, reads)
        try:
            self._ready.append(self.other_way(seed, way))
        except BadReference as error:
            self._open[seed.id] = seed
            used = reads | self._read_by(name, way)
            reason = self._undecided(used, None, None) if self._undecided is not None else None
            if reason:
                self.defer(seed.id, reason)
            else:
                self.fail(seed.id, str(error))

    def _read_by(self, name: str, way: int) -> frozenset[str]:
        """The steps that a call's arguments read; the same for each of its rounds."""
        known = self._reads.get((name, way))
        if known is None:
            known = roots(self.plan.steps[name].ways[way].arguments) & self.plan.steps.keys()
            self._reads[name, way] = known
        return known

    # How steps end

    def _settle(self, ready: Ready, state: str, output: Plain) -> None:
        self._close(ready.step, ready.round, state, output)

    def _close(self, name: str, key: str, state: str, output: Plain) -> None:
        step = self._steps[name]
        step.rounds[key].state = state
        step.rounds[key].output = output
        step.open -= 1
        if step.open:
            return
        states = {one.state for one in step.rounds.values()}
        for worst in ("failed", "deferred"):
            if worst in states:
                self._finish(name, worst)
                return
        self._finish(name, "skipped" if states == {"skipped"} and "" in step.rounds else "done")

    def _finish(self, name: str, state: str) -> None:
        step = self._steps[name]
        step.state = state
        if state in ("done", "skipped"):
            if self.plan.steps[name].for_each is not None:
                output: Plain = [one.output for one in step.rounds.values() if one.state == "done"]
            else:
                output = step.rounds[""].output if "" in step.rounds else None
            self.outputs[name] = self._base[name] = output
            if state == "skipped":
                self.skipped.add(name)
        # Not recursive: ten thousand steps in a row may be skipped, deferred or blocked at once.
        self._finished.append((name, state))
        if not self._spreading:
            self._spreading = True
            while self._finished:
                ended, how = self._finished.popleft()
                for dependent in self._dependents[ended]:
                    self._arrived(dependent, ended, how)
            self._spreading = False

    def _arrived(self, dependent: str, need: str, state: str) -> None:
        waiting = self._steps[dependent]
        waiting.waits -= 1
        if waiting.state != "waiting":
            return
        if state in ("failed", "blocked"):
            self._finish(dependent, "blocked")
        elif state == "deferred":
            self.deferred.setdefault(dependent, f"waits for {need}")
            self._finish(dependent, "deferred")
        elif waiting.waits == 0:
            self._start(dependent)


def call_id(step: str, key: str, way: int) -> str:
    """`move[4500000017]~1`."""
    return f"{step}{f'[{key}]' if key else ''}{f'~{way}' if way else ''}"


def unmet(plan: Runbook, scope: Any) -> list[str]:
    """The expressions of `ensures` that do not hold in a scope, with the reason where one cannot be evaluated."""
    found: list[str] = []
    for expression in plan.ensures:
        try:
            if not true(resolve(expression, scope)):
                found.append(expression)
        except BadReference as error:
            found.append(str(error))
    return found
