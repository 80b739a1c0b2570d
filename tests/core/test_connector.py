"""A connector reports every gap at once; an open connection fills in where an error comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from banksman import (
    ABSENT,
    UNSURE,
    Change,
    Closed,
    Connection,
    Connector,
    Effect,
    Irreversible,
    NativeKey,
    OpenConnection,
    Record,
    Sent,
    Settings,
    Unknowable,
    Wiring,
    _gate,
    action,
    open_http,
    write,
)
from banksman.errors import (
    ConfigError,
    ConnectorGaps,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    Rejected,
    UnknownName,
    WriteRefused,
)
from banksman.http import HttpApi, SyncApi, read_json

DOCS = "https://api.example/docs"


class Note(Record):
    id: Closed[int]
    text: str


@action("notes.get", effect=Effect.READ, docs=DOCS, entity="Note", key=("id",))
async def get_note(api: HttpApi, id: int) -> Note:
    """One note."""
    return Note.model_validate(await api.get(f"notes/{id}"))


@action("notes.first", effect=Effect.READ, docs=DOCS)
def first_note(api: SyncApi) -> Note:
    """The first note, by a body that is not a coroutine."""
    return api.read(get_note, id=1)


def found(sent: Sent[Any]) -> Any:
    return {"a": ABSENT, "u": UNSURE}.get(sent.arguments["text"], Note(id=1, text="found"))


async def find(api: HttpApi, sent: Sent[Any]) -> Any:
    return found(sent)


@write("notes.put", effect=Effect.WRITE, targets=("id",), undo=Irreversible("x"), reconcile=find, docs=DOCS)
async def put_note(api: HttpApi, id: int, text: str, twice: bool = False) -> Change[Note]:
    """Write a note."""
    before = await api.read(get_note, id=id)
    requests = [api.request("PUT", f"notes/{id}", json={"text": part}) for part in ([text, "2"] if twice else [text])]
    return Change(
        entity="Note",
        key=id,
        before=before.model_dump(),
        after={"id": id, "text": text},
        requests=tuple(requests),
        receive=lambda response: Note.model_validate(read_json(response)),
    )


notes = Connector(name="notes", title="Notes", docs=DOCS, actions=[get_note, first_note, put_note], settle=5.0)


class System:
    """Answers as told; remembers what it was sent."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.writes: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return self.answers.get("get") or httpx.Response(200, json={"id": 1, "text": "old"})
        self.writes.append(request.content)
        answer = self.answers.get(f"put{len(self.writes)}", httpx.Response(200, json={"id": 1, "text": "new"}))
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer


def opened(system: System) -> OpenConnection:
    connection = Connection("notes:acme", "notes", settings=Settings(base_url="https://notes.example/api"))
    wiring = Wiring(inner=httpx.MockTransport(system))
    return OpenConnection(notes, connection, open_http(notes, connection, wiring))


def test_every_gap_of_every_action_is_reported_at_once() -> None:
    async def body(api: Any, id: int) -> Any:
        raise NotImplementedError

    poor = write("a", effect=Effect.WRITE)(body)  # type: ignore[call-arg]
    with pytest.raises(ConnectorGaps) as caught:
        Connector(name="No-Good", title="x", docs=DOCS, actions=[poor, get_note, get_note], settle=1)
    gaps = "\n".join(caught.value.gaps)
    for piece in ("a: no docstring", "a: no docs", "a: no targets", "a: no undo", "a: no reconcile"):
        assert piece in gaps
    assert "notes.get: declared twice" in gaps
    assert "name 'No-Good': use lower case" in gaps
    assert isinstance(caught.value, TypeError)


def test_an_action_bears_its_connectors_name() -> None:
    assert [item.full_name for item in notes.actions] == ["notes.notes.get", "notes.notes.first", "notes.notes.put"]
    assert get_note.connector == "", "the author's own object is not changed"


