"""What `--json` prints. Decimals become text, so that no digit is lost; secrets are taken out of every text."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from banksman.auth import redact
from banksman.cli.exits import Exit, of_error, of_state

if TYPE_CHECKING:
    from banksman.ledger import Entry
    from banksman.preview import Preview
    from banksman.runtime import CallState, RunState


def dump(document: Any, *, indent: int | None = None) -> str:
    """The JSON text of a document, in ASCII: nothing in it acts on a terminal."""
    return json.dumps(_jsonable(document), indent=indent, ensure_ascii=True, allow_nan=False)


def _jsonable(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value


def error_document(error: BaseException) -> dict[str, Any]:
    """An error: `error`, `hint`, `kind`, `exit`, and `problems` where there are several."""
    document: dict[str, Any] = {
        "error": getattr(error, "message", None) or str(error) or type(error).__name__,
        "hint": getattr(error, "hint", None),
        "kind": type(error).__name__,
        "exit": int(of_error(type(error))),
    }
    for name in ("problems", "gaps", "rule", "action", "connection", "code", "status"):
        if (value := getattr(error, name, None)) is not None:
            document[name] = value
    return document


def preview_document(preview: Preview) -> dict[str, Any]:
    """A preview: what it comes to, its digest, and all that approval covers."""
    from banksman.cli.render.summary import summary_of

    return {
        "run": None if preview.run == "preview" else preview.run,
        "stage": preview.stage,
        "digest": preview.digest,
        "expires": preview.expires,
        "summary": summary_of(preview).document(),
        "preview": preview.document(),
    }


def run_line(state: RunState) -> dict[str, Any]:
    """A run in a list."""
    return {
        "id": state.id,
        "name": state.name,
        "status": state.status,
        "why": state.why,
        "created": state.created,
        "requester": state.requester,
        "goal": state.goal,
        "undoes": state.undoes,
        "undone": state.undone,
        "digest": state.preview.digest if state.waits and state.preview else None,
    }


def run_document(state: RunState, entries: Sequence[Entry] = (), *, code: Exit | None = None) -> dict[str, Any]:
    """All that is known of a run."""
    return {
        **run_line(state),
        "stage": state.stage,
        "model": state.model,
        "inputs": state.inputs,
        "outputs": state.outputs,
        "unmet": state.unmet,
        "calls": [_call(call) for call in sorted(state.calls.values(), key=lambda call: call.order)],
        "approvals": [
            {"digest": one.digest, "by": one.by, "how": one.how, "at": one.at} for one in state.approvals.values()
        ],
        "head": entries[-1].hash if entries else None,
        "exit": int(of_state(state, entries) if code is None else code),
    }


def _call(call: CallState) -> dict[str, Any]:
    intent = call.intent
    document: dict[str, Any] = {"id": call.id, "status": call.status, "output": call.output}
    if intent:
        shown = ("action", "connection", "entity", "effect", "before", "after")
        document |= {name: intent[name] for name in shown} | {"key": intent["record"], "attempts": call.attempts}
    if call.differs:
        document["differs"] = [{"path": path, "shown": shown, "now": now} for path, shown, now in call.differs]
    if call.error:
        document |= {"error": call.error, "kind": call.kind}
    return document


#: Of each kind of entry, what a line of live progress tells besides number, time, kind and call.
_TOLD = {
    "call.read": (),
    "call.intended": ("action", "connection", "entity", "record", "effect"),
    "call.confirmed": ("output", "differs"),
    "call.failed": ("error", "kind", "again"),
    "call.unknown": ("error",),
    "call.handed_over": ("why",),
    "call.settled": ("happened", "by", "note"),
    "approval.given": ("digest", "by", "how"),
    "approval.denied": ("digest", "by", "why"),
    "stage.begun": ("digest",),
    "run.paused": ("why",),
    "run.ended": ("status", "why", "unmet"),
}


def entry_line(entry: Entry) -> dict[str, Any]:
    """A line of live progress: what was recorded of a run."""
    body = entry.body
    told = {name: body[name] for name in _TOLD.get(entry.kind, ()) if name in body}
    return {"event": entry.kind, "run": entry.run, "number": entry.number, "at": entry.at, "call": entry.call, **told}
