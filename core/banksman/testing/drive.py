"""One action carried through as the hub does it, without a hub: look, send, read back, take back, find again.

opened = OpenConnection(connector, connection, connector.open(connector, connection, wiring))
done = await carry_out(opened, await opened.action("slack.messages.post"), {"channel": "#general", "text": "hi"})
done.output, await read_back(opened, done)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from banksman import _gate
from banksman._action import Action
from banksman._canonical import Plain, plain
from banksman._change import CallContext, Change, Irreversible, Receipt, Sent, preparing
from banksman._connector import OpenConnection, is_verdict
from banksman._record import PENDING, fill_pending
from banksman.errors import NotFound, UsageError
from banksman.preview import differences, undo_of

#: Stands in plain values for `PENDING`: what only the system knows. A private character, so no system sends it.
PENDING_TEXT = "\ue000pending"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A write that was carried out. `output` is plain."""

    action: Action[Any, Any]
    arguments: Mapping[str, Plain]
    change: Change[Any]
    output: Plain

    @property
    def receipt(self) -> Receipt[Any]:
        """What its undo is computed from, with the values that came to be."""
        after = _filled(shown(self.change.after), self.output)
        return Receipt(arguments=self.arguments, before=shown(self.change.before), after=after, result=self.output)


async def read(opened: OpenConnection, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Plain:
    """The plain output of a read action."""
    return plain(await opened.read(action, arguments))


async def prepare(
    opened: OpenConnection, action: Action[Any, Any], arguments: Mapping[str, Any], *, key: str = "drive"
) -> Change[Any]:
    """The change that a write would make; nothing is sent. `key` is what `api.call_key` gives."""
    with preparing(CallContext(key=key)):
        return await opened.prepare(action, arguments)


async def send(opened: OpenConnection, action: Action[Any, Any], change: Change[Any], *, key: str = "drive") -> Plain:
    """Send a prepared change, and nothing else; its plain output."""
    with preparing(CallContext(key=key)), _gate.sending(request.fingerprint for request in change.requests):
        return plain(await opened.send(action, change))


async def send_bare(opened: OpenConnection, request: Any) -> None:
    """Send a request that is no action of the connector: to bring a system into a state that a test needs."""
    with _gate.sending([request.fingerprint]):
        await opened.api.send(request)


async def carry_out(
    opened: OpenConnection, action: Action[Any, Any], arguments: Mapping[str, Any], *, key: str = "drive"
) -> Done:
    """Prepare a write and send it."""
    change = await prepare(opened, action, arguments, key=key)
    output = await send(opened, action, change, key=key)
    return Done(action=action, arguments=plain(arguments), change=change, output=output)


async def take_back(
    opened: OpenConnection, done: Done, *, key: str = "drive-undo"
) -> tuple[Done | None, dict[str, str]]:
    """Carry out the undo of a write. None where it has none; the second value says how it is taken back."""
    call, how = undo_of(done.action, done.receipt)
    if call is None:
        return None, dict(how)
    action = opened.connector.own(call.action)
    return await carry_out(opened, action, call.arguments, key=key), dict(how)


async def find_again(
    opened: OpenConnection,
    action: Action[Any, Any],
    arguments: Mapping[str, Any],
    change: Change[Any],
    *,
    key: str,
    since: datetime,
) -> tuple[str, Plain]:
    """What reconcile says of a write whose answer was lost: `("found", output)`, or `("ABSENT" | "UNSURE", None)`."""
    after = shown(change.after)
    sent = Sent[Any](
        arguments=plain(arguments),
        before=shown(change.before),
        after=None if after is None else {k: _unknown_as_none(value) for k, value in after.items()},
        requests=tuple(request.canonical() for request in change.requests),
        key=key,
        since=since,
    )
    with preparing(CallContext(key=key)):
        found = await opened.reconcile(action, sent)
    return (repr(found), None) if is_verdict(found) else ("found", plain(found))


async def read_back(opened: OpenConnection, done: Done) -> Mapping[str, Plain] | None:
    """The record that a write was about, as it is now; None: it is not there.

    Raises:
        UsageError: no read action gives this kind of record by its key.
    """
    reader, arguments = await _reader(opened, done)
    try:
        found = await read(opened, reader, arguments)
    except NotFound:
        return None
    if not isinstance(found, Mapping):
        raise UsageError(f"{reader.full_name} gives no record")
    return found


async def _reader(opened: OpenConnection, done: Done) -> tuple[Action[Any, Any], dict[str, Plain]]:
    change = done.change
    for action in (await opened.actions()).values():
        if action.entity == change.entity and action.key and not action.effect.changes:
            key = _real_key(change, done.output)
            named = key if isinstance(key, Mapping) else {action.key[0]: key}
            if set(named) == set(action.key):
                return action, dict(named)
    raise UsageError(f"no read action gives a {change.entity} by the key {change.key!r}")


def _real_key(change: Change[Any], output: Plain) -> Plain:
    """The key, pending parts taken from the output as the preview does it: by name, else the first pending field."""
    result = shown(change.result)
    pending = [name for name, value in result.items() if value == PENDING_TEXT] if isinstance(result, Mapping) else []

    def real(value: Any, name: str) -> Plain:
        if value is not PENDING:
            return plain(value)
        if not isinstance(output, Mapping):
            return output
        chosen = name if name in output else pending[0] if pending else ""
        if chosen not in output:
            raise UsageError(f"the key {name or change.entity!r} of the new record is not in the output")
        return output[chosen]

    if isinstance(change.key, Mapping):
        return {name: real(value, name) for name, value in change.key.items()}
    return real(change.key, "")


def shown(value: Any) -> Plain:
    """The plain form, `PENDING_TEXT` where only the system knows."""
    return plain(fill_pending(value, lambda path: PENDING_TEXT))  # type: ignore[arg-type, return-value]


def _unknown_as_none(value: Plain) -> Plain:
    if value == PENDING_TEXT:
        return None
    if isinstance(value, Mapping):
        return {name: _unknown_as_none(item) for name, item in value.items()}
    return [_unknown_as_none(item) for item in value] if isinstance(value, list) else value


def _filled(after: Plain, output: Plain) -> Plain:
    """A predicted after-image with the pending fields that the output tells."""
    if not isinstance(after, Mapping) or not isinstance(output, Mapping):
        return after
    return {name: output.get(name) if value == PENDING_TEXT else value for name, value in after.items()}


def mispredicted(predicted: Plain, actual: Plain) -> list[str]:
    """Each field that came out otherwise than it was shown; what was pending, and what was not shown, is left out."""
    if isinstance(predicted, Mapping) and isinstance(actual, Mapping):
        actual = {name: actual[name] for name in predicted if name in actual}
    return [
        f"{path or 'it'}: shown {was!r}, came to be {now!r}"
        for path, was, now in differences(predicted, actual)
        if was != PENDING_TEXT
    ]


def is_irreversible(action: Action[Any, Any]) -> bool:
    """Whether a write says that it cannot be taken back."""
    return isinstance(action.undo, Irreversible)
