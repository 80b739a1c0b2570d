"""A workspace on loopback that answers as Slack documents it, for demos and tests.

    with SlackSandbox() as slack:
        ...  # base_url: slack.api_url, token: slack.token; the bot is @banksman

It has the methods that this connector uses. Like Slack, it takes them by GET and POST, as forms and as JSON, and
answers 200 also when it refuses.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from banksman.testing.sandbox import Answer, Call, Sandbox

TEAM = {"id": "T0WORKS", "name": "Harbour Works"}
BOT_USER, BOT = "U0BANKSMAN", "B0BANKSMAN"
BEA, TOM, PAT = "U0BEA", "U0TOM", "U0PAT"
BUYERS, LOGISTICS, BOARD, PARTNERS, OLD = "C0BUYERS", "C0LOGISTICS", "C0BOARD", "C0PARTNERS", "C0OLDORDERS"
DIRECT = "D0BEABOT"

_SCOPES = "channels:history,channels:read,chat:write,groups:read,users:read,users:read.email"
_NEEDED = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.info": "channels:read",
    "conversations.list": "channels:read",
    "conversations.members": "channels:read",
    "users.list": "users:read",
    "users.info": "users:read",
    "users.lookupByEmail": "users:read.email",
}
_LONGEST = 40_000


class Refusal(Exception):
    """A code that Slack would answer with."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.body = {"ok": False, "error": code, **more}


