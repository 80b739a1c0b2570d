"""The handle that this connector's actions get."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ParamSpec

import anyio.to_thread

from banksman.errors import ConfigError, MalformedAnswer
from banksman.http import HttpApi, Request

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

P = ParamSpec("P")

#: Slack recommends at most 200 items a page.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for. `bot` is None for a person's token."""

    user: str
    bot: str | None
    name: str
    team: str


class SlackApi(HttpApi):
    """One account of one workspace. Requests are built by slack-sdk and sent by the seam."""

    _identity: Identity | None = None

    @cached_property
    def web(self) -> WebClient:
        """slack-sdk's client. To be called in a worker thread, which `ask` and `built` see to.

        Raises:
            ConfigError: slack-sdk is not installed.
        """
        try:
            from banksman_connectors.slack.web import SeamWebClient
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "slack_sdk":
                raise
            raise ConfigError("the Slack connector needs slack-sdk", hint="pip install 'banksman[slack]'") from None
        return SeamWebClient(self)

    @cached_property
    def channel_ids(self) -> dict[str, str]:
        """Ids of channels by the names they had when they were last looked up. Check before use."""
        return {}

    async def ask(self, call: Callable[P, SlackResponse], *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """The answer to a reading SDK call.

        Raises:
            WriteRefused: it writes.
            CallError: what the answer means.
        """
        response = await anyio.to_thread.run_sync(partial(call, *args, **kwargs), abandon_on_cancel=True)
        data = response.data
        assert isinstance(data, dict)
        return data

    async def listed(
        self, call: Callable[..., SlackResponse], within: str, *, most: int, page: int = PAGE, **arguments: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The first `most` items of a list, page after page (https://docs.slack.dev/apis/web-api/pagination).

        Raises:
            MalformedAnswer: a page names itself as the next one.
        """
        cursors: set[str] = set()
        cursor = ""
        left = most
        while left > 0:
            answer = await self.ask(call, limit=min(left, page), cursor=cursor or None, **arguments)
            for item in (answer.get(within) or [])[:left]:
                left -= 1
                yield item
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return
            if cursor in cursors:
                raise MalformedAnswer(f"Slack's list of {within} names a page that was read as the next one")
            cursors.add(cursor)

    async def built(self, call: Callable[P, SlackResponse], *args: P.args, **kwargs: P.kwargs) -> Request:
        """The request that a writing SDK call builds; nothing is sent."""
        return await self.capture(partial(call, *args, **kwargs))

    async def me(self) -> Identity:
        """Whom the token speaks for; asked once."""
        if self._identity is None:
            answer = await self.ask(self.web.auth_test)
            self._identity = Identity(
                user=str(answer["user_id"]),
                bot=answer.get("bot_id") or None,
                name=str(answer.get("user") or ""),
                team=str(answer.get("team") or ""),
            )
        return self._identity
