"""slack-sdk goes through the seam and nowhere else."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio.to_thread
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.web.base_client import BaseClient

from banksman import Effect, _gate
from banksman.errors import CallError, ConfigError, UsageError, WriteRefused
from banksman.testing.sandbox import Answer
from banksman_connectors.slack import connector
from banksman_connectors.slack.sandbox import BUYERS, DIRECT, SlackSandbox

from .desk import Desk

_connects: list[tuple[int, Any]] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connects is not None:
        _connects.append((threading.get_ident(), arguments[1]))


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[tuple[int, Any]]]:
    """Who connected where: the thread and the address. An audit hook, because no client gets around it."""
    global _connects
    _connects = found = []
    yield found
    _connects = None


async def in_worker(call: Any, *args: Any, **parts: Any) -> Any:
    return await anyio.to_thread.run_sync(partial(call, *args, **parts))


async def arguments_of(desk: Desk, slack: SlackSandbox) -> dict[str, dict[str, Any]]:
    """Arguments for each action, on messages of the account's own."""
    own = slack.say(BUYERS, "late", user="U0BANKSMAN")
    one = {"channel": BUYERS, "message": own}
    return {
        "messages.post": {"channel": "#buyers", "text": "late", "thread": own},
        "messages.update": {**one, "text": "moved"},
        "messages.delete": one,
        "messages.list": {"channel": "#buyers"},
        "messages.get": one,
        "channels.list": {},
        "channels.get": {"channel": "#buyers"},
        "users.list": {},
        "users.get": {"user": "U0BEA"},
        "users.find": {"email": "bea@harbour-works.example"},
    }


async def test_no_action_connects_except_through_the_seam(
    desk: Desk, slack: SlackSandbox, connects: list[tuple[int, Any]]
) -> None:
    given = await arguments_of(desk, slack)
    assert set(given) == {action.name for action in connector.actions}
    for action in connector.actions:
        call = desk.prepare if action.effect.changes else desk.read
        await call(action.name, **given[action.name])
    assert connects, "the sandbox was never reached"
    address = ("127.0.0.1", int(slack.url.rpartition(":")[2]))
    # The seam lives on the event loop; slack-sdk runs in worker threads, and none of those may connect.
    assert {(thread, where[:2]) for thread, where in connects} == {(threading.get_ident(), address)}
    assert len(slack.calls) == len(desk.seen), "a call arrived that the seam did not see"
    assert {exchange.effect for exchange in desk.seen} == {Effect.READ}
    assert slack.texts(BUYERS) == ["late"]


async def test_the_audit_hook_sees_an_sdk_client_that_goes_its_own_way(
    slack: SlackSandbox, connects: list[tuple[int, Any]]
) -> None:
    await in_worker(WebClient(token=slack.token, base_url=f"{slack.api_url}/").auth_test)
    assert connects[0][0] != threading.get_ident()


async def test_an_sdk_with_retries_turned_on_sends_nothing(desk: Desk, slack: SlackSandbox) -> None:
    web = desk.opened.api.web
    handlers = [ConnectionErrorRetryHandler(max_retry_count=3), ServerErrorRetryHandler(max_retry_count=3)]
    web.retry_handlers.extend(handlers)
    call = partial(web.chat_postMessage, channel=BUYERS, text="late")
    for _ in range(2):
        request = await desk.opened.api.capture(call)
    assert request.summary() == "POST /api/chat.postMessage"
    with pytest.raises(WriteRefused):
        await in_worker(call)
    assert slack.calls == []


async def test_retries_belong_to_the_seam(desk: Desk, slack: SlackSandbox) -> None:
    assert desk.opened.api.web.retry_handlers == []
    slack.fail(path="users.info", times=2)
    await desk.read("users.get", user="U0BEA")
    assert [exchange.attempt for exchange in desk.seen] == [1, 2, 3]


