"""What Slack holds: messages, channels, people.

Ids, times, flags and counts are closed: Slack asserts them. Names, topics and texts are free: whoever is in the
workspace, or in a channel shared with another company, can have written them. Anybody in a channel can add messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from banksman import Closed, Record
from banksman.errors import MalformedAnswer

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CDG][A-Z0-9]{5,20}$")]
#: A channel as people write it: an id, or `#name`.
ChannelRef = Annotated[str, StringConstraints(pattern=r"^(?:[CDG][A-Z0-9]{5,20}|#[^\s#,<>&|]{1,80})$")]
#: Slack's `ts`: seconds since 1970 and a counter, which together identify a message within its channel.
MessageId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}\.[0-9]{6}$")]
UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
BotId = Annotated[str, StringConstraints(pattern=r"^B[A-Z0-9]{2,20}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,20}$")]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,60}$")]


class SlackRecord(Record):
    """What can be read out of an answer of Slack."""

    @classmethod
    def parse(cls, raw: Any, **known: str) -> Self:
        """From an object of Slack's; `known` is what it does not say itself.

        Raises:
            MalformedAnswer: it has another shape.
            pydantic.ValidationError: a field has another type; actions report it as MalformedAnswer.
        """
        try:
            return cls(**cls._fields(raw), **known)
        except (AttributeError, LookupError, TypeError) as error:
            raise MalformedAnswer(f"Slack sent no {cls.__name__.lower()} that can be read: {error}") from None

    @classmethod
    def _fields(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        return dict(raw)


class Message(SlackRecord):
    """One message. https://docs.slack.dev/reference/events/message"""

    id: Closed[MessageId] = Field(description="Slack's ts", examples=["1767225600.000100"])
    channel: Closed[ChannelId] = Field(description="the channel's id", examples=["C0BUYERS"])
    text: str = Field(description="the text, in Slack's mrkdwn", examples=["PO 4500000017 moves to 2026-02-03"])
    user: Closed[UserId] | None = Field(default=None, description="who wrote it", examples=["U0BEA"])
    bot: Closed[BotId] | None = Field(default=None, description="the bot that wrote it", examples=["B0BANKSMAN"])
    thread: Closed[MessageId] | None = Field(
        default=None, description="the message it answers; none for one at the top", examples=["1767225600.000100"]
    )
    replies: Closed[int] = Field(default=0, description="how many messages answer it", examples=[2])
    edited: Closed[bool] = Field(default=False, description="whether it was changed since", examples=[False])
    subtype: Closed[_Word] | None = Field(
        default=None, description="what kind, where it is no ordinary message", examples=["channel_join"]
    )
    blocks: Closed[int] = Field(default=0, description="layout blocks, which show instead of the text", examples=[0])
    attachments: Closed[int] = Field(default=0, description="attachments, link previews included", examples=[0])
    files: Closed[int] = Field(default=0, description="files shared with it", examples=[0])

    @classmethod
    def _fields(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        thread = raw.get("thread_ts")
        return {
            "id": raw["ts"],
            "text": raw.get("text") or "",
            "user": raw.get("user") or None,
            "bot": raw.get("bot_id") or None,
            "thread": thread if thread != raw["ts"] else None,
            "replies": raw.get("reply_count") or 0,
            "edited": bool(raw.get("edited")),
            "subtype": raw.get("subtype") or None,
            # Slack itself makes a rich_text block of every plain text.
            "blocks": sum(1 for block in raw.get("blocks") or () if block.get("type") != "rich_text"),
            "attachments": len(raw.get("attachments") or ()),
            "files": len(raw.get("files") or ()),
        }


class DeletedMessage(SlackRecord):
    """A message that is gone."""

    id: Closed[MessageId] = Field(description="Slack's ts", examples=["1767225600.000100"])
    channel: Closed[ChannelId] = Field(description="the channel's id", examples=["C0BUYERS"])

    @classmethod
    def _fields(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": raw["ts"], "channel": raw["channel"]}


class Channel(SlackRecord):
    """A channel or a direct message. https://docs.slack.dev/reference/objects/conversation-object"""

    id: Closed[ChannelId] = Field(description="the id", examples=["C0BUYERS"])
    name: str = Field(default="", description="the name without #; none for a direct message", examples=["buyers"])
    topic: str = Field(default="", description="the topic", examples=["Purchase orders"])
    purpose: str = Field(default="", description="what it is for", examples=["Changes to purchase orders"])
    private: Closed[bool] = Field(default=False, description="whether only members see it", examples=[False])
    archived: Closed[bool] = Field(default=False, description="whether it is closed for good", examples=[False])
    external: Closed[bool] = Field(
        default=False, description="whether people of another company are in it, or invited", examples=[False]
    )
    member: Closed[bool] = Field(
        default=False, description="whether the connection's account is in it", examples=[True]
    )
    members: Closed[int] | None = Field(default=None, description="how many are in it", examples=[12])
    person: Closed[UserId] | None = Field(
        default=None, description="the other one in a direct message", examples=["U0BEA"]
    )

    @classmethod
    def _fields(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": raw["id"],
            "name": "" if raw.get("is_im") else raw.get("name") or "",
            "topic": (raw.get("topic") or {}).get("value") or "",
            "purpose": (raw.get("purpose") or {}).get("value") or "",
            "private": bool(raw.get("is_private") or raw.get("is_im")),
            "archived": bool(raw.get("is_archived")),
            "external": bool(raw.get("is_ext_shared") or raw.get("is_pending_ext_shared")),
            "member": bool(raw.get("is_member") or raw.get("is_im")),
            "members": raw.get("num_members"),
            "person": raw.get("user") if raw.get("is_im") else None,
        }


class User(SlackRecord):
    """A person or a bot of the workspace. https://docs.slack.dev/reference/objects/user-object"""

    id: Closed[UserId] = Field(description="the id", examples=["U0BEA"])
    name: str = Field(description="the handle", examples=["bea"])
    real_name: str = Field(default="", description="the full name, as they wrote it", examples=["Bea Buyer"])
    email: str | None = Field(
        default=None, description="the address; none without the scope users:read.email", examples=["bea@works.example"]
    )
    team: Closed[TeamId] | None = Field(default=None, description="the workspace", examples=["T0WORKS"])
    bot: Closed[bool] = Field(default=False, description="whether it is an app's bot", examples=[False])
    deleted: Closed[bool] = Field(default=False, description="whether the account is closed", examples=[False])
    guest: Closed[bool] = Field(default=False, description="whether it may use some channels only", examples=[False])
    external: Closed[bool] = Field(default=False, description="whether it is of another company", examples=[False])

    @classmethod
    def _fields(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        profile = raw.get("profile") or {}
        return {
            "id": raw["id"],
            "name": raw.get("name") or "",
            "real_name": profile.get("real_name") or raw.get("real_name") or "",
            "email": profile.get("email") or None,
            "team": raw.get("team_id") or None,
            "bot": bool(raw.get("is_bot")),
            "deleted": bool(raw.get("deleted")),
            "guest": bool(raw.get("is_restricted") or raw.get("is_ultra_restricted")),
            "external": bool(raw.get("is_stranger")),
        }
