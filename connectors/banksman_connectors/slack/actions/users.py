"""People and bots of the workspace."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from banksman import Effect, action
from banksman_connectors.slack.api import SlackApi
from banksman_connectors.slack.models import User, UserId

_METHODS = "https://docs.slack.dev/reference/methods"


@action(
    "users.list",
    effect=Effect.READ,
    entity="User",
    key_fields=("id",),
    scopes=("users:read",),
    docs=f"{_METHODS}/users.list",
)
async def list_users(api: SlackApi, limit: Annotated[int, Field(ge=1, le=20_000)] = 200) -> list[User]:
    """The people and bots of the workspace, closed accounts included.

    Args:
        limit: how many at most.
    """
    return [User.parse(raw) async for raw in api.listed(api.web.users_list, "members", most=limit)]


@action(
    "users.get",
    effect=Effect.READ,
    entity="User",
    key=("user",),
    scopes=("users:read",),
    docs=f"{_METHODS}/users.info",
)
async def get_user(api: SlackApi, user: UserId) -> User:
    """One person or bot.

    Args:
        user: the id.
    """
    return User.parse((await api.ask(api.web.users_info, user=user)).get("user"))


@action(
    "users.find",
    effect=Effect.READ,
    entity="User",
    key=("email",),
    scopes=("users:read.email",),
    docs=f"{_METHODS}/users.lookupByEmail",
)
async def find_user(
    api: SlackApi, email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
) -> User:
    """The person with an e-mail address.

    Args:
        email: the address, as it is in their profile.
    """
    return User.parse((await api.ask(api.web.users_lookupByEmail, email=email)).get("user"))