async def test_code_that_catches_everything_cannot_swallow_the_capture(desk: Desk, slack: SlackSandbox) -> None:
    def stubborn() -> None:
        for _ in range(3):
            with contextlib.suppress(Exception):
                desk.opened.api.web.chat_postMessage(channel=BUYERS, text="late")

    assert (await desk.opened.api.capture(stubborn)).canonical()["body"] == {
        "json": {"channel": BUYERS, "text": "late"}
    }
    assert slack.calls == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("conversations_archive", {"channel": BUYERS}),
        ("conversations_invite", {"channel": BUYERS, "users": "U0PAT"}),
        ("reactions_add", {"channel": BUYERS, "name": "ok", "timestamp": "1.000001"}),
        ("users_profile_set", {"name": "x", "value": "y"}),
        ("admin_users_remove", {"team_id": "T0WORKS", "user_id": "U0BEA"}),
        ("files_getUploadURLExternal", {"filename": "a", "length": 1}),
        ("auth_revoke", {}),
    ],
)
async def test_a_method_that_is_not_listed_does_not_pass(
    desk: Desk, slack: SlackSandbox, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(WriteRefused):
        await in_worker(getattr(desk.opened.api.web, method), **arguments)
    assert slack.calls == []


async def test_a_method_that_writes_does_not_pass_by_get(desk: Desk, slack: SlackSandbox) -> None:
    for method in ("chat.postMessage", "chat.delete", "conversations.archive", "a.method.of.tomorrow"):
        with pytest.raises(WriteRefused):
            await desk.opened.api.get(method, params={"channel": BUYERS, "text": "late"})
        assert desk.opened.api.routes.effect("GET", f"/{method}").changes
    assert slack.calls == []


async def test_a_file_does_not_leave_by_the_other_door(
    desk: Desk, slack: SlackSandbox, connects: list[tuple[int, Any]]
) -> None:
    web = desk.opened.api.web
    with pytest.raises(WriteRefused):
        await in_worker(web.files_upload_v2, channel=BUYERS, content="secret", filename="a.txt")
    with pytest.raises(UsageError, match="past the seam"):
        await in_worker(web._upload_file, url=f"{slack.url}/upload", data=b"secret", logger=None, timeout=1)
    with pytest.raises(UsageError, match="multipart"):
        await in_worker(web.api_call, "files.upload", files={"file": io.BytesIO(b"secret")}, data={"channels": BUYERS})
    assert slack.calls == []
    assert connects == []


async def test_a_token_given_to_the_sdk_stays_behind(desk: Desk, slack: SlackSandbox) -> None:
    web = desk.opened.api.web
    await in_worker(web.users_info, user="U0BEA", token="xoxb-of-somebody-else")
    await in_worker(web.api_call, "auth.test", auth={"client_id": "1.2", "client_secret": "hush"})
    for call in slack.calls:
        assert call.headers["authorization"] == f"Bearer {slack.token}"
        assert b"somebody" not in call.body


async def test_paging_by_the_sdk_itself_stays_in_the_seam(desk: Desk, slack: SlackSandbox) -> None:
    def pages() -> int:
        return sum(len(page["members"]) for page in desk.opened.api.web.users_list(limit=1))

    assert await in_worker(pages) == 4
    assert len(desk.seen) == len(slack.calls) == 4


async def test_errors_come_from_the_table_and_not_from_the_sdk(desk: Desk, slack: SlackSandbox) -> None:
    slack.fail(path="users.info", answer=Answer(200, {"ok": False, "error": "user_not_found"}))
    with pytest.raises(CallError) as failed:
        await in_worker(desk.opened.api.web.users_info, user="U0BEA")
    assert not isinstance(failed.value, SlackApiError)


async def test_only_the_approved_message_is_sent_and_once(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare("messages.post", channel=DIRECT, text="late")
    other = await desk.prepare("messages.post", channel=DIRECT, text="later")
    with _gate.sending([change.requests[0].fingerprint]):
        await desk.opened.send(desk.action("messages.post"), change)
        with pytest.raises(WriteRefused):
            await desk.opened.send(desk.action("messages.post"), other)
    assert slack.texts(DIRECT) == ["late"]


async def test_neither_text_nor_token_is_logged(
    desk: Desk, slack: SlackSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await desk.do("messages.post", channel="#buyers", text="the-secret-plan")
        slack.fail(path="users.list", answer=Answer(200, {"ok": False, "error": "invalid_auth"}))
        with pytest.raises(CallError):
            await desk.read("users.list")
    assert "the-secret-plan" not in caplog.text
    assert slack.token not in caplog.text


@pytest.mark.parametrize("door", ["_perform_urllib_http_request_internal", "_upload_file"])
def test_an_sdk_that_sends_by_other_means_is_refused(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(BaseClient, door)
    monkeypatch.delitem(sys.modules, "banksman_connectors.slack.web", raising=False)
    with pytest.raises(ConfigError, match="past the seam"):
        importlib.import_module("banksman_connectors.slack.web")


def test_slack_sdk_is_loaded_on_use() -> None:
    script = "import sys, banksman_connectors.slack; sys.exit('slack_sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_without_slack_sdk_the_error_says_what_to_install() -> None:
    script = """
import sys
sys.modules["slack_sdk"] = None
from banksman_connectors.slack.api import SlackApi
try:
    SlackApi("http://127.0.0.1").web
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert done.stdout.startswith("ConfigError the Slack connector needs slack-sdk"), done.stderr
    assert "pip install 'banksman[slack]'" in done.stdout
