"""What the benchmarks run: a system that is a dict in memory, and plans over it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from banksman import ABSENT, Change, Closed, Connection, Connector, Effect, Record, Sent, Wiring, _gate, action, write
from banksman._change import call_context
from banksman.catalog import Registry
from banksman.config import Config
from banksman.http import HttpApi
from banksman.http.request import Request, build
from banksman.hub import Hub
from banksman.ledger import Entry
from banksman.plan import Runbook
from banksman.plan import build as build_plan
from banksman.runtime import RunState

DOCS = "https://example.com/rows"


class Memory:
    """An API handle without I/O, so that what is timed is the runtime. Writes pass the gate as they do over HTTP."""

    def __init__(self, records: dict[int, str], pause: float = 0.0) -> None:
        self.records = records
        self.pause = pause
        self.sync = self
        self._reader: Any = None

    def bind(self, reader: Any) -> None:
        """Where `read` goes."""
        self._reader = reader

    async def read(self, found: Any, **arguments: Any) -> Any:
        """Run a read action of the connector."""
        return await self._reader(found, arguments)

    @property
    def call_key(self) -> str:
        """Unique to the call."""
        return call_context().key

    def request(self, method: str, path: str, **parts: Any) -> Request:
        """Build a request and send nothing."""
        return build(method, f"http://memory{path}", **parts)

    async def get(self, path: str) -> Any:
        """Answer a read."""
        number = int(path.rsplit("/", 1)[1])
        return {"id": number, "text": self.records.get(number, "")}

    async def send(self, request: Request) -> Any:
        """Carry out an approved write."""
        _gate.admit(Effect.WRITE, request, request.fingerprint, request.summary())
        if self.pause:
            await asyncio.sleep(self.pause)
        return Answer(self.put(request.url, request.content))

    def put(self, url: str, content: bytes) -> dict[str, Any]:
        """Take a new text."""
        number = int(url.rsplit("/", 1)[1])
        self.records[number] = json.loads(content)["text"]
        return {"id": number, "text": self.records[number]}

    async def serve(self, request: httpx.Request) -> httpx.Response:
        """The same behind the HTTP seam, still in this process."""
        if request.method == "GET":
            return httpx.Response(200, json=await self.get(request.url.path))
        return httpx.Response(200, json=self.put(request.url.path, request.content))

    @contextlib.asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Nothing is held around a preview."""
        yield

    async def aclose(self) -> None:
        """Nothing is open."""


class Answer:
    """What the system said."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def json(self) -> dict[str, Any]:
        """The parsed body."""
        return self._body


class Row(Record):
    """One row."""

    id: Closed[int]
    text: str


@action("rows.get", effect=Effect.READ, docs=DOCS, entity="Row", key=("id",))
async def get(api: Any, id: int) -> Row:
    """One row."""
    return Row.model_validate(await api.get(f"/rows/{id}"))


@action("rows.next", effect=Effect.READ, docs=DOCS)
async def following(api: Any, n: int) -> int:
    """The next number."""
    return n + 1


def _undo(receipt: Any) -> Any:
    return put.call(id=receipt.before["id"], text=receipt.before["text"])


async def _reconcile(api: Any, sent: Sent[Row]) -> Any:
    found = await get(api, sent.arguments["id"])
    return found if found.text == sent.arguments["text"] else ABSENT


@write("rows.put", effect=Effect.WRITE, targets=("id",), docs=DOCS, undo=_undo, reconcile=_reconcile, entity="Row")
async def put(api: Any, id: int, text: str) -> Change[Row]:
    """Set the text of a row."""
    old = await api.read(get, id=id)
    request = api.request("PUT", f"/rows/{id}", json={"text": text})
    new = {"id": id, "text": text}
    return Change(
        entity="Row",
        key=id,
        before={"id": old.id, "text": old.text},
        after=new,
        requests=(request,),
        result=new,
        receive=lambda answer: Row.model_validate(answer.json()),
    )


def connector(pause: float = 0.0, *, http: bool = False) -> tuple[Connector, Memory]:
    """The system, and what it holds; reached without I/O, or through the whole HTTP seam down to the transport."""
    memory = Memory({}, pause)

    def opened(held: Connector, connection: Connection, wiring: Wiring) -> Any:
        if http:
            return HttpApi("http://memory", inner=httpx.MockTransport(memory.serve))
        return memory

    actions = [get, following, put]
    return Connector(name="rows", title="Rows", docs=DOCS, actions=actions, settle=0.0, open=opened), memory


class Clerk:
    """Approves every preview by flag as soon as it is recorded, and notes when a run used the approval and ended."""

    def __init__(self) -> None:
        self.hub: Hub | None = None
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.intended: dict[str, list[float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, state: RunState, entry: Entry) -> None:
        """Take note of an entry; given to a hub as `progress`."""
        if entry.kind == "run.previewed" and state.preview is not None and not state.preview.is_empty:
            assert self.hub is not None
            task = asyncio.ensure_future(self.hub.approve(entry.run, state.preview.digest, how="flag"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif entry.kind == "call.intended":
            self.intended.setdefault(entry.run, []).append(time.perf_counter())
        elif entry.kind == "stage.begun":
            self.began[entry.run] = time.perf_counter()
        elif entry.kind == "run.ended":
            self.ended[entry.run] = time.perf_counter()

    def stage(self, run: str) -> float:
        """Seconds from the use of the approval to the end of the run."""
        return self.ended[run] - self.began[run]

    def cycle(self, run: str) -> float:
        """Median seconds from one intent on record to the next."""
        times = self.intended[run]
        return statistics.median(later - earlier for earlier, later in pairwise(times))


def hub(folder: Path, system: Connector, clerk: Clerk, database: str | None = None, **more: Any) -> Hub:
    """A hub with that one system, which runs may use without a person."""
    connections = {f"{system.name}:a": {"environment": "test", "unattended": True}}
    config = Config(None, folder, database=database, connections=connections, user="benchmark")
    clerk.hub = Hub(config, registry=Registry((system,)), progress=clerk, **more)
    return clerk.hub


def plan(steps: dict[str, Any], **more: Any) -> Runbook:
    """A plan over the connection `rows:a`."""
    return build_plan({"name": "benchmark", "steps": steps, **more})


def puts(count: int, *, after: bool = True, offset: int = 0) -> dict[str, Any]:
    """Steps that write different rows, one after the other."""
    return {
        f"s{n}": {
            "action": "rows.rows.put",
            "on": "rows:a",
            "with": {"id": offset + n, "text": f"text of {n}"},
            "after": [f"s{n - 1}"] if after and n else [],
        }
        for n in range(count)
    }


async def carry_out(place: Hub, what: Runbook, inputs: dict[str, Any] | None = None) -> str:
    """Create a run, wait until it is done, and return its id."""
    run = await place.create(what, inputs)
    state = await place.carry_out(run)
    if state.status != "done":
        raise RuntimeError(f"run {run} is {state.status}: {state.why}")
    return run
