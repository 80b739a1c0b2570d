"""Messages: what a write shows, what it sends, how it is taken back, and how an unknown one is found again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from banksman import ABSENT, PENDING, UNSURE, Compensation, Effect, Irreversible, Receipt
from banksman._canonical import plain
from banksman._record import placeholder
from banksman.errors import AccessDenied, ArgumentError, NotFound, OutcomeUnknown, Rejected
from banksman.testing.sandbox import Answer
from banksman_connectors.slack.models import Message
from banksman_connectors.slack.sandbox import (
    BEA,
    BOARD,
    BOT,
    BOT_USER,
    BUYERS,
    DIRECT,
    LOGISTICS,
    OLD,
    PARTNERS,
    TOM,
    SlackSandbox,
)

from .desk import KEY, Desk, open_desk

POST, UPDATE, DELETE = "messages.post", "messages.update", "messages.delete"


def undo_of(desk: Desk, name: str, change: Any, result: Any, **arguments: Any) -> Any:
    undo = desk.action(name).undo
    receipt = Receipt[Any](arguments=arguments, before=change.before, after=change.after, result=plain(result))
    return (undo.call if isinstance(undo, Compensation) else undo)(receipt)  # type: ignore[operator, misc]


# --- post


async def test_a_post_shows_who_will_read_what(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare(POST, channel="#buyers", text="R&D order is late")
    assert (change.entity, change.key) == ("Message", {"channel": BUYERS, "message": PENDING})
    assert change.before is None
    assert change.after == {"channel": BUYERS, "text": "R&amp;D order is late"}
    assert change.tells == ("#buyers (12 members)",)
    assert change.notes == ()
    assert next(iter(change.result)) == "id"
    assert change.result["id"] is PENDING
    assert set(change.result) == set(Message.model_fields), "later steps may refer to any field"
    assert slack.texts(BUYERS) == []
    assert desk.action(POST).effect is Effect.SEND
    assert desk.action(POST).capability == "message.send"


async def test_a_post_sends_the_id_the_mark_and_nothing_for_slack_to_interpret(desk: Desk) -> None:
    change = await desk.prepare(POST, channel="#buyers", text="late")
    (request,) = change.requests
    assert request.canonical()["method"] == "POST"
    assert request.canonical()["url"].endswith("/api/chat.postMessage")
    assert request.canonical()["body"] == {
        "json": {
            "channel": BUYERS,
            "text": "late",
            "metadata": {"event_type": "banksman_call", "event_payload": {"key": KEY}},
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    }


async def test_preparing_twice_gives_the_same_change(desk: Desk) -> None:
    one, two = [await desk.prepare(POST, channel="#buyers", text="late") for _ in range(2)]
    assert [r.fingerprint for r in one.requests] == [r.fingerprint for r in two.requests]
    assert (one.after, one.result, one.tells, one.notes) == (two.after, two.result, two.tells, two.notes)


async def test_a_post_reads_back_as_it_was_predicted(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare(POST, channel="#buyers", text="<@U0BEA>: 3 < 5 & https://track.example/?a=1&b=2")
    posted = await desk.send(POST, change)
    read = await desk.read("messages.get", channel=posted.channel, message=posted.id)
    assert read == posted
    known = {name: value for name, value in change.result.items() if value is not PENDING}
    assert {name: plain(read)[name] for name in known} == known
    assert {name: plain(read)[name] for name in change.after} == change.after
    assert (posted.user, posted.bot) == (BOT_USER, BOT)


async def test_a_posts_undo_deletes_it_and_says_what_stays(desk: Desk, slack: SlackSandbox) -> None:
    change = await desk.prepare(POST, channel="#buyers", text="late")
    posted = await desk.send(POST, change)
    call = undo_of(desk, POST, change, posted, channel="#buyers", text="late")
    assert call.action.name == DELETE
    await desk.do(DELETE, **call.arguments)
    assert slack.texts(BUYERS) == []
    undo = desk.action(POST).undo
    assert isinstance(undo, Compensation)
    assert "notifications stay" in undo.leaves


async def test_an_answer_goes_into_the_thread(desk: Desk, slack: SlackSandbox) -> None:
    first = slack.say(BUYERS, "where is 4500000017?")
    answer = slack.say(BUYERS, "on a ship", thread=first)
    change = await desk.prepare(POST, channel="#buyers", text="late", thread=answer)
    assert change.tells == ("#buyers (12 members), in a thread",)
    assert change.after["thread"] == first, "the answer to an answer goes to the message that began the thread"
    posted = await desk.send(POST, change)
    assert posted.thread == first
    assert (await desk.read("messages.get", channel=BUYERS, message=first)).replies == 2
    assert [m.text for m in await desk.read("messages.list", channel=BUYERS)] == ["where is 4500000017?"]
    assert [m.text for m in await desk.read("messages.list", channel=BUYERS, thread=first)] == ["on a ship", "late"]


async def test_a_thread_that_is_not_there_is_refused_before_anybody_approves(desk: Desk) -> None:
    with pytest.raises(NotFound, match=r"no message 1\.000001"):
        await desk.prepare(POST, channel="#buyers", text="late", thread="1.000001")


async def test_people_outside_the_company_are_named(desk: Desk) -> None:
    change = await desk.prepare(POST, channel="#partners", text="late")
    assert "people outside the company read this channel" in change.notes


async def test_a_direct_message_tells_one_person(desk: Desk) -> None:
    change = await desk.prepare(POST, channel=DIRECT, text="late")
    assert change.tells == (f"@{BEA} (direct message)",)


async def test_a_crowd_is_counted_roughly_so_that_one_more_voids_no_approval(desk: Desk, slack: SlackSandbox) -> None:
    for count, said in ((1, "1 member"), (20, "20 members"), (21, "more than 20 members"), (30, "more than 20 members"),
                        (31, "more than 30 members"), (1234, "more than 1,000 members")):  # fmt: skip
        slack.channels[BUYERS]["members"] = [BOT_USER, *(f"U0X{n}" for n in range(count - 1))]
        assert (await desk.prepare(POST, channel="#buyers", text="late")).tells == (f"#buyers ({said})",)


async def test_an_account_outside_the_channel_is_told_so(desk: Desk, slack: SlackSandbox) -> None:
    slack.channels[BUYERS]["members"].remove(BOT_USER)
    change = await desk.prepare(POST, channel="#buyers", text="late")
    assert any("chat:write.public" in note for note in change.notes)
    with pytest.raises(AccessDenied, match="not_in_channel"):
        await desk.send(POST, change)


@pytest.mark.parametrize(
    ("channel", "text", "kind", "code"),
    [
        ("#old-orders", "late", Rejected, "is_archived"),
        (OLD, "late", Rejected, "is_archived"),
        ("#buyers", " \n", Rejected, "no_text"),
        ("#buyers", "<" * 10_001, Rejected, "msg_too_long"),
        (BOARD, "late", NotFound, "channel_not_found"),
        ("#nowhere", "late", NotFound, None),
    ],
)
async def test_what_slack_would_refuse_is_refused_before_anybody_approves(
    desk: Desk, channel: str, text: str, kind: type[Exception], code: str | None
) -> None:
    with pytest.raises(kind) as refused:
        await desk.prepare(POST, channel=channel, text=text)
    assert getattr(refused.value, "code", None) == code


async def test_a_strangers_mention_alerts_nobody_unless_the_plan_says_so(desk: Desk, slack: SlackSandbox) -> None:
    text = "note of the carrier: <!channel> pay <https://evil.example|bank.example>"
    change = await desk.prepare(POST, channel="#buyers", text=text)
    assert "<!channel>" not in change.after["text"]
    assert change.tells == ("#buyers (12 members)",)
    assert "<!channel> is sent as plain words" in change.notes[0]
    assert "https://evil.example (shown as 'bank.example')" in change.notes[1]
    loud = await desk.prepare(POST, channel="#buyers", text=text, alert=True)
    assert "<!channel>" in loud.after["text"]
    assert loud.tells == ("#buyers (12 members), alerted by <!channel>",)
    assert "alert" in desk.action(POST).targets


async def test_a_channel_that_does_not_exist_yet_is_left_for_later(desk: Desk) -> None:
    with pytest.raises(Rejected, match="once it is known"):
        await desk.prepare(POST, channel=placeholder("00000000000000ff", "make", "id"), text="late")


# --- update


async def test_an_update_shows_both_texts_and_its_undo_writes_the_old_one_back(desk: Desk, slack: SlackSandbox) -> None:
    posted = await desk.do(POST, channel="#buyers", text="late & lost <!here>", alert=True)
    arguments = {"channel": "#buyers", "message": posted.id, "text": "moved"}
    change = await desk.prepare(UPDATE, **arguments)
    assert change.before == {"channel": BUYERS, "text": "late &amp; lost <!here>"}
    assert change.after == {"channel": BUYERS, "text": "moved"}
    assert change.key == {"channel": BUYERS, "message": posted.id}
    assert not change.guarded
    updated = await desk.send(UPDATE, change)
    assert (updated.id, updated.text, updated.edited) == (posted.id, "moved", True)
    assert await desk.read("messages.get", channel=BUYERS, message=posted.id) == posted.model_copy(
        update={"text": "moved", "edited": True}
    )
    call = undo_of(desk, UPDATE, change, updated, **arguments)
    await desk.do(call.action.name, **call.arguments)
    assert slack.texts(BUYERS) == ["late &amp; lost <!here>"]


async def test_an_update_keeps_the_mark_of_the_post(desk: Desk, slack: SlackSandbox) -> None:
    posted = await desk.do(POST, channel="#buyers", text="late")
    await desk.do(UPDATE, channel="#buyers", message=posted.id, text="moved")
    assert slack.messages[BUYERS][0]["metadata"]["event_payload"] == {"key": KEY}


async def test_only_own_messages_are_changed_and_deleted(desk: Desk, slack: SlackSandbox) -> None:
    theirs = slack.say(BUYERS, "mine")
    for name, more in ((UPDATE, {"text": "yours"}), (DELETE, {})):
        with pytest.raises(AccessDenied, match=f"written by {BEA}"):
            await desk.prepare(name, channel=BUYERS, message=theirs, **more)


async def test_a_layout_that_a_text_would_replace_for_good_is_refused(desk: Desk, slack: SlackSandbox) -> None:
    section, text = {"type": "section"}, {"type": "rich_text"}
    laid_out = slack.say(BUYERS, "fallback", user=BOT_USER, blocks=[section, section, text])
    with pytest.raises(Rejected, match="in 2 blocks"):
        await desk.prepare(UPDATE, channel=BUYERS, message=laid_out, text="plain")
    plain_text = slack.say(BUYERS, "plain", user=BOT_USER, blocks=[text], attachments=[{}], files=[{}, {}])
    change = await desk.prepare(UPDATE, channel=BUYERS, message=plain_text, text="plainer")
    assert "its 1 attachments and 2 files stay" in change.notes


# --- delete


async def test_a_delete_shows_what_goes_and_says_that_it_is_final(desk: Desk, slack: SlackSandbox) -> None:
    posted = await desk.do(POST, channel="#buyers", text="late")
    slack.say(BUYERS, "thanks", thread=posted.id)
    change = await desk.prepare(DELETE, channel="#buyers", message=posted.id)
    assert change.before == {"channel": BUYERS, "user": BOT_USER, "text": "late", "thread": None, "files": 0}
    assert change.after is None
    assert change.notes == ("its 1 answers stay",)
    assert isinstance(desk.action(DELETE).undo, Irreversible)
    gone = await desk.send(DELETE, change)
    assert plain(gone) == change.result == {"id": posted.id, "channel": BUYERS}
    with pytest.raises(NotFound) as missing:
        await desk.read("messages.get", channel=BUYERS, message=posted.id)
    assert missing.value.code == "message_not_found"
    assert slack.texts(BUYERS) == ["This message was deleted.", "thanks"]


# --- what became of an unknown write


async def lose(desk: Desk, slack: SlackSandbox, name: str, method: str, *, arrives: bool, **arguments: Any) -> Any:
    """Send a write whose answer is lost, with or without its effect."""
    change = await desk.prepare(name, **arguments)
    slack.fail(path=method, after_commit=arrives)
    with pytest.raises(OutcomeUnknown):
        await desk.send(name, change)
    return change


async def test_a_lost_post_that_arrived_is_found_by_its_mark_among_equal_ones(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    slack.say(
        BUYERS, "late", user=BOT_USER, metadata={"event_type": "banksman_call", "event_payload": {"key": "other"}}
    )
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=True, **arguments)
    ours = slack.messages[BUYERS][-1]["ts"]
    for _ in range(250):
        slack.say(BUYERS, "late")
    found = await desk.reconcile(POST, change, since=datetime.now(timezone.utc) - timedelta(seconds=60), **arguments)
    assert (found.id, found.text) == (ours, "late")


async def test_a_lost_post_that_did_not_arrive_is_absent(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    slack.say(BUYERS, "late", user=BEA)
    slack.say(BUYERS, "something else", user=BOT_USER)
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=False, **arguments)
    assert await desk.reconcile(POST, change, **arguments) is ABSENT


async def test_an_equal_message_without_a_mark_is_for_a_person_to_judge(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=False, **arguments)
    slack.say(BUYERS, "late", user=BOT_USER)
    assert await desk.reconcile(POST, change, **arguments) is UNSURE


async def test_a_mark_that_another_account_copied_proves_nothing(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=False, **arguments)
    slack.say(BUYERS, "late", user=TOM, metadata={"event_type": "banksman_call", "event_payload": {"key": KEY}})
    assert await desk.reconcile(POST, change, **arguments) is ABSENT


async def test_a_lost_answer_is_found_in_its_thread(desk: Desk, slack: SlackSandbox) -> None:
    first = slack.say(BUYERS, "where is it?")
    arguments = {"channel": "#buyers", "text": "late", "thread": first}
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=True, **arguments)
    assert (await desk.reconcile(POST, change, **arguments)).thread == first
    slack.messages[BUYERS].clear()
    assert await desk.reconcile(POST, change, **arguments) is UNSURE


async def test_a_channel_that_is_gone_leaves_a_post_unsure(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=False, **arguments)
    del slack.channels[BUYERS]
    assert await desk.reconcile(POST, change, **arguments) is UNSURE


async def test_messages_before_the_write_are_not_looked_at(desk: Desk, slack: SlackSandbox) -> None:
    arguments = {"channel": "#buyers", "text": "late"}
    slack.say(BUYERS, "late", user=BOT_USER)
    change = await lose(desk, slack, POST, "chat.postMessage", arrives=False, **arguments)
    since = datetime.now(timezone.utc) + timedelta(minutes=10)
    assert await desk.reconcile(POST, change, since=since, **arguments) is ABSENT


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_lost_update_is_known_by_the_text(desk: Desk, slack: SlackSandbox, arrives: bool) -> None:
    posted = await desk.do(POST, channel="#buyers", text="late")
    arguments = {"channel": "#buyers", "message": posted.id, "text": "moved & paid"}
    change = await lose(desk, slack, UPDATE, "chat.update", arrives=arrives, **arguments)
    found = await desk.reconcile(UPDATE, change, **arguments)
    assert found is ABSENT if not arrives else found.text == "moved &amp; paid"
    slack.messages[BUYERS][0]["text"] = "a third text"
    assert await desk.reconcile(UPDATE, change, **arguments) is UNSURE
    slack.messages[BUYERS].clear()
    assert await desk.reconcile(UPDATE, change, **arguments) is UNSURE


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_lost_delete_is_known_by_what_is_left(desk: Desk, slack: SlackSandbox, arrives: bool) -> None:
    posted = await desk.do(POST, channel="#buyers", text="late")
    arguments = {"channel": "#buyers", "message": posted.id}
    change = await lose(desk, slack, DELETE, "chat.delete", arrives=arrives, **arguments)
    found = await desk.reconcile(DELETE, change, **arguments)
    assert found is ABSENT if not arrives else found.id == posted.id
    slack.fail(path="conversations.replies", answer=Answer(200, {"ok": False, "error": "channel_not_found"}))
    assert await desk.reconcile(DELETE, change, **arguments) is UNSURE


# --- read


async def test_a_list_keeps_to_its_window(desk: Desk, slack: SlackSandbox) -> None:
    stamps = [slack.say(BUYERS, text) for text in "abcd"]
    moments = [
        datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=int(s.replace(".", ""))) for s in stamps
    ]
    listed = await desk.read("messages.list", channel="#buyers", oldest=moments[0], latest=moments[3])
    assert [message.text for message in listed] == ["c", "b"]
    assert [m.text for m in await desk.read("messages.list", channel=BUYERS, oldest=stamps[1])] == ["d", "c"]
    assert [m.text for m in await desk.read("messages.list", channel=BUYERS, limit=2)] == ["d", "c"]


async def test_a_list_reads_as_many_pages_as_it_needs(desk: Desk, slack: SlackSandbox) -> None:
    for number in range(450):
        slack.say(LOGISTICS, str(number))
    listed = await desk.read("messages.list", channel="#logistics", limit=420)
    assert [message.text for message in listed] == [str(n) for n in range(449, 29, -1)]
    assert [call.path for call in slack.calls].count("/api/conversations.history") == 3


async def test_a_message_has_one_key_only(desk: Desk, slack: SlackSandbox) -> None:
    posted = slack.say(BUYERS, "hello")
    with pytest.raises(ArgumentError, match="channel"):
        await desk.read("messages.get", channel="#buyers", message=posted)
    for wrong in ("1", "1.5", "1.000001 ", "x", "1.000001\n"):
        with pytest.raises(ArgumentError, match="message"):
            await desk.read("messages.get", channel=BUYERS, message=wrong)


async def test_a_message_says_what_is_in_it_besides_text(desk: Desk, slack: SlackSandbox) -> None:
    posted = slack.say(PARTNERS, "<!here> click", user="U0PAT", subtype="me_message", attachments=[{}], files=[{}])
    read = await desk.read("messages.get", channel=PARTNERS, message=posted)
    assert (read.user, read.subtype, read.attachments, read.files, read.blocks) == ("U0PAT", "me_message", 1, 1, 0)


async def test_which_fields_a_stranger_can_write_is_marked(desk: Desk) -> None:
    fields = desk.action("messages.get").output_schema["properties"]
    assert {name for name, schema in fields.items() if "x-closed" not in str(schema)} == {"text"}
    channel = desk.action("channels.get").output_schema["properties"]
    assert {name for name, schema in channel.items() if "x-closed" not in str(schema)} == {"name", "topic", "purpose"}


async def test_the_probe_says_whom_the_token_speaks_for(desk: Desk, slack: SlackSandbox) -> None:
    probe = desk.opened.connector.probe
    assert probe is not None
    assert await probe(desk.opened.api) == f"Harbour Works as banksman (app {BOT_USER})"
    wrong = open_desk(slack.api_url, "no")
    with pytest.raises(Exception, match="invalid_auth"):
        await probe(wrong.opened.api)
    await wrong.opened.aclose()
