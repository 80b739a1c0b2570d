"""A small ticket system on loopback, its connector, a second system for messages, and a model with a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from banksman import (
    ABSENT,
    PENDING,
    Change,
    Closed,
    Connector,
    Effect,
    Irreversible,
    Record,
    Unknowable,
    action,
    write,
)
from banksman.agent import Event
from banksman.catalog import Registry
from banksman.config import Config
from banksman.hub import Hub
from banksman.runtime import RunState
from banksman.testing.sandbox import Answer, Call, Sandbox


class Ticket(Record):
    """One ticket."""

    id: Closed[int]
    status: Closed[str]
    title: str


class Comment(Record):
    """A comment on a ticket."""

    id: Closed[int]
    ticket: Closed[int]
    text: str


class Message(Record):
    """A posted message."""

    id: Closed[int]
    channel: Closed[str]
    text: str


@action("tickets.list", effect=Effect.READ, docs="https://desk.example", entity="Ticket", key_fields=("id",))
async def list_tickets(api: Any, status: str | None = None) -> list[Ticket]:
    """The tickets, or those in one status."""
    return [Ticket.model_validate(one) for one in await api.get("/tickets", params={"status": status or ""})]


@action("tickets.get", effect=Effect.READ, docs="https://desk.example", entity="Ticket", key=("id",))
async def get_ticket(api: Any, id: int) -> Ticket:
    """One ticket."""
    return Ticket.model_validate(await api.get(f"/tickets/{id}"))


def reopened(receipt: Any) -> Any:
    return set_status.call(id=receipt.arguments["id"], status=receipt.before["status"])


async def never_arrived(api: Any, sent: Any) -> Any:
    return ABSENT


@write(
    "tickets.set_status",
    effect=Effect.WRITE,
    targets=("id",),
    docs="https://desk.example",
    undo=reopened,
    reconcile=never_arrived,
    entity="Ticket",
)
async def set_status(api: Any, id: int, status: str) -> Change[Ticket]:
    """Set the status of a ticket."""
    old = await api.read(get_ticket, id=id)
    return Change(
        entity="Ticket",
        key=id,
        before=old.model_dump(),
        after={**old.model_dump(), "status": status},
        requests=(api.request("PUT", f"/tickets/{id}", json={"status": status}),),
        result={**old.model_dump(), "status": status},
        receive=lambda answer: Ticket.model_validate(answer.json()),
    )


@write(
    "comments.add",
    effect=Effect.WRITE,
    targets=("ticket",),
    docs="https://desk.example",
    undo=Irreversible("comments stay"),
    reconcile=Unknowable("comments cannot be told apart"),
    entity="Comment",
)
async def add_comment(api: Any, ticket: int, text: str) -> Change[Comment]:
    """Comment on a ticket."""
    return Change(
        entity="Comment",
        key=PENDING,
        before=None,
        after={"id": PENDING, "ticket": ticket, "text": text},
        requests=(api.request("POST", "/comments", json={"ticket": ticket, "text": text}),),
        result={"id": PENDING, "ticket": ticket, "text": text},
        receive=lambda answer: Comment.model_validate(answer.json()),
    )


@write(
    "messages.post",
    effect=Effect.SEND,
    targets=("channel",),
    docs="https://chat.example",
    undo=Irreversible("it has been read"),
    reconcile=Unknowable("messages cannot be told apart"),
    entity="Message",
)
async def post_message(api: Any, channel: str, text: str) -> Change[Message]:
    """Post a message to a channel."""
    return Change(
        entity="Message",
        key=PENDING,
        before=None,
        after={"id": PENDING, "channel": channel, "text": text},
        requests=(api.request("POST", "/messages", json={"channel": channel, "text": text}),),
        result={"id": PENDING, "channel": channel, "text": text},
        receive=lambda answer: Message.model_validate(answer.json()),
    )


desk = Connector(
    name="desk",
    title="Desk",
    docs="https://desk.example",
    actions=[list_tickets, get_ticket, set_status, add_comment],
    settle=0.1,
)
chat = Connector(name="chat", title="Chat", docs="https://chat.example", actions=[post_message], settle=0.1)


class DeskSandbox(Sandbox):
    """Tickets, comments and messages in memory, all behind one port."""

    title = "desk"

    def __init__(self) -> None:
        super().__init__()
        self.tickets = {
            1: {"id": 1, "status": "open", "title": "Printer on fire"},
            2: {"id": 2, "status": "open", "title": "Door stuck"},
            3: {"id": 3, "status": "closed", "title": "Old"},
        }
        self.comments: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []

    def authorized(self, call: Call) -> bool:
        return True

    def handle(self, call: Call) -> Answer:
        if call.path == "/tickets":
            wanted = call.query.get("status")
            return Answer(200, [one for one in self.tickets.values() if not wanted or one["status"] == wanted])
        if match := re.fullmatch(r"/tickets/(\d+)", call.path):
            return self._ticket(int(match[1]), call)
        if call.path in ("/comments", "/messages") and call.method == "POST":
            kept = self.comments if call.path == "/comments" else self.messages
            kept.append({"id": len(kept) + 1, **call.json})
            return Answer(201, kept[-1])
        return super().handle(call)

    def _ticket(self, number: int, call: Call) -> Answer:
        if number not in self.tickets:
            return Answer(404, {"error": f"no ticket {number}"})
        if call.method == "PUT":
            self.tickets[number] = {**self.tickets[number], **call.json}
        return Answer(200, self.tickets[number])

    def sent(self, method: str) -> list[str]:
        """The paths of the calls of one method, in order."""
        return [call.path for call in self.calls if call.method == method]


Line = str | Callable[[str], str]


class Script:
    """A model that says what it was told to say, in order, and keeps what it was asked.

    A line may be a function of all that the model was shown. The last line is said again and again.
    """

    def __init__(self, *lines: Line) -> None:
        self.lines = lines
        self.asked: list[list[ModelMessage]] = []
        self.model = FunctionModel(self._say, model_name="script")

    async def _say(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append(messages)
        line = self.lines[min(len(self.asked), len(self.lines)) - 1]
        return ModelResponse(parts=[TextPart(line if isinstance(line, str) else line(self.shown(-1)))])

    def shown(self, index: int) -> str:
        """All that the model was shown in one question."""
        return shown(self.asked[index])


def shown(messages: Sequence[ModelMessage]) -> str:
    """The texts of all messages to a model."""
    return "\n".join(
        str(getattr(part, "content", ""))
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
    )


class Desk:
    """A hub over the sandbox, with people who say yes (or no) and remember what they were shown."""

    def __init__(self, home: Path, url: str, *, durable: bool = False) -> None:
        connections = {name: {"base_url": url, "environment": "test"} for name in ("desk:main", "chat:team")}
        self.config = Config(None, home, connections=connections, user="ann")
        self.durable = durable
        self.hub = self.another_hub()
        self.previews: list[RunState] = []
        self.events: list[Event] = []
        self.answers: list[bool | None] = []

    def another_hub(self) -> Hub:
        """As another process would have it."""
        return Hub(self.config, registry=Registry((desk, chat)), durable=self.durable)

    async def approve(self, state: RunState) -> None:
        """A person's answer to a preview: the next of `answers`, yes when there is none left."""
        assert state.preview is not None
        self.previews.append(state)
        yes = self.answers.pop(0) if self.answers else True
        if yes is not None:
            await (self.hub.approve if yes else self.hub.deny)(state.id, state.preview.digest)

    def show(self, event: Event) -> None:
        """What a terminal would print."""
        self.events.append(event)

    def kinds(self, run: str) -> list[str]:
        """The kinds of a run's ledger entries, in order."""
        return [entry.kind for entry in self.hub.ledger.entries(run)]

    def bodies(self, run: str, kind: str) -> list[dict[str, Any]]:
        """What was recorded under one kind."""
        return [entry.body for entry in self.hub.ledger.entries(run) if entry.kind == kind]


def fenced(text: str) -> str:
    """As models like to answer."""
    return f"Here is the runbook:\n\n```yaml\n{text.strip()}\n```\n"
