"""A database login: user and password as such, where HTTP would have a header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from banksman.auth import Given, Scheme, Secret, Setting


@dataclass(frozen=True)
class Login:
    """Who logs in. The password stays a `Secret` until the connection is opened."""

    username: str | None = None
    password: Secret | None = None


@dataclass(frozen=True)
class DatabaseLogin(Scheme):
    """User and password: `{kind: basic, username: reporting, password: "env:ORDERS_DB_PASSWORD"}`."""

    kind: ClassVar[str] = "basic"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """User and password."""
        return {"username": Setting("text"), "password": Setting("secret")}

    def flow(self, given: Given) -> Any:
        """The login. No HTTP flow: a database is asked once for each connection."""
        return Login(given.texts["username"], given.secrets["password"])


def login_of(auth: Any) -> Login:
    """The login in what the hub wired: none where the connection says `{kind: none}` or nothing."""
    return auth if isinstance(auth, Login) else Login()
