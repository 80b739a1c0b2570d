"""Verbs lie, so routes say what a request does; what is not listed is the worst its verb allows."""

from __future__ import annotations

import pytest

from banksman import Effect
from banksman.http import Routes

ROUTES = Routes(
    [
        ("POST", "/conversations.list", Effect.READ),
        ("GET", "/channels/{id}/leave", Effect.WRITE),
        ("*", "/search/{rest...}", Effect.EGRESS),
        ("POST", "/orders/{id}", Effect.READ),
        ("POST", "/orders/{id}/cancel", Effect.DESTROY),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "effect"),
    [
        ("POST", "/conversations.list", Effect.READ),
        ("POST", "/conversations_list", Effect.SEND),
        ("POST", "/conversations.list/more", Effect.SEND),
        ("POST", "/x/conversations.list", Effect.SEND),
        ("GET", "/channels/C1/leave", Effect.WRITE),
        ("GET", "/channels/C1", Effect.READ),
        ("PUT", "/search/a/b", Effect.EGRESS),
        ("POST", "/orders/1", Effect.READ),
        ("POST", "/orders/", Effect.SEND),
        ("POST", "/orders/1/cancel", Effect.DESTROY),
        ("GET", "/other", Effect.READ),
        ("HEAD", "/other", Effect.READ),
        ("OPTIONS", "/other", Effect.READ),
        ("DELETE", "/other", Effect.DESTROY),
        ("PATCH", "/other", Effect.SEND),
        ("BREW", "/other", Effect.SEND),
        ("get", "/other", Effect.SEND),
    ],
)
def test_the_effect_of(method: str, path: str, effect: Effect) -> None:
    assert ROUTES.effect(method, path) is effect


@pytest.mark.parametrize(
    "path", ["/search/../orders/1/cancel", "/orders/..", "/search/.", "/a/./b", "/search/..;x/y", "/search/..\\x", ".."]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_the_server_may_resolve_to_another_route_is_no_read(method: str, path: str) -> None:
    assert ROUTES.effect(method, path).changes


def test_names_that_only_hold_dots_are_no_way_up() -> None:
    assert ROUTES.effect("POST", "/orders/a..b") is Effect.READ
    assert ROUTES.effect("GET", "/.well-known/x") is Effect.READ
