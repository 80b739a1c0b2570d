"""Whole plans in a workspace: what the preview says is what happens, and what happens can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from banksman.catalog import Registry
from banksman.config import Config
from banksman.hub import Hub
from banksman.plan import build
from banksman_connectors.slack import connector
from banksman_connectors.slack.sandbox import BOT_USER, BUYERS, SlackSandbox

PLAN: dict[str, Any] = {
    "name": "tell-the-buyers",
    "connections": {"chat": "slack:works"},
    "outputs": {"seen": "${see.text}"},
    "steps": {
        "bea": {"action": "slack.users.find", "on": "chat", "with": {"email": "bea@harbour-works.example"}},
        "tell": {
            "action": "slack.messages.post",
            "on": "chat",
            "with": {"channel": "#buyers", "text": "<@${bea.id}>: 4500000017 & 18 are late"},
        },
        "more": {
            "action": "slack.messages.post",
            "on": "chat",
            "with": {"channel": "${tell.channel}", "text": "details of ${tell.id}", "thread": "${tell.id}"},
        },
        "mend": {
            "action": "slack.messages.update",
            "on": "chat",
            "with": {"channel": "#buyers", "message": "${tell.id}", "text": "4500000017 is late"},
        },
        "see": {
            "action": "slack.messages.get",
            "on": "chat",
            "after": ["mend"],
            "with": {"channel": "${tell.channel}", "message": "${tell.id}"},
        },
    },
}


def hub_of(slack: SlackSandbox, home: Path, **settings: Any) -> Hub:
    connection = {
        "base_url": slack.api_url,
        "environment": "test",
        "auth": {"kind": "bearer", "token": f"literal:{slack.token}"},
        "limits": {"rate": None},
        "settle": 0.0,
        **settings,
    }
    config = Config(None, home, connections={"slack:works": connection}, user="ann")
    return Hub(config, registry=Registry((connector,)), durable=False)


async def carried_out(hub: Hub, run: str, meanwhile: Callable[[], None] = lambda: None) -> Any:
    """Carry out a run and say yes to what it previews; `meanwhile` happens between preview and yes."""
    await hub.start(run)
    approved: set[str] = set()
    with anyio.fail_after(20):
        while not hub.state(run).is_over and hub.state(run).status != "paused":
            preview = hub.state(run).preview
            if hub.state(run).waits and preview is not None and preview.digest not in approved:
                approved.add(preview.digest)
                meanwhile()
                await hub.approve(run, preview.digest)
            await anyio.sleep(0.01)
    return hub.state(run)


async def test_a_plan_posts_answers_and_mends_what_it_previewed_and_takes_it_back(
    slack: SlackSandbox, tmp_path: Path
) -> None:
    async with hub_of(slack, tmp_path) as hub:
        plan = build(PLAN)
        preview = await hub.preview(plan)
        assert preview.failures == preview.deferred == {}
        assert list(preview.items) == ["tell", "more", "mend"]
        assert preview.items["mend"].before == {"channel": BUYERS, "text": "<@U0BEA>: 4500000017 &amp; 18 are late"}
        assert preview.items["more"].tells == ("#buyers (12 members), in a thread",)
        assert slack.texts(BUYERS) == []

        run = await hub.create(plan)
        state = await carried_out(hub, run)
        assert state.status == "done"
        first, answer = slack.messages[BUYERS]
        assert (first["text"], answer["text"]) == ("4500000017 is late", f"details of {first['ts']}")
        assert answer["thread_ts"] == first["ts"]
        assert state.outputs["seen"] == "4500000017 is late"

        undo = await hub.plan_undo(run)
        state = await carried_out(hub, await hub.create(undo.plan, undoes=run))
        assert state.status == "done"
        assert [text for text in slack.texts(BUYERS) if text != "This message was deleted."] == []


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_post_whose_answer_is_lost_ends_up_there_once(
    slack: SlackSandbox, tmp_path: Path, arrives: bool
) -> None:
    plan = build({**PLAN, "outputs": {}, "steps": {"bea": PLAN["steps"]["bea"], "tell": PLAN["steps"]["tell"]}})
    slack.fail(path="chat.postMessage", after_commit=arrives)
    async with hub_of(slack, tmp_path) as hub:
        state = await carried_out(hub, await hub.create(plan))
    assert state.status == "done"
    assert slack.texts(BUYERS) == ["<@U0BEA>: 4500000017 &amp; 18 are late"]


async def test_an_edit_by_somebody_else_voids_the_approval(slack: SlackSandbox, tmp_path: Path) -> None:
    ours = slack.say(BUYERS, "late", user=BOT_USER)
    step = {**PLAN["steps"]["mend"], "with": {"channel": "#buyers", "message": ours, "text": "moved"}}
    async with hub_of(slack, tmp_path) as hub:
        run = await hub.create(build({**PLAN, "outputs": {}, "steps": {"mend": step}}))
        state = await carried_out(hub, run, lambda: slack.messages[BUYERS][0].update(text="cancelled"))
    assert state.status == "paused"
    assert slack.texts(BUYERS) == ["cancelled"]
