"""An action is a function with everything that belongs to it; what is missing is found by the checker and at import."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from banksman import (
    Action,
    Change,
    Closed,
    Compensation,
    Effect,
    Irreversible,
    NativeKey,
    Record,
    Unknowable,
    action,
    write,
)
from banksman._record import placeholder

DOCS = "https://api.example/docs"


class Message(Record):
    ts: Closed[str]
    text: str


@action("messages.get", effect=Effect.READ, docs=DOCS, entity="Message", key=("channel", "ts"))
async def get_message(api: Any, channel: str, ts: str) -> Message:
    """One message of a channel."""
    raise NotImplementedError


@write(
    "messages.post",
    effect=Effect.SEND,
    targets=("channel",),
    docs=DOCS,
    undo=Irreversible("people have read it"),
    reconcile=Unknowable("there is no search"),
)
async def post(api: Any, channel: str, text: str = "hi") -> Change[Message]:
    """Post a message.

    It is seen at once.
    """
    return Change(
        entity="Message", key=None, before=None, after={"text": text}, requests=(), receive=Message.model_validate
    )


def test_an_action_knows_its_input_and_output() -> None:
    assert post.input.names == ("channel", "text")
    assert post.output_type is Message, "the output of a write is what it receives, not the change"
    assert get_message.output_schema["properties"]["ts"]["x-closed"] is True
    assert post.description == "Post a message."
    assert post.is_async
    assert post.full_name == "messages.post"
    assert post.gaps() == []


async def test_calling_an_action_calls_its_body() -> None:
    change = await post(None, "#a", text="x")
    assert change.after == {"text": "x"}


def test_a_bound_call_holds_plain_arguments_by_name() -> None:
    assert post.call("#a", text="x").arguments == {"channel": "#a", "text": "x"}
    pending = placeholder("0" * 16, "make", "id")
    assert get_message.call(channel="#a", ts=pending).arguments["ts"] == pending


@pytest.mark.parametrize(("args", "kwargs"), [(("#a", "x", "y"), {}), (("#a",), {"channel": "#b"})])
def test_an_argument_too_many_is_not_dropped(args: tuple[str, ...], kwargs: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="each of"):
        post.call(*args, **kwargs)


def test_reads_and_writes_are_not_mixed_up() -> None:
    with pytest.raises(TypeError, match="use @write"):
        action("x", effect=Effect.DESTROY, docs=DOCS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="use @action"):
        write("x", effect=Effect.READ, targets=(), undo=Irreversible("y"), reconcile=Unknowable("z"), docs=DOCS)  # type: ignore[arg-type]


def test_each_missing_piece_of_a_write_is_a_gap() -> None:
    async def body(api: Any, channel: str) -> Change[Message]:
        raise NotImplementedError

    assert write("x")(body).gaps() == [  # type: ignore[call-arg]
        "x: no docstring: say what it does",
        "x: no docs: give the vendor's page",
        "x: no effect: there are read, egress, write, send, destroy",
    ]
    assert write("x", effect=Effect.WRITE)(body).gaps() == [  # type: ignore[call-arg]
        "x: no docstring: say what it does",
        "x: no docs: give the vendor's page",
        "x: no targets: name the arguments that choose what is touched; () if none does",
        'x: no undo: give a function from receipt to call, Compensation(...), or Irreversible("why")',
        'x: no reconcile: give a function that finds the write, NativeKey(...), or Unknowable("why")',
    ]


def test_a_name_that_is_no_parameter_is_a_gap() -> None:
    @action("x", effect=Effect.READ, docs=DOCS, targets=("chanel",), key=("id",))
    async def body(api: Any, channel: str) -> Message:
        """X."""
        raise NotImplementedError

    assert body.gaps() == [
        "x: targets names 'chanel', which is no parameter; there are channel",
        "x: key names 'id', which is no parameter; there are channel",
    ]


def test_a_signature_that_is_no_schema_is_a_gap() -> None:
    @action("x", effect=Effect.READ, docs=DOCS)
    async def body(api: Any, *rest: str) -> Message:
        """X."""
        raise NotImplementedError

    (gap,) = body.gaps()
    assert "is not allowed: name each argument" in gap


def test_all_declared_ways_of_undo_and_reconcile_are_taken() -> None:
    async def body(api: Any, channel: str) -> Change[Message]:
        """X."""
        raise NotImplementedError

    for undo in (
        lambda receipt: post.call("#a"),
        Compensation(lambda receipt: post.call("#a"), "x"),
        Irreversible("y"),
    ):
        for reconcile in (NativeKey("Idempotency-Key"), Unknowable("y")):
            made: Action[Any, Any] = write(
                "x", effect=Effect.WRITE, targets=(), docs=DOCS, undo=undo, reconcile=reconcile
            )(body)
            assert made.gaps() == []


SNIPPET = """
from typing import Any
from banksman import Change, Effect, Irreversible, Record, Unknowable, write

class Message(Record):
    text: str

@write("x", {arguments})
async def body(api: Any, channel: str) -> Change[Message]:
    '''X.'''
    raise NotImplementedError

reveal_type(body.call("#a"))
body.call(1)
"""
PIECES = {
    "effect": "effect=Effect.WRITE",
    "targets": 'targets=("channel",)',
    "undo": 'undo=Irreversible("why")',
    "reconcile": 'reconcile=Unknowable("why")',
    "docs": 'docs="https://x"',
}


@pytest.mark.slow
def test_a_missing_piece_is_a_type_error_where_it_is_missing(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    names = ["complete", *PIECES]
    for name in names:
        kept = ", ".join(text for piece, text in PIECES.items() if piece != name)
        (tmp_path / f"without_{name}.py").write_text(textwrap.dedent(SNIPPET).format(arguments=kept))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
    environment = {"MYPYPATH": str(root / "core"), "PATH": ""}
    told = subprocess.run(
        [*command, "--no-error-summary", *(f"without_{name}.py" for name in names)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    lines = {name: [line for line in told.splitlines() if line.startswith(f"without_{name}.py")] for name in names}
    wrong_argument = 'Argument 1 to "call" of "Action" has incompatible type "int"; expected "str"'
    assert [line for line in lines["complete"] if "error" in line and wrong_argument not in line] == [], told
    assert any(wrong_argument in line for line in lines["complete"]), told
    for name in PIECES:
        assert any(f'Missing named argument "{name}" for "write"' in line for line in lines[name]), told
