"""Errors say what happened, to what, and what to do next; their classes say what the caller does."""

from __future__ import annotations

import inspect
import re

import pytest

from banksman import errors
from banksman.errors import (
    ArgumentError,
    BanksmanError,
    CallError,
    ConnectorGaps,
    Denied,
    Drifted,
    NotFound,
    OutcomeUnknown,
    PlanError,
    RateLimited,
    RunFailed,
    UnknownName,
    UsageError,
)

CLASSES = {
    name: thing
    for name, thing in vars(errors).items()
    if inspect.isclass(thing) and issubclass(thing, BanksmanError) and thing.__module__ == errors.__name__
}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)([A-Z]\w+)(?:\s|$)", line)
        if not match or match[2] not in CLASSES:
            continue
        while above and above[-1][0] >= len(match[1]):
            above.pop()
        if above:
            drawn[match[2]] = above[-1][1]
        above.append((len(match[1]), match[2]))
    assert drawn == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items() if kind is not BanksmanError}


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {name for name, kind in CLASSES.items() if issubclass(kind, CallError) and kind.transient}
    assert transient == {"RateLimited", "Unavailable"}
    assert not OutcomeUnknown.transient, "an unknown write must never be repeated unasked"


def test_a_call_error_says_which_action_on_which_connection() -> None:
    error = NotFound("no such order", code="404", status=404, hint="Look at the number.")
    assert str(error) == "no such order\n  Look at the number."
    error.action, error.connection = "sap.orders.get", "sap:prod"
    assert str(error) == "sap.orders.get on sap:prod: no such order\n  Look at the number."
    assert RateLimited("slow down", retry_after=3.0).retry_after == 3.0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectorGaps("x", ["a: no undo", "b: no"]), "connector 'x' is incomplete:\n  - a: no undo\n  - b: no"),
        (PlanError("p.yaml", ["steps.a: what"]), "p.yaml: 1 problem(s):\n  - steps.a: what"),
        (ArgumentError("x.y", ["a: missing", "b: wrong"]), "x.y: a: missing; b: wrong"),
        (Denied("no", rule="r1"), "no (rule: r1)"),
        (RunFailed("r", {"a": "why"}), "run r did not finish:\n  a: why"),
        (
            Drifted("Order 1", [("date", "1", "2")]),
            "Order 1 changed since the preview:\n  date: shown '1', now '2'\n  Preview again and approve what is true now.",  # noqa: E501
        ),
    ],
)  # fmt: skip
def test_what_an_error_says(error: BanksmanError, said: str) -> None:
    assert str(error) == said


def test_an_unknown_name_lists_the_near_ones() -> None:
    known = ["slack.messages.post", "slack.messages.get", "sap.orders.get"]
    assert str(UnknownName("action", "slack.message.post", known)).startswith(
        "no action 'slack.message.post'; did you mean slack.messages.post"
    )
    assert "there are: a, b" in str(UnknownName("action", "zzzzz", ["b", "a"]))
    assert str(UnknownName("run", "x", [])) == "no run 'x'; there are none"


def test_gaps_of_a_connector_are_a_type_error_too() -> None:
    assert issubclass(ConnectorGaps, TypeError)
    assert issubclass(ConnectorGaps, UsageError)
