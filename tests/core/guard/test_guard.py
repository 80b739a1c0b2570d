"""The rules that hold by default, and what an approval is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from banksman import Connection, Effect, Environment
from banksman.errors import Denied, NotApproved
from banksman.guard import Approval, Verdict, expiry, judge, moment, require_approval, require_unattended
from banksman.preview import Item, Preview

ITEM = Item(
    call="a",
    step="a",
    way=0,
    action="t.t",
    connection="t:a",
    environment="production",
    effect=Effect.WRITE,
    entity="Thing",
    key=1,
    arguments={},
    before={},
    after={},
    requests=(),
    result=None,
    undo={"kind": "inverse", "text": "t"},
)
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def connection(environment: Environment, unattended: bool | None = None) -> Connection:
    return Connection("t:a", "t", environment, unattended=unattended)


def preview(**changes: object) -> Preview:
    given: dict[str, object] = {
        "run": "r",
        "nonce": "0" * 16,
        "stage": 1,
        "requester": "ann",
        "expires": "2026-03-02T00:00:00Z",
        "versions": {},
        "plan": {},
        "inputs": {},
        "items": {"a": ITEM},
        "alternatives": {},
        "reads": {},
        "rounds": {},
        "deferred": {},
        "failures": {},
        "failed": (),
    }
    return Preview(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("environment", list(Environment))
def test_every_write_is_asked_for(environment: Environment) -> None:
    assert judge(ITEM, connection(environment), unattended=False).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("environment", "said", "effect", "rule"),
    [
        (Environment.SANDBOX, None, Effect.DESTROY, None),
        (Environment.TEST, None, Effect.SEND, None),
        (Environment.TEST, False, Effect.WRITE, "unattended-only-where-the-connection-says-so"),
        (Environment.PRODUCTION, None, Effect.WRITE, "unattended-only-where-the-connection-says-so"),
        (Environment.PRODUCTION, True, Effect.SEND, None),
        (Environment.PRODUCTION, True, Effect.DESTROY, "destroy-in-production-needs-a-person"),
    ],
)
def test_a_flag_approves_only_where_policy_allows(
    environment: Environment, said: bool | None, effect: Effect, rule: str | None
) -> None:
    item = replace(ITEM, effect=effect)
    connections = {"t:a": connection(environment, said)}
    if rule is None:
        require_unattended([item], connections)
    else:
        with pytest.raises(Denied) as caught:
            require_unattended([item], connections)
        assert caught.value.rule == rule
        assert "--yes" in str(caught.value)


def test_an_approval_is_for_one_digest() -> None:
    shown = preview()
    given = {shown.digest: Approval(shown.digest, "bob", "prompt", "")}
    assert require_approval(shown, given, frozenset(), NOW).by == "bob"
    with pytest.raises(NotApproved, match="nobody approved"):
        require_approval(preview(stage=2), given, frozenset(), NOW)


def test_an_approval_is_used_once() -> None:
    shown = preview()
    given = {shown.digest: Approval(shown.digest, "bob", "prompt", "")}
    with pytest.raises(NotApproved, match="used before"):
        require_approval(shown, given, frozenset({shown.digest}), NOW)


def test_an_approval_expires_with_its_preview() -> None:
    shown = preview()
    given = {shown.digest: Approval(shown.digest, "bob", "prompt", "")}
    with pytest.raises(NotApproved, match="expired at 2026-03-02"):
        require_approval(shown, given, frozenset(), moment(shown.expires))


def test_a_preview_can_be_approved_for_a_day() -> None:
    assert moment(expiry(NOW)) - NOW == timedelta(hours=24)