def test_a_connection_without_an_address_says_which_setting_is_missing() -> None:
    connection = Connection("notes:acme", "notes")
    with pytest.raises(ConfigError, match=r"settings\.base_url"):
        open_http(notes, connection, Wiring())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://ann:hunter2@notes.example/api", "user name or password"),
        ("https://notes.example/api?key=hunter2", "end with its path"),
        ("notes.example/api", "start with https"),
        ("file:///etc/passwd", "start with https"),
        ("https://notes.example/\nx", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_a_base_is_refused_without_repeating_its_secret(address: str, said: str) -> None:
    connection = Connection("notes:acme", "notes", settings=Settings(base_url=address))
    with pytest.raises(ConfigError, match=said) as caught:
        open_http(notes, connection, Wiring())
    assert "hunter2" not in str(caught.value)


async def test_an_unknown_action_lists_the_near_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        await opened(System()).action("notes.notes.gte")
    assert (await opened(System()).action("notes.notes.get")).entity == "Note"


async def test_an_error_names_action_and_connection() -> None:
    connection = opened(System(get=httpx.Response(404, json={"message": "gone"})))
    with pytest.raises(NotFound, match=r"^notes.notes.get on notes:acme: gone \[HTTP 404\]"):
        await connection.read(await connection.action("notes.notes.get"), {"id": 1})


async def test_a_record_that_does_not_fit_is_the_systems_fault_and_is_not_quoted() -> None:
    connection = opened(System(get=httpx.Response(200, json={"id": "hunter2", "text": "x"})))
    with pytest.raises(MalformedAnswer, match="record at id") as caught:
        await connection.read(await connection.action("notes.notes.get"), {"id": 1})
    assert "hunter2" not in str(caught.value)


async def test_a_sync_body_runs_in_a_thread_and_reads_through_the_connection() -> None:
    connection = opened(System())
    assert await connection.read(await connection.action("notes.notes.first"), {}) == Note(id=1, text="old")


async def test_a_prepared_write_sends_nothing_and_the_gate_stops_it_until_it_is_approved() -> None:
    system = System()
    connection = opened(system)
    held = await connection.action("notes.notes.put")
    change = await connection.prepare(held, {"id": 1, "text": "new"})
    assert change.before == {"id": 1, "text": "old"}
    assert system.writes == []
    with pytest.raises(WriteRefused):
        await connection.send(held, change)
    assert system.writes == []
    assert await sent_through(connection, held, change) == Note(id=1, text="new")
    assert system.writes == [b'{"text":"new"}']


async def sent_through(connection: OpenConnection, held: Any, change: Change[Any]) -> Any:
    with _gate.sending(request.fingerprint for request in change.requests):
        return await connection.send(held, change)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"fine, thanks"),
        httpx.Response(200, json={"id": 1}),
        httpx.Response(200, json=[]),
        httpx.Response(204),
        httpx.Response(200, content=b"[" * 100_000),
    ],
)
async def test_an_accepted_write_whose_answer_cannot_be_read_is_unknown(answer: httpx.Response) -> None:
    with pytest.raises(OutcomeUnknown, match="accepted"):
        await sent_by_name(opened(System(put1=answer)))


async def sent_by_name(connection: OpenConnection, **more: Any) -> Any:
    held = await connection.action("notes.notes.put")
    change = await connection.prepare(held, {"id": 1, "text": "new", **more})
    return await sent_through(connection, held, change)


async def test_any_failure_of_receive_leaves_the_outcome_unknown() -> None:
    connection = opened(System())
    held = await connection.action("notes.notes.put")
    change = await connection.prepare(held, {"id": 1, "text": "new"})

    def receive(_: Any) -> Any:
        return 1 / 0

    broken = replace(change, receive=receive)
    with pytest.raises(OutcomeUnknown, match="ZeroDivisionError"):
        await sent_through(connection, held, broken)


async def test_a_refusal_is_known_and_after_the_first_request_it_is_not() -> None:
    with pytest.raises(Rejected):
        await sent_by_name(opened(System(put1=httpx.Response(422, json={"message": "no"}))))
    with pytest.raises(OutcomeUnknown, match="1 of 2 requests went through"):
        await sent_by_name(opened(System(put2=httpx.Response(422, json={"message": "no"}))), twice=True)


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(408), httpx.ReadTimeout("silence")])
async def test_a_write_without_a_clear_answer_is_unknown(answer: Any) -> None:
    with pytest.raises(OutcomeUnknown, match=r"^notes.notes.put on notes:acme"):
        await sent_by_name(opened(System(put1=answer)))


@pytest.mark.parametrize(("text", "expected"), [("a", ABSENT), ("u", UNSURE), ("x", Note(id=1, text="found"))])
async def test_reconcile_gives_the_output_or_a_verdict(text: str, expected: Any) -> None:
    lost = Sent[Any](
        arguments={"text": text}, before=None, after=None, requests=(), key="k", since=datetime.now(timezone.utc)
    )
    connection = opened(System())
    assert await connection.reconcile(await connection.action("notes.notes.put"), lost) == expected


@pytest.mark.parametrize("how", [NativeKey("Idempotency-Key"), Unknowable("no search")])
async def test_without_a_way_to_look_reconcile_is_unsure(how: Any) -> None:
    connection = opened(System())
    held = replace(await connection.action("notes.notes.put"), reconcile=how)
    assert await connection.reconcile(held, None) is UNSURE  # type: ignore[arg-type]
