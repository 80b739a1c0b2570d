"""Messages: post, change, delete, read.

A message is known by its channel's id and its own (Slack's `ts`). Texts are Slack's mrkdwn, both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from banksman import (
    ABSENT,
    PENDING,
    UNSURE,
    BoundCall,
    Change,
    Compensation,
    Effect,
    Irreversible,
    Receipt,
    Sent,
    action,
    write,
)
from banksman._record import Placeholder
from banksman.errors import AccessDenied, NotFound, Rejected
from banksman_connectors.slack import mrkdwn
from banksman_connectors.slack.actions.channels import get_channel
from banksman_connectors.slack.api import Identity, SlackApi
from banksman_connectors.slack.errors import body_of
from banksman_connectors.slack.history import later, mark, marked, raw_messages, timestamp, wrote
from banksman_connectors.slack.models import (
    Channel,
    ChannelId,
    ChannelRef,
    DeletedMessage,
    Message,
    MessageId,
)

_METHODS = "https://docs.slack.dev/reference/methods"
#: Slack cuts off what is longer (https://docs.slack.dev/reference/methods/chat.postMessage#truncating).
_LONGEST = 40_000
#: Slack's clock and ours may differ by this much.
_SKEW = timedelta(minutes=5)
#: How many messages a reconcile looks through before it gives up.
_SEARCHED = 2_000
_GONE = frozenset({"message_not_found", "thread_not_found"})


@action(
    "messages.list",
    effect=Effect.READ,
    entity="Message",
    key_fields=("channel", "id"),
    scopes=("channels:history",),
    docs=f"{_METHODS}/conversations.history",
)
async def list_messages(
    api: SlackApi,
    channel: ChannelRef,
    limit: Annotated[int, Field(ge=1, le=1000)] = 50,
    oldest: datetime | None = None,
    latest: datetime | None = None,
    thread: MessageId | None = None,
) -> list[Message]:
    """The newest messages of a channel, newest first; or the answers to one message, oldest first.

    Args:
        channel: the channel's id, or #name.
        limit: how many at most.
        oldest: only later ones.
        latest: only earlier ones.
        thread: list the answers to this message.
    """
    where = (await _channel(api, channel)).id
    after = timestamp(oldest) if oldest else None
    before = timestamp(latest) if latest else None
    found: list[Message] = []
    async for raw in raw_messages(api, where, thread, most=limit + (thread is not None), oldest=after, latest=before):
        message = Message.parse(raw, channel=where)
        # Not every server keeps to the window, and a thread always starts with the message that is answered.
        inside = (after is None or later(message.id, after)) and (before is None or later(before, message.id))
        if inside and message.id != thread:
            found.append(message)
    return found


@action(
    "messages.get",
    effect=Effect.READ,
    entity="Message",
    key=("channel", "message"),
    scopes=("channels:history",),
    docs=f"{_METHODS}/conversations.replies",
)
async def get_message(api: SlackApi, channel: ChannelId, message: MessageId) -> Message:
    """One message, wherever it stands in its channel.

    Args:
        channel: the channel's id. No name: the record must have one key only.
        message: its id.
    """
    # The history of a channel leaves out answers; this method gives any message by its own ts.
    only: dict[str, Any] = {"oldest": message, "latest": message, "inclusive": True}
    try:
        async for raw in api.listed(
            api.web.conversations_replies, "messages", most=10, channel=channel, ts=message, **only
        ):
            # A deleted message with answers leaves a stub behind.
            if raw.get("ts") == message and raw.get("subtype") != "tombstone":
                return Message.parse(raw, channel=channel)
    except NotFound as error:
        if error.code not in _GONE:
            raise
    raise NotFound(f"there is no message {message} in {channel}", code="message_not_found")


def delete_posted(receipt: Receipt[Message]) -> BoundCall:
    """The call that deletes what was posted."""
    return delete_message.call(channel=receipt.result["channel"], message=receipt.result["id"])


async def find_posted(api: SlackApi, sent: Sent[Message]) -> Any:
    """The message that carries the key of the call in its metadata.

    A message of the same account with the same text and no mark may be ours, on a server that drops metadata, or
    another program's: then a person must look.
    """
    shown = sent.after or {}
    channel, thread, since = shown["channel"], shown.get("thread"), timestamp(sent.since - _SKEW)
    me = await api.me()
    seen, doubtful = 0, False
    try:
        async for raw in raw_messages(api, channel, thread, most=_SEARCHED, oldest=since, include_all_metadata=True):
            seen += 1
            if not wrote(me, raw.get("user"), raw.get("bot_id")) or not later(raw["ts"], since):
                continue
            key = marked(raw)
            if sent.key and key == sent.key:
                return Message.parse(raw, channel=channel)
            doubtful = doubtful or (key is None and raw.get("text") == shown["text"])
    except NotFound:
        # The channel or the thread is gone, and the message with it, if it was there.
        return UNSURE
    return UNSURE if doubtful or seen >= _SEARCHED else ABSENT


@write(
    "messages.post",
    effect=Effect.SEND,
    targets=("channel", "thread", "alert"),
    entity="Message",
    undo=Compensation(delete_posted, leaves="who has read it has read it; notifications stay"),
    reconcile=find_posted,
    scopes=("chat:write", "channels:read"),
    capability="message.send",
    docs=f"{_METHODS}/chat.postMessage",
)
async def post_message(
    api: SlackApi, channel: ChannelRef, text: str, thread: MessageId | None = None, alert: bool = False
) -> Change[Message]:
    """Post a message to a channel, or answer one in its thread.

    Args:
        channel: the channel's id, or #name.
        text: in Slack's mrkdwn. Links are not unfolded into previews, which would have Slack fetch them.
        thread: the message that is answered.
        alert: whether <!channel>, <!here> and the like in the text alert people; otherwise they are plain words.
    """
    where = await _channel(api, channel, writing=True)
    content = _content(text, alert)
    notes = [*_channel_notes(where), *mrkdwn.notes(text, content)]
    answered = await _answered(api, where.id, thread)
    me = await api.me()
    request = await api.built(
        api.web.chat_postMessage,
        channel=where.id,
        text=content,
        thread_ts=answered,
        metadata=mark(api.call_key),
        # What is shown is what Slack keeps: it must not look for links or names of its own.
        parse="none",
        link_names=False,
        # A preview makes Slack fetch the address, and so tells its owner what the address says.
        unfurl_links=False,
        unfurl_media=False,
    )
    shown = {"channel": where.id, "text": content, **({"thread": answered} if answered else {})}
    return Change(
        entity="Message",
        key={"channel": where.id, "message": PENDING},
        before=None,
        after=shown,
        requests=(request,),
        receive=lambda response: _received(body_of(response)),
        result={"id": PENDING, **shown, "thread": answered, "user": me.user, "bot": PENDING, **_ONLY_TEXT},
        tells=(_audience(where, content, answered),),
        notes=tuple(notes),
    )


def restore_text(receipt: Receipt[Message]) -> BoundCall:
    """The call that writes the old text back."""
    before = receipt.before or {}
    return update_message.call(
        channel=before["channel"],
        message=receipt.arguments["message"],
        text=before["text"],
        alert=bool(mrkdwn.broadcasts(before["text"])),
    )


async def find_updated(api: SlackApi, sent: Sent[Message]) -> Any:
    """The message, if it has the new text. Only the account itself can change its messages."""
    before, after = sent.before or {}, sent.after or {}
    try:
        now = await get_message(api, channel=after["channel"], message=sent.arguments["message"])
    except NotFound:
        return UNSURE
    if now.text == after["text"]:
        return now
    return ABSENT if now.text == before["text"] else UNSURE


@write(
    "messages.update",
    effect=Effect.WRITE,
    targets=("channel", "message", "alert"),
    entity="Message",
    undo=restore_text,
    reconcile=find_updated,
    scopes=("chat:write", "channels:history"),
    docs=f"{_METHODS}/chat.update",
)
async def update_message(
    api: SlackApi, channel: ChannelRef, message: MessageId, text: str, alert: bool = False
) -> Change[Message]:
    """Change the text of a message that the account wrote.

    Args:
        channel: the channel's id, or #name.
        message: its id.
        text: the whole new text, in Slack's mrkdwn.
        alert: whether <!channel>, <!here> and the like stay what they are; otherwise they are plain words.
    """
    where = await _channel(api, channel, writing=True)
    old: Message = await api.read(get_message, channel=where.id, message=message)
    _own(old, await api.me(), "cant_update_message")
    if old.blocks:
        raise Rejected(
            f"message {message} is laid out in {old.blocks} blocks, which a new text would replace for good",
            hint="Post a new message instead, or answer this one.",
        )
    content = _content(text, alert)
    notes = [*_channel_notes(where), *mrkdwn.notes(text, content)]
    if old.attachments or old.files:
        notes.append(f"its {old.attachments} attachments and {old.files} files stay")
    request = await api.built(
        api.web.chat_update, channel=where.id, ts=message, text=content, parse="none", link_names=False
    )
    return Change(
        entity="Message",
        key={"channel": where.id, "message": message},
        before={"channel": where.id, "text": old.text},
        after={"channel": where.id, "text": content},
        requests=(request,),
        receive=lambda response: _received(body_of(response)).model_copy(update={"edited": True}),
        result={**old.model_dump(warnings=False), "text": content, "edited": True},
        notes=tuple(notes),
    )


async def find_deleted(api: SlackApi, sent: Sent[DeletedMessage]) -> Any:
    """Whether the message is gone, and only the message: a channel that cannot be seen proves nothing."""
    channel, message = (sent.before or {})["channel"], sent.arguments["message"]
    try:
        await get_message(api, channel=channel, message=message)
    except NotFound as error:
        return DeletedMessage(id=message, channel=channel) if error.code in _GONE else UNSURE
    return ABSENT


@write(
    "messages.delete",
    effect=Effect.DESTROY,
    targets=("channel", "message"),
    entity="Message",
    undo=Irreversible("Slack does not restore deleted messages; its text can only be posted as a new one"),
    reconcile=find_deleted,
    scopes=("chat:write", "channels:history"),
    docs=f"{_METHODS}/chat.delete",
)
async def delete_message(api: SlackApi, channel: ChannelRef, message: MessageId) -> Change[DeletedMessage]:
    """Delete a message for everybody.

    Args:
        channel: the channel's id, or #name.
        message: its id.
    """
    where = await _channel(api, channel, writing=True)
    old: Message = await api.read(get_message, channel=where.id, message=message)
    me = await api.me()
    if me.bot is not None:
        # A person's token may have an administrator's rights, which show only when it is tried.
        _own(old, me, "cant_delete_message")
    request = await api.built(api.web.chat_delete, channel=where.id, ts=message)
    shown = {"channel": where.id, "user": old.user, "text": old.text, "thread": old.thread, "files": old.files}
    return Change(
        entity="Message",
        key={"channel": where.id, "message": message},
        before=shown,
        after=None,
        requests=(request,),
        receive=lambda response: DeletedMessage.parse(body_of(response)),
        result={"id": message, "channel": where.id},
        notes=(f"its {old.replies} answers stay",) if old.replies else (),
    )


#: What a new message that is only text does not have.
_ONLY_TEXT = {"replies": 0, "edited": False, "subtype": None, "blocks": 0, "attachments": 0, "files": 0}


async def _channel(api: SlackApi, channel: str, *, writing: bool = False) -> Channel:
    if isinstance(channel, Placeholder):
        raise Rejected("who reads a channel can be told only once it is known which channel it is")
    found: Channel = await api.read(get_channel, channel=channel)
    if writing and found.archived:
        raise Rejected(f"#{found.name} ({found.id}) is archived", code="is_archived", hint="Choose another channel.")
    return found


async def _answered(api: SlackApi, channel: str, message: str | None) -> str | None:
    """The message that begins the thread of a message."""
    if message is None:
        return None
    found: Message = await api.read(get_message, channel=channel, message=message)
    return found.thread or found.id


def _audience(channel: Channel, content: str, answered: str | None) -> str:
    """Who is told, and how loudly."""
    told = f"@{channel.person} (direct message)" if channel.person else _members(channel)
    thread = ", in a thread" if answered else ""
    alerting = mrkdwn.broadcasts(content)
    return told + thread + (f", alerted by {', '.join(alerting)}" if alerting else "")


def _members(channel: Channel) -> str:
    """A channel and its size. Approval covers it, so a crowd is counted roughly: people come and go."""
    count = channel.members
    if count is not None and count > 20:
        step = 10 ** (len(str(count)) - 1)
        members = f"more than {(count - 1) // step * step:,} members"
    else:
        members = "1 member" if count == 1 else f"{'unknown' if count is None else count} members"
    return f"#{channel.name or channel.id} ({'private, ' if channel.private else ''}{members})"


def _channel_notes(channel: Channel) -> list[str]:
    found = []
    if channel.external:
        found.append("people outside the company read this channel")
    if not channel.member:
        found.append(f"the account is not in #{channel.name}; Slack then wants the scope chat:write.public")
    return found


def _content(text: str, alert: bool) -> str:
    content = mrkdwn.written(text, alert=alert)
    if not content.strip():
        raise Rejected("the text is empty", code="no_text")
    if len(content) > _LONGEST:
        raise Rejected(
            f"the text has {len(content):,} characters once it is escaped; Slack would cut it off at {_LONGEST:,}",
            code="msg_too_long",
        )
    return content


def _own(message: Message, me: Identity, code: str) -> None:
    if not wrote(me, message.user, message.bot):
        raise AccessDenied(
            f"message {message.id} was written by {message.user or message.bot}, not by {me.user}",
            code=code,
            hint="An account can change and delete only its own messages.",
        )


def _received(body: Mapping[str, Any]) -> Message:
    return Message.parse({**body["message"], "ts": body["ts"]}, channel=body["channel"])