class SlackSandbox(Sandbox):
    """The workspace Harbour Works: #buyers, #logistics, #board (private), #partners (shared), #old-orders (archived).

    Args:
        token: what callers must send; drawn at random unless given.
        scopes: what the token may do, comma-separated.
    """

    title = "Slack sandbox"

    def __init__(self, *, token: str | None = None, scopes: str = _SCOPES) -> None:
        super().__init__(token=token)
        self.scopes = scopes
        self.users = _users()
        self.channels = _channels()
        self.messages: dict[str, list[dict[str, Any]]] = {channel: [] for channel in self.channels}
        self._last = 0

    @property
    def api_url(self) -> str:
        """What a connection takes as base_url."""
        return f"{self.url}/api"

    def say(self, channel: str, text: str, *, user: str = BEA, thread: str | None = None, **more: Any) -> str:
        """Somebody writes a message. Returns its `ts`."""
        with self._lock:
            return str(self._add(channel, {"user": user, "text": text, "thread_ts": thread, **more})["ts"])

    def texts(self, channel: str) -> list[str]:
        """What stands in a channel, threads included, oldest first."""
        with self._lock:
            return [message["text"] for message in self.messages[channel]]

    def refused(self, call: Call) -> Answer:
        """Slack refuses an unknown token with 200."""
        given = call.headers.get("authorization")
        return Answer(200, {"ok": False, "error": "invalid_auth" if given else "not_authed"})

    def handle(self, call: Call) -> Answer:
        name = call.path.removeprefix("/api/")
        method = self._methods().get(name)
        try:
            if method is None:
                raise Refusal("unknown_method", req_method=name)
            needed = _NEEDED.get(name)
            if needed and needed not in self.scopes.split(","):
                raise Refusal("missing_scope", needed=needed, provided=self.scopes)
            return Answer(200, {"ok": True, **method(_arguments(call))})
        except Refusal as refusal:
            return Answer(200, refusal.body)

    def _methods(self) -> dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        return {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.info": self._info,
            "conversations.list": self._list,
            "conversations.members": lambda given: _page(self._channel(given)["members"], "members", given),
            "users.list": lambda given: _page(list(self.users.values()), "members", given),
            "users.info": lambda given: {"user": self._user(str(given.get("user")))},
            "users.lookupByEmail": self._by_email,
        }

    # --- the account and the people

    def _auth_test(self, given: Mapping[str, Any]) -> dict[str, Any]:
        team = {"team": TEAM["name"], "team_id": TEAM["id"]}
        return {"url": f"{self.url}/", **team, "user": "banksman", "user_id": BOT_USER, "bot_id": BOT}

    def _user(self, user: str) -> dict[str, Any]:
        if user not in self.users:
            raise Refusal("user_not_found")
        return self.users[user]

    def _by_email(self, given: Mapping[str, Any]) -> dict[str, Any]:
        for user in self.users.values():
            if given.get("email") and user["profile"].get("email") == given["email"] and not user["deleted"]:
                return {"user": user}
        raise Refusal("users_not_found")

    # --- channels

    def _channel(self, given: Mapping[str, Any], *, member: bool = False) -> dict[str, Any]:
        channel = self.channels.get(str(given.get("channel")))
        if channel is None or (channel["is_private"] and BOT_USER not in channel["members"]):
            raise Refusal("channel_not_found")
        if member and BOT_USER not in channel["members"]:
            raise Refusal("not_in_channel")
        return channel

    def _list(self, given: Mapping[str, Any]) -> dict[str, Any]:
        types = str(given.get("types") or "public_channel").split(",")
        if "private_channel" in types and "groups:read" not in self.scopes.split(","):
            raise Refusal("missing_scope", needed="groups:read", provided=self.scopes)
        found = [
            _shown(channel)
            for channel in self.channels.values()
            if not channel["is_im"]
            and ("private_channel" if channel["is_private"] else "public_channel") in types
            and (not channel["is_private"] or BOT_USER in channel["members"])
            and not (channel["is_archived"] and _true(given.get("exclude_archived")))
        ]
        return _page(found, "channels", given)

    def _info(self, given: Mapping[str, Any]) -> dict[str, Any]:
        shown = _shown(self._channel(given))
        if not _true(given.get("include_num_members")):
            shown.pop("num_members", None)
        return {"channel": shown}

    # --- messages

    def _add(self, channel: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        # Unique and rising, also when the clock stands still or is set back.
        self._last = max(self._last + 1, time.time_ns() // 1000)
        ts = f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"
        message = {"type": "message", "ts": ts, **{name: value for name, value in fields.items() if value is not None}}
        self.messages[channel].append(message)
        return message

    def _post(self, given: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(given, member=True)
        if channel["is_archived"]:
            raise Refusal("is_archived")
        text, extra = _text(given)
        metadata = _object(given.get("metadata"), "invalid_metadata_format")
        message = self._add(
            channel["id"],
            {
                "user": BOT_USER,
                "bot_id": BOT,
                "team": TEAM["id"],
                "text": text,
                "thread_ts": given.get("thread_ts"),
                "metadata": metadata or None,
            },
        )
        return {"channel": channel["id"], "ts": message["ts"], "message": _seen(message, metadata=True), **extra}

    def _own(self, given: Mapping[str, Any], code: str) -> tuple[str, dict[str, Any]]:
        channel = self._channel(given)["id"]
        for message in self.messages[channel]:
            if message["ts"] == given.get("ts") and message.get("subtype") != "tombstone":
                if message["user"] != BOT_USER:
                    raise Refusal(code)
                return channel, message
        raise Refusal("message_not_found")

    def _update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        channel, message = self._own(given, "cant_update_message")
        text, extra = _text(given)
        self._last += 1
        edited = {"user": BOT, "ts": f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"}
        # A new text without blocks takes the place of the old blocks.
        message.pop("blocks", None)
        message.update(text=text, edited=edited)
        shown = {"channel": channel, "ts": message["ts"], "text": text}
        return {**shown, "message": {"text": text, "user": BOT_USER, "edited": edited}, **extra}

    def _delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        channel, message = self._own(given, "cant_delete_message")
        answered = any(other.get("thread_ts") == message["ts"] for other in self.messages[channel])
        if answered:
            message.clear()
            message.update(
                type="message", subtype="tombstone", user="USLACKBOT", text="This message was deleted.", ts=given["ts"]
            )
        else:
            self.messages[channel].remove(message)
        return {"channel": channel, "ts": given["ts"]}

    def _history(self, given: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(given, member=True)["id"]
        top = [message for message in self.messages[channel] if message.get("thread_ts") in (None, message["ts"])]
        found = [self._with_replies(channel, message) for message in reversed(top) if _inside(message, given)]
        return _page(_seen_all(found, given), "messages", given)

    def _replies(self, given: Mapping[str, Any]) -> dict[str, Any]:
        channel, ts = self._channel(given, member=True)["id"], given.get("ts")
        wanted = [message for message in self.messages[channel] if message["ts"] == ts]
        if not wanted:
            raise Refusal("thread_not_found")
        root = wanted[0].get("thread_ts") or ts
        thread = [message for message in self.messages[channel] if root in (message["ts"], message.get("thread_ts"))]
        # The message that is answered comes first, whatever the window.
        found = [
            self._with_replies(channel, message)
            for message in thread
            if message["ts"] == root or _inside(message, given)
        ]
        return _page(_seen_all(found, given), "messages", given)

    def _with_replies(self, channel: str, message: dict[str, Any]) -> dict[str, Any]:
        count = sum(1 for other in self.messages[channel] if other.get("thread_ts") == message["ts"] != other["ts"])
        return {**message, "thread_ts": message["ts"], "reply_count": count} if count else message


def _arguments(call: Call) -> Mapping[str, Any]:
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            given = call.json
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise Refusal("invalid_json")
        return {**call.query, **given}
    return {**call.query, **call.form}


def _true(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")


def _object(value: Any, code: str) -> dict[str, Any]:
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise Refusal(code) from None
    if parsed is not None and not isinstance(parsed, dict):
        raise Refusal(code)
    return parsed or {}


def _text(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    text = given.get("text") or ""
    if not isinstance(text, str) or not text.strip():
        raise Refusal("no_text")
    if len(text) <= _LONGEST:
        return text, {}
    warned = {"warnings": ["message_truncated"], "messages": ["[WARN] The message was cut off"]}
    return text[:_LONGEST], {"warning": "message_truncated", "response_metadata": warned}


def _inside(message: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether a message lies in the window that was asked for; its edges count if `inclusive` says so."""

    def micros(ts: Any) -> int:
        seconds, _, fraction = str(ts).partition(".")
        return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)

    edge = 1 if _true(given.get("inclusive")) else 0
    at = micros(message["ts"])
    after = not given.get("oldest") or at > micros(given["oldest"]) - edge
    return after and (not given.get("latest") or at < micros(given["latest"]) + edge)


def _seen(message: Mapping[str, Any], *, metadata: bool) -> dict[str, Any]:
    """A message as a caller sees it: without being asked for, metadata shows its type only."""
    shown = dict(message)
    if "metadata" in shown and not metadata:
        shown["metadata"] = {"event_type": shown["metadata"].get("event_type")}
    return shown


def _seen_all(messages: list[dict[str, Any]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_seen(message, metadata=_true(given.get("include_all_metadata"))) for message in messages]


def _page(items: list[Any], within: str, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        start = int(str(given.get("cursor") or "next:0").removeprefix("next:"))
    except ValueError:
        raise Refusal("invalid_cursor") from None
    end = start + max(1, min(int(given.get("limit") or 100), 1000))
    more = end < len(items)
    cursor = {"response_metadata": {"next_cursor": f"next:{end}" if more else ""}}
    return {within: items[start:end], **({"has_more": more} if within == "messages" else {}), **cursor}


def _shown(channel: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in channel.items() if name != "members"}
    return {**shown, "is_member": BOT_USER in channel["members"], "num_members": len(channel["members"])}


def _users() -> dict[str, dict[str, Any]]:
    def user(key: str, name: str, real: str, **more: Any) -> dict[str, Any]:
        profile = {"real_name": real, **({} if more.get("is_bot") else {"email": f"{name}@harbour-works.example"})}
        flags = {"deleted": False, "is_bot": False, "is_restricted": False, **more}
        return {"id": key, "team_id": TEAM["id"], "name": name, "real_name": real, "profile": profile, **flags}

    listed = [
        user(BEA, "bea", "Bea Buyer"),
        user(TOM, "tom", "Tom Trucks"),
        user(PAT, "pat", "Pat Partner", team_id="T0PARTNER", is_stranger=True),
        user(BOT_USER, "banksman", "Banksman", is_bot=True),
    ]
    return {one["id"]: one for one in listed}


def _channels() -> dict[str, dict[str, Any]]:
    def channel(key: str, name: str, topic: str, members: list[str], **more: Any) -> dict[str, Any]:
        flags = {"is_channel": True, "is_im": False, "is_private": False, "is_archived": False, "is_ext_shared": False}
        topics = {"topic": {"value": topic}, "purpose": {"value": ""}}
        return {"id": key, "name": name, **topics, "members": members, **flags, **more}

    # Colleagues who never say anything, so that #buyers has twelve members.
    crowd = [f"U0CROWD{number:02}" for number in range(10)]
    direct = channel(DIRECT, "", "", [BEA, BOT_USER], is_channel=False, is_im=True, is_private=True, user=BEA)
    listed = [
        channel(BUYERS, "buyers", "Purchase orders", [BEA, BOT_USER, *crowd]),
        channel(LOGISTICS, "logistics", "Late shipments", [TOM, BOT_USER]),
        channel(BOARD, "board", "", [TOM], is_private=True),
        channel(PARTNERS, "partners", "With Partner Ltd", [BEA, PAT, BOT_USER], is_ext_shared=True),
        channel(OLD, "old-orders", "", [BEA, BOT_USER], is_archived=True),
        direct,
    ]
    return {one["id"]: one for one in listed}
