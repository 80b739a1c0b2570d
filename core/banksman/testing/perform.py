"""One situation performed: what came of it, as a recording states it, and every promise that it broke."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from banksman._action import Action
from banksman._canonical import Plain, encode, plain
from banksman._change import Change, NativeKey, Unknowable
from banksman._connector import OpenConnection
from banksman.errors import CallError, OutcomeUnknown, UsageError
from banksman.testing import drive
from banksman.testing.situations import judge


@dataclass(kw_only=True)
class Observed:
    """What came of one situation.

    Attributes:
        came: JSON; what a recording expects.
        problems: promises of the connector that were broken.
        done: the write, where it was carried out and not taken back.
        unread: why the record could not be read back, where that was tried and no action does.
    """

    came: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    done: drive.Done | None = None
    unread: str | None = None


async def perform(
    opened: OpenConnection,
    action: Action[Any, Any],
    arguments: Mapping[str, Any],
    situation: str,
    *,
    key: str,
    since: datetime,
) -> Observed:
    """Perform one situation on a connection, real or replayed."""
    observed = Observed()
    try:
        if not action.effect.changes:
            observed.came["output"] = as_json(await drive.read(opened, action, arguments))
        else:
            await _write(opened, action, arguments, situation, observed, key=key, since=since)
    except CallError as error:
        observed.came |= {"error": type(error).__name__, "code": error.code}
    observed.problems += judge(action, situation, observed.came)
    return observed


async def _write(
    opened: OpenConnection,
    action: Action[Any, Any],
    arguments: Mapping[str, Any],
    situation: str,
    observed: Observed,
    *,
    key: str,
    since: datetime,
) -> None:
    change = await drive.prepare(opened, action, arguments, key=key)
    observed.came["change"] = _change_document(change)
    observed.problems += _keyed(action, change)
    try:
        output = await drive.send(opened, action, change, key=key)
    except OutcomeUnknown as error:
        if not situation.startswith("timeout"):
            raise
        observed.came |= {"error": "OutcomeUnknown", "code": error.code}
        await _find_again(opened, action, arguments, change, observed, key=key, since=since)
        return
    observed.came["output"] = as_json(output)
    observed.problems += [f"predicted output: {one}" for one in drive.mispredicted(drive.shown(change.result), output)]
    done = drive.Done(action=action, arguments=plain(arguments), change=change, output=output)
    await _look_back(opened, done, observed, key=key)


def _keyed(action: Action[Any, Any], change: Change[Any]) -> list[str]:
    """A native idempotency key has to be on the request, and only where it is declared is a request repeated."""
    problems = []
    for request in change.requests:
        repeated = getattr(request, "idempotent", False)
        if not isinstance(action.reconcile, NativeKey):
            if repeated:
                problems.append(f"{request.summary()} is marked idempotent, and reconcile is no NativeKey")
        elif not repeated or action.reconcile.header.lower() not in request.canonical().get("headers", {}):
            problems.append(f"{request.summary()} bears no {action.reconcile.header} or is not marked idempotent")
    return problems


async def _find_again(
    opened: OpenConnection,
    action: Action[Any, Any],
    arguments: Mapping[str, Any],
    change: Change[Any],
    observed: Observed,
    *,
    key: str,
    since: datetime,
) -> None:
    if isinstance(action.reconcile, Unknowable):
        verdict, output = "UNSURE", None
    elif isinstance(action.reconcile, NativeKey):
        verdict, output = "found", await drive.send(opened, action, change, key=key)
    else:
        verdict, output = await drive.find_again(opened, action, arguments, change, key=key, since=since)
    observed.came["reconcile"] = {"verdict": verdict, "output": as_json(output)}
    if verdict == "found":
        found = drive.mispredicted(drive.shown(change.result), output)
        observed.problems += [f"reconcile found something else: {one}" for one in found]
        observed.done = drive.Done(action=action, arguments=plain(arguments), change=change, output=output)


async def _look_back(opened: OpenConnection, done: drive.Done, observed: Observed, *, key: str) -> None:
    """Hold the preview against the system, then take the write back and hold the before-image against it."""
    try:
        now = await drive.read_back(opened, done)
    except UsageError as error:
        observed.unread = error.message
    else:
        after = drive.shown(done.change.after)
        observed.came["read_back"] = as_json(_part(now, after))
        observed.problems += [f"preview: {one}" for one in _compare(after, now)]
    back, how = await drive.take_back(opened, done, key=f"{key}-undo")
    observed.came["undo"] = {"kind": how["kind"]}
    if back is None:
        observed.done = done
        return
    observed.came["undo"] |= {
        "action": back.action.full_name,
        "arguments": as_json(back.arguments),
        "requests": as_json([request.canonical() for request in back.change.requests]),
    }
    if observed.unread is None and how["kind"] == "inverse":
        restored = await drive.read_back(opened, done)
        before = drive.shown(done.change.before)
        observed.came["undo"]["restored"] = as_json(_part(restored, before))
        observed.problems += [f"undo: {one}" for one in _compare(before, restored)]


def _part(record: Plain, named: Plain) -> Plain:
    if not isinstance(record, Mapping) or not isinstance(named, Mapping):
        return record
    return {name: record[name] for name in named if name in record}


def _compare(shown: Plain, record: Plain) -> list[str]:
    if shown is None or record is None:
        there = {True: "there", False: "not there"}
        return [] if shown is record else [f"shown as {there[shown is not None]}, and is {there[record is not None]}"]
    missing = [f"{name}: shown, and not in what a read gives" for name in shown if name not in record]
    return missing + drive.mispredicted({name: shown[name] for name in shown if name in record}, record)


def _change_document(change: Change[Any]) -> dict[str, Any]:
    return {
        "entity": change.entity,
        "key": as_json(drive.shown(change.key)),
        "before": as_json(drive.shown(change.before)),
        "after": as_json(drive.shown(change.after)),
        "result": as_json(drive.shown(change.result)),
        "requests": as_json([request.canonical() for request in change.requests]),
        "tells": list(change.tells),
        "costs": str(change.costs) if change.costs else None,
        "guarded": change.guarded,
        "notes": list(change.notes),
        "reach": change.reach,
    }


def as_json(value: Plain) -> Any:
    """A plain value as it reads back from a JSON file: exact numbers tagged, pending parts as `(pending)`."""

    def told(item: Plain) -> Plain:
        if isinstance(item, str):
            return "(pending)" if item == drive.PENDING_TEXT else item
        if isinstance(item, Mapping):
            return {name: told(inner) for name, inner in item.items()}
        return [told(inner) for inner in item] if isinstance(item, list | tuple) else item

    return json.loads(encode(told(value)))
