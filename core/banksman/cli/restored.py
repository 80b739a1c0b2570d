"""What an undo has brought back: each record as it was before, held against what the inverse has left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from banksman._canonical import Plain
from banksman.preview import ABSENT_FIELD, differences
from banksman.runtime import CallState, RunState, UndoPlan, receipt_of


@dataclass(frozen=True)
class Restored:
    """One write and what became of it.

    Attributes:
        how: `restored`, `partly` (some fields are different now), `stays` (it was not taken back).
        fields: the paths that are as they were before, where the write had changed them.
        others: path, what it was before the write, what it is now.
        why: for what stays.
    """

    call: str
    entity: str
    how: str
    fields: tuple[str, ...] = ()
    others: tuple[tuple[str, Plain, Plain], ...] = ()
    why: str = ""

    def document(self) -> dict[str, Any]:
        """The plain form."""
        others = [
            {"path": path, "before": None if was is ABSENT_FIELD else was, "now": None if now is ABSENT_FIELD else now}
            for path, was, now in self.others
        ]
        fields = {"call": self.call, "entity": self.entity, "how": self.how, "restored": list(self.fields)}
        return {**fields, "different": others, "why": self.why}


def restored(state: RunState, inverse: UndoPlan, undone: RunState) -> list[Restored]:
    """What became of each write of a run, latest first."""
    by_call = _inverses(inverse, undone)
    found: list[Restored] = []
    for call in reversed(state.of_status("confirmed")):
        entity = str(call.intent.get("entity", ""))
        taken_back = by_call.get(call.id)
        if call.id in inverse.stays:
            found.append(Restored(call.id, entity, "stays", why=inverse.stays[call.id]))
        elif taken_back is None or taken_back.status != "confirmed":
            why = taken_back.error if taken_back is not None and taken_back.error else "its inverse has not run"
            found.append(Restored(call.id, entity, "stays", why=why))
        else:
            found.append(_compare(state, call, undone, taken_back, entity, inverse.leaves.get(call.id, "")))
    return found


def _inverses(inverse: UndoPlan, undone: RunState) -> dict[str, CallState]:
    """The inverse call of each original one; its step says whose it is."""
    found: dict[str, CallState] = {}
    for name, step in (inverse.plan.steps if inverse.plan else {}).items():
        original = step.description.removeprefix("takes back ")
        if name in undone.calls:
            found[original] = undone.calls[name]
    return found


def _compare(
    state: RunState, call: CallState, undone: RunState, taken_back: CallState, entity: str, leaves: str
) -> Restored:
    receipt, inverse = receipt_of(state, call), receipt_of(undone, taken_back)
    before, after = receipt.before, _answered(inverse.after, taken_back.output)
    touched = [path for path, _, _ in differences(before or {}, receipt.after or {})]
    if before is None:
        others = differences({}, after or {})
    elif receipt.after is None:
        # Of a record that was made anew only what it had before can be compared.
        others = differences(before, {name: value for name, value in (after or {}).items() if name in before})
    else:
        written = _changed(before, before, receipt.after)
        others = differences(before, _changed(written, inverse.before or {}, after or {}))
    different = {path for path, _, _ in others}
    fields = tuple(path for path in touched if path not in different)
    return Restored(call.id, entity, "partly" if others or leaves else "restored", fields, tuple(others), leaves)


def _answered(foretold: Mapping[str, Plain] | None, output: Plain) -> Mapping[str, Plain] | None:
    """A foretold image, corrected by the values that the system gave back under the same names."""
    if foretold is None or not isinstance(output, Mapping):
        return foretold
    corrected = {
        name: output[name]
        for name, value in foretold.items()
        if name in output and not isinstance(value, Mapping | list) and not isinstance(output[name], Mapping | list)
    }
    return {**foretold, **corrected}


def _changed(base: Mapping[str, Plain], was: Mapping[str, Plain], now: Mapping[str, Plain]) -> dict[str, Plain]:
    """`base` after a write that shows what `was` there and what is there `now`; what it does not show it left alone."""
    out = dict(base)
    for name in dict.fromkeys((*was, *now)):
        if name not in now:
            out.pop(name, None)
        elif isinstance(out.get(name), Mapping) and isinstance(now[name], Mapping):
            earlier = was.get(name)
            out[name] = _changed(out[name], earlier if isinstance(earlier, Mapping) else {}, now[name])
        else:
            out[name] = now[name]
    return out
