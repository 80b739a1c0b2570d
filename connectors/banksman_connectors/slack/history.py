"""The messages of a channel as Slack keeps them: ordered by `ts`, each by one account, some with a mark of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timezone
from typing import Any

from banksman_connectors.slack.api import Identity, SlackApi

#: What marks a message of ours, in its metadata (https://docs.slack.dev/messaging/message-metadata).
_EVENT = "banksman_call"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def raw_messages(
    api: SlackApi, channel: str, thread: str | None, *, most: int, **window: Any
) -> AsyncIterator[dict[str, Any]]:
    """The messages at the top of a channel, newest first; or a thread, beginning with the message it answers."""
    if thread is None:
        return api.listed(api.web.conversations_history, "messages", most=most, channel=channel, **window)
    return api.listed(api.web.conversations_replies, "messages", most=most, channel=channel, ts=thread, **window)


def timestamp(moment: datetime) -> str:
    """A time as Slack writes it; one without a zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    passed = aware - _EPOCH
    return f"{passed.days * 86_400 + passed.seconds}.{passed.microseconds:06d}"


def later(one: str, other: str) -> bool:
    """Whether one `ts` comes after another. They are no numbers: a float would lose digits."""
    return _parts(one) > _parts(other)


def _parts(ts: str) -> tuple[int, int]:
    seconds, _, count = ts.partition(".")
    return int(seconds), int(count or 0)


def wrote(me: Identity, user: str | None, bot: str | None) -> bool:
    """Whether an account wrote what has this user and bot."""
    return user == me.user or (bot is not None and bot == me.bot)


def mark(key: str) -> dict[str, Any] | None:
    """The metadata that marks a message as the one of a call. Everybody in the workspace can read it."""
    return {"event_type": _EVENT, "event_payload": {"key": key}} if key else None


def marked(raw: Mapping[str, Any]) -> str | None:
    """The key that marks a message; empty where its metadata is somebody else's, None where it has none."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    payload = metadata.get("event_payload")
    if metadata.get("event_type") != _EVENT or not isinstance(payload, Mapping):
        return ""
    return str(payload.get("key"))
