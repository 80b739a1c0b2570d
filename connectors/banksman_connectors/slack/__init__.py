"""Slack: messages, channels, people. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

from functools import partial

from banksman import Connector, open_http
from banksman.auth import Bearer
from banksman.http import Limits
from banksman_connectors.slack.actions import channels, messages, users
from banksman_connectors.slack.api import SlackApi
from banksman_connectors.slack.errors import ERRORS
from banksman_connectors.slack.routes import ROUTES


async def probe(api: SlackApi) -> str:
    """Whom the token speaks for, and where."""
    me = await api.me()
    return f"{me.team} as {me.name} ({'app' if me.bot else 'person'} {me.user})"


connector = Connector(
    name="slack",
    title="Slack",
    docs="https://docs.slack.dev/reference/methods",
    base_url="https://slack.com/api",
    open=partial(open_http, api=SlackApi),
    # A bot token (xoxb-) or a person's (xoxp-): https://docs.slack.dev/authentication/tokens
    auth=(Bearer(),),
    routes=ROUTES,
    errors=ERRORS,
    # One message a second and channel, more for a moment; 50 calls a minute for most reads:
    # https://docs.slack.dev/apis/web-api/rate-limits
    limits=Limits(rate=1.0, burst=30, concurrency=8),
    # Slack says nothing of how long a call may go on after its caller is gone. It gives apps 3 seconds to answer its
    # own calls; this is ten times that.
    settle=30.0,
    probe=probe,
    actions=[
        messages.post_message,
        messages.update_message,
        messages.delete_message,
        messages.list_messages,
        messages.get_message,
        channels.list_channels,
        channels.get_channel,
        users.list_users,
        users.get_user,
        users.find_user,
    ],
)
