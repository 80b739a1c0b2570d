"""A board of notes in memory, whose answers can be lost, late or refused; and a hub over it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from banksman import (
    ABSENT,
    PENDING,
    Change,
    Closed,
    Compensation,
    Connector,
    Effect,
    Irreversible,
    NativeKey,
    Record,
    Unknowable,
    _gate,
    action,
    write,
)
from banksman._canonical import plain
from banksman._change import call_context
from banksman.catalog import Registry
from banksman.config import Config
from banksman.errors import Conflict, NotFound, OutcomeUnknown, Rejected, Unavailable
from banksman.hub import Hub
from banksman.plan import build

DOCS = "https://board.example"


class Note(Record):
    id: Closed[int]
    text: str


class Pin:
    """A request of the board."""

    def __init__(self, verb, id, text, marker):
        self.verb, self.id, self.text, self.marker = verb, id, text, marker

    @property
    def fingerprint(self):
        return repr((self.verb, self.id, self.text, self.marker))

    def canonical(self):
        return {"verb": self.verb, "id": plain(self.id), "text": self.text}

    def summary(self):
        return f"{self.verb} {self.id}"


@dataclass
class Board:
    """The system, and its API handle at once.

    `script` says how the next writes go, or those of some texts: `ok`, `lost` (no effect, no answer), `unheard` (done,
    no answer), `late` (no answer, done after `delay`), `refused`, `busy`, `broken` (done, then the client's code
    breaks), `slow`.
    """

    notes: dict = field(default_factory=dict)
    #: What took effect, in order: (verb, id, text, marker).
    done: list = field(default_factory=list)
    script: list = field(default_factory=list)
    delay: float = 0.3
    #: What happened, in order, for tests of the order.
    events: list = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    #: How a reconcile is answered instead of by looking: an exception, or None.
    deaf: object = None
    before_send: object = None

    def __post_init__(self):
        self._ids = itertools.count(1)
        self._keys = {}
        self._reader = None
        self.sync = self
        self.later = set()

    def bind(self, reader):
        self._reader = reader

    async def read(self, found, **arguments):
        return await self._reader(found, arguments)

    @property
    def call_key(self):
        return call_context().key

    def note(self, id):
        if id not in self.notes:
            raise NotFound(f"there is no note {id}")
        return self.notes[id]

    def written(self, marker):
        return [one for one in self.done if one[3] == marker]

    def _do(self, pin, keyed):
        if keyed and pin.marker in self._keys:
            return self._keys[pin.marker]
        id = next(self._ids) if pin.verb == "create" else pin.id
        if pin.verb != "create":
            self.note(id)
        if pin.verb == "delete":
            del self.notes[id]
        else:
            self.notes[id] = pin.text
        self.done.append((pin.verb, id, pin.text, pin.marker))
        self._keys[pin.marker] = {"id": id, "text": pin.text}
        return self._keys[pin.marker]

    async def send(self, pin):
        _gate.admit(Effect.WRITE, pin, pin.fingerprint, pin.summary())
        self.events.append(("sent", pin.text))
        if self.before_send:
            self.before_send(pin)
        keyed = pin.verb == "create" and pin.text.startswith("keyed")
        how = "ok"
        if self.script:
            how = self.script.pop(pin.text, "ok") if isinstance(self.script, dict) else self.script.pop(0)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.delay if how == "slow" else 0)
        finally:
            self.under_way -= 1
        if how == "lost":
            raise OutcomeUnknown("no answer")
        if how == "late":
            self.later.add(asyncio.get_running_loop().call_later(self.delay, self._do, pin, keyed))
            raise OutcomeUnknown("no answer")
        if how == "refused":
            raise Rejected("the board does not like it")
        if how == "conflict":
            raise Conflict("it is being worked on")
        if how == "busy":
            raise Unavailable("the board is full just now")
        answer = self._do(pin, keyed)
        if how == "unheard":
            raise OutcomeUnknown("no answer")
        if how == "broken":
            raise RuntimeError("a fault in the client")
        return answer

    @asynccontextmanager
    async def rehearsal(self):
        yield

    async def aclose(self):
        pass


async def _find(api, sent):
    if api.deaf:
        raise api.deaf
    found = api.written(sent.key)
    return Note(id=found[0][1], text=found[0][2]) if found else ABSENT


@action("notes.get", effect=Effect.READ, docs=DOCS, entity="Note", key=("id",))
async def get(api, id: int) -> Note:
    """One note."""
    return Note(id=id, text=api.note(id))


@action("notes.list", effect=Effect.READ, docs=DOCS, entity="Note", key_fields=("id",))
async def listed(api) -> list[Note]:
    """All notes."""
    return [Note(id=id, text=text) for id, text in api.notes.items()]


def _create(api, text):
    pin = Pin("create", None, text, api.call_key)
    new = {"id": PENDING, "text": text}
    return Change(
        entity="Note", key=PENDING, before=None, after=new, requests=(pin,), result=new, receive=Note.model_validate
    )


def _undo_create(receipt):
    return delete.call(id=receipt.result["id"])


@write("notes.create", effect=Effect.WRITE, targets=(), docs=DOCS, undo=_undo_create, reconcile=_find, entity="Note")
async def create(api, text: str) -> Change[Note]:
    """Create a note."""
    return _create(api, text)


@write(
    "notes.keyed",
    effect=Effect.WRITE,
    targets=(),
    docs=DOCS,
    undo=_undo_create,
    reconcile=NativeKey("Idempotency-Key", remembers=60.0),
    entity="Note",
)
async def keyed(api, text: str) -> Change[Note]:
    """Create a note; the board itself knows the key."""
    return _create(api, f"keyed {text}")


@write(
    "notes.shout",
    effect=Effect.SEND,
    targets=(),
    docs=DOCS,
    undo=Irreversible("it was heard"),
    reconcile=Unknowable("nobody writes down what was shouted"),
    entity="Shout",
)
async def shout(api, text: str) -> Change[Note]:
    """Say something that cannot be looked up."""
    return _create(api, text)


@write(
    "notes.charge",
    effect=Effect.SEND,
    targets=(),
    docs=DOCS,
    undo=Compensation(
        lambda receipt: create.call(text=f"refund of {receipt.arguments['text']}"), leaves="both entries"
    ),
    reconcile=_find,
    entity="Charge",
)
async def charge(api, text: str) -> Change[Note]:
    """Do something that can only be made good."""
    return _create(api, text)


def _restore(receipt):
    return update.call(id=receipt.before["id"], text=receipt.before["text"])


@write("notes.update", effect=Effect.WRITE, targets=("id",), docs=DOCS, undo=_restore, reconcile=_find, entity="Note")
async def update(api, id: int, text: str) -> Change[Note]:
    """Change a note."""
    old = await api.read(get, id=id)
    return Change(
        entity="Note",
        key=id,
        before={"id": old.id, "text": old.text},
        after={"id": old.id, "text": text},
        requests=(Pin("update", id, text, api.call_key),),
        result={"id": old.id, "text": text},
        receive=Note.model_validate,
    )


@write(
    "notes.delete",
    effect=Effect.WRITE,
    targets=("id",),
    docs=DOCS,
    undo=Irreversible("its number is not given out again"),
    reconcile=_find,
    entity="Note",
)
async def delete(api, id: int) -> Change[Note]:
    """Delete a note."""
    old = await api.read(get, id=id)
    return Change(
        entity="Note",
        key=id,
        before={"id": old.id, "text": old.text},
        after=None,
        requests=(Pin("delete", id, old.text, api.call_key),),
        result={"id": old.id, "text": old.text},
        receive=Note.model_validate,
    )


def connector(board: Board, settle: float) -> Connector:
    return Connector(
        name="board",
        title="Board",
        docs=DOCS,
        actions=[get, listed, create, keyed, shout, charge, update, delete],
        settle=settle,
        open=lambda connector, connection, wiring: board,
    )


def plan(**steps):
    """A plan; each step is `action`, `with`, and what else it says."""
    document = {"name": "t", "steps": {name: {"on": "board:a", **deepcopy(step)} for name, step in steps.items()}}
    for step in document["steps"].values():
        step["action"] = f"board.notes.{step['action']}"
        for other in step.get("else_try", ()):
            other.update(action=f"board.notes.{other['action']}", on="board:a")
    return build(document)


class Desk:
    """Hubs over one board and one place; the first look of each run is approved unless it is said otherwise."""

    def __init__(self, folder: Path, database: str | None = None, *, settle: float = 0.2, board: Board | None = None):
        self.board = board or Board()
        self.config = Config(
            None,
            folder,
            database=database,
            connections={"board:a": {"environment": "test", "unattended": True}},
            user="me",
        )
        self.settle = settle
        self.approves = True
        #: Called with each state and entry.
        self.watch = None
        self._tasks = set()

    def hub(self, *, durable: bool = False) -> Hub:
        hub = Hub(self.config, registry=Registry((connector(self.board, self.settle),)), durable=durable)

        def progress(state, entry):
            self.board.events.append((entry.kind, entry.call))
            if self.watch:
                self.watch(state, entry)
            if self.approves and entry.kind == "run.previewed" and state.preview.items:
                task = asyncio.ensure_future(hub.approve(entry.run, state.preview.digest, how="flag"))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        hub.progress = progress
        return hub


async def carry_out(hub: Hub, what, **more):
    """Create a run and carry it as far as it goes."""
    return await hub.carry_out(await hub.create(what, **more))


async def until(hub: Hub, run: str, test, seconds: float = 15.0):
    """The run's state once it passes a test."""
    for _ in range(int(seconds / 0.02)):
        state = hub.state(run)
        if test(state):
            return state
        await asyncio.sleep(0.02)
    raise AssertionError(
        f"run {run} is {state.status}: {state.why}; {[(c.id, c.status) for c in state.calls.values()]}"
    )


def kinds(hub: Hub, run: str, call: str | None = None) -> list[str]:
    """The kinds of a run's entries, those of one call if it is named."""
    return [entry.kind for entry in hub.ledger.entries(run) if call is None or entry.call == call]
