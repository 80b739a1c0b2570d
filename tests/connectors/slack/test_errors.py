"""What each answer of Slack's means, for a read and for a write."""

from __future__ import annotations

import logging

import pytest

from banksman.errors import (
    AccessDenied,
    AuthFailed,
    CallError,
    Conflict,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from banksman.testing.sandbox import Answer
from banksman_connectors.slack import connector
from banksman_connectors.slack.sandbox import BUYERS, SlackSandbox

from .desk import Desk, open_desk

POST = "messages.post"


def refusal(code: str, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"ok": False, "error": code}, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_auth", AuthFailed),
        ("token_expired", AuthFailed),
        ("missing_scope", AccessDenied),
        ("not_in_channel", AccessDenied),
        ("channel_not_found", NotFound),
        ("edit_window_closed", Conflict),
        ("is_archived", Rejected),
        ("msg_too_long", Rejected),
        ("a_code_of_tomorrow", Rejected),
        ("request_timeout", Unavailable),
        ("internal_error", OutcomeUnknown),
        ("fatal_error", OutcomeUnknown),
        ("service_unavailable", OutcomeUnknown),
    ],
)
async def test_an_answer_200_with_an_error_inside_fails_the_write(
    desk: Desk, slack: SlackSandbox, code: str, kind: type[CallError]
) -> None:
    change = await desk.prepare(POST, channel=BUYERS, text="late")
    slack.fail(path="chat.postMessage", answer=refusal(code))
    with pytest.raises(kind) as failed:
        await desk.send(POST, change)
    assert type(failed.value) is kind
    assert (failed.value.code, failed.value.action) == (code, "slack.messages.post")
    assert slack.texts(BUYERS) == []


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable"])
async def test_what_leaves_a_write_unknown_says_of_a_read_only_that_it_failed(
    desk: Desk, slack: SlackSandbox, code: str
) -> None:
    slack.fail(path="users.list", answer=refusal(code))
    with pytest.raises(Unavailable, match=code):
        await desk.read("users.list")


async def test_a_write_without_a_clear_answer_is_unknown_and_sent_once(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare(POST, channel=BUYERS, text="late")
    for answer in (None, Answer(502, b"<html>"), Answer(200, b"<html>"), Answer(200, {"channel": BUYERS})):
        slack.fail(path="chat.postMessage", answer=answer)
        before = len(slack.calls)
        with pytest.raises(OutcomeUnknown):
            await desk.send(POST, change)
        assert len(slack.calls) == before + 1


async def test_a_limited_write_says_how_long_to_wait_and_is_not_repeated(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare(POST, channel=BUYERS, text="late")
    slack.fail(path="chat.postMessage", answer=refusal("ratelimited", 429, retry_after="7"))
    with pytest.raises(RateLimited) as limited:
        await desk.send(POST, change)
    assert limited.value.retry_after == 7
    assert [call.path for call in slack.calls].count("/api/chat.postMessage") == 1


async def test_a_limited_read_is_repeated(desk: Desk, slack: SlackSandbox) -> None:
    slack.fail(path="users.list", answer=refusal("ratelimited", 429, retry_after="0"))
    slack.fail(path="users.list", answer=None)
    assert len(await desk.read("users.list")) == 4
    assert [call.path for call in slack.calls] == ["/api/users.list"] * 3


async def test_a_refused_token_is_an_error_without_the_token_in_it(slack: SlackSandbox) -> None:
    desk = open_desk(slack.api_url, "xoxb-never-issued-1234")
    with pytest.raises(AuthFailed) as refused:
        await desk.read("users.list")
    assert refused.value.code == "invalid_auth"
    assert "xoxb" not in str(refused.value)
    await desk.opened.aclose()


async def test_a_missing_scope_is_named() -> None:
    with SlackSandbox(scopes="users:read") as slack:
        desk = open_desk(slack.api_url, slack.token)
        with pytest.raises(AccessDenied, match=r"needed channels:history; provided users:read") as refused:
            await desk.read("messages.get", channel=BUYERS, message="1.000001")
        assert "install it again" in str(refused.value)
        await desk.opened.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>login</html>"),
        Answer(200, ["ok"]),
        Answer(200, {"members": []}),
        Answer(200, {"ok": True, "members": [{"name": "no id"}]}),
        Answer(200, {"ok": True, "members": [{"id": "U0X", "name": {"not": "a text"}}]}),
        Answer(200, {"ok": True, "members": [{"id": "not an id", "name": "x"}]}),
        Answer(200, {"ok": True, "members": ["U0X"]}),
    ],
)
async def test_an_answer_of_another_shape_is_malformed(desk: Desk, slack: SlackSandbox, answer: Answer) -> None:
    slack.fail(path="users.list", answer=answer)
    with pytest.raises(MalformedAnswer):
        await desk.read("users.list")


async def test_a_redirect_is_not_followed(desk: Desk, slack: SlackSandbox) -> None:
    with SlackSandbox() as elsewhere:
        slack.fail(path="users.list", answer=Answer(302, None, {"location": f"{elsewhere.api_url}/users.list"}))
        with pytest.raises(CallError, match="HTTP 302"):
            await desk.read("users.list")
        assert elsewhere.calls == []


async def test_a_warning_goes_to_the_log(desk: Desk, slack: SlackSandbox, caplog: pytest.LogCaptureFixture) -> None:
    body = {"ok": True, "members": [], "warning": "superfluous_charset"}
    slack.fail(path="users.list", answer=Answer(200, body))
    with caplog.at_level(logging.WARNING, "banksman.slack"):
        assert await desk.read("users.list") == []
    assert "superfluous_charset" in caplog.text


def test_every_code_has_one_meaning() -> None:
    from banksman_connectors.slack.errors import _CODES, ERRORS

    listed = [code for codes in _CODES.values() for code in codes.split()]
    assert len(listed) == len(set(listed)) == len(ERRORS.codes)
    assert connector.errors is ERRORS
