"""Channels: find them, and say who is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field

from banksman import Effect, action
from banksman.errors import AccessDenied, NotFound
from banksman_connectors.slack.api import SlackApi
from banksman_connectors.slack.models import Channel, ChannelRef

_METHODS = "https://docs.slack.dev/reference/methods"
#: Slack answers with fewer than 1,000 channels at once.
_PAGE = 999
_MOST = 20_000


@action(
    "channels.list",
    effect=Effect.READ,
    entity="Channel",
    key_fields=("id",),
    scopes=("channels:read",),
    docs=f"{_METHODS}/conversations.list",
)
async def list_channels(
    api: SlackApi,
    private: bool = False,
    archived: bool = False,
    limit: Annotated[int, Field(ge=1, le=_MOST)] = 200,
) -> list[Channel]:
    """The channels of the workspace that the account can see.

    Args:
        private: also private channels that the account is in; needs the scope groups:read.
        archived: also channels that are closed.
        limit: how many at most.
    """
    types = "public_channel,private_channel" if private else "public_channel"
    return [
        Channel.parse(raw)
        async for raw in api.listed(
            api.web.conversations_list,
            "channels",
            most=limit,
            page=_PAGE,
            types=types,
            exclude_archived=not archived,
        )
    ]


@action(
    "channels.get",
    effect=Effect.READ,
    entity="Channel",
    key=("channel",),
    scopes=("channels:read",),
    docs=f"{_METHODS}/conversations.info",
)
async def get_channel(api: SlackApi, channel: ChannelRef) -> Channel:
    """One channel, with how many are in it.

    Args:
        channel: its id, or #name.
    """
    return await _named(api, channel[1:]) if channel.startswith("#") else await _by_id(api, channel)


async def _by_id(api: SlackApi, channel: str) -> Channel:
    answer = await api.ask(api.web.conversations_info, channel=channel, include_num_members=True)
    return Channel.parse(answer.get("channel"))


async def _named(api: SlackApi, name: str) -> Channel:
    """The channel of a name. Slack finds channels by id only, so the list is read once and its ids are kept."""
    known = api.channel_ids.get(name)
    if known is not None:
        try:
            found = await _by_id(api, known)
        except NotFound:
            found = None
        # Names move: a channel can be renamed and another one take its name.
        if found is not None and found.name == name:
            return found
        del api.channel_ids[name]
    ids: dict[str, list[str]] = {}
    async for raw in _all(api):
        channel = Channel.parse(raw)
        ids.setdefault(channel.name, []).append(channel.id)
    found_ids = ids.get(name, [])
    if len(found_ids) == 1:
        api.channel_ids[name] = found_ids[0]
        return await _by_id(api, found_ids[0])
    if found_ids:
        raise NotFound(f"{len(found_ids)} channels are called #{name}", hint=f"Give an id: {', '.join(found_ids)}.")
    near = get_close_matches(name, ids, n=5, cutoff=0.5) or sorted(ids)[:8]
    listed = ", ".join(f"#{one}" for one in near) or "none"
    raise NotFound(
        f"the account sees no channel #{name}; there are {listed}{f' (of {len(ids)})' if len(ids) > len(near) else ''}",
        hint="Private channels are seen only by their members: invite the app.",
    )


async def _all(api: SlackApi) -> AsyncIterator[dict[str, Any]]:
    """Every channel the account may list: the private ones too, if it has the scope."""
    for types in ("public_channel,private_channel", "public_channel"):
        try:
            async for raw in api.listed(api.web.conversations_list, "channels", most=_MOST, page=_PAGE, types=types):
                yield raw
            return
        except AccessDenied as error:
            # The scope is refused before the first page, so nothing has been listed twice.
            if error.code != "missing_scope" or types == "public_channel":
                raise
