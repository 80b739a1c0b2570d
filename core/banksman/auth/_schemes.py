"""How systems let callers in, as values: a connector declares which it accepts, a connection configures one.

The flows behind them are imported when one is built, so that declaring a scheme loads no HTTP client.
"""

from __future__ import annotations

import ipaddress
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from banksman.auth._secrets import Secret
from banksman.auth._store import TokenStore
from banksman.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import httpx

    from banksman.auth._exchange import Endpoint

AuthMethod = Literal["client_secret_basic", "client_secret_post"]
_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True)
class Setting:
    """One key that a connection sets for a scheme.

    Attributes:
        form: `secret` (a reference, see `resolve`), `text` (in clear, or a reference), or `words` (a list of texts,
            or one text with spaces).
        required: whether the scheme works without it.
    """

    form: Literal["secret", "text", "words"]
    required: bool = True


@dataclass(frozen=True)
class Given:
    """The checked settings of one connection for one scheme.

    Attributes:
        secrets, texts, words: the settings by form; optional ones that were left out are missing.
        connection: the connection's name, for errors; may be empty.
        store: where renewed tokens are kept, None to keep them in memory.
    """

    secrets: Mapping[str, Secret]
    texts: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]
    connection: str = ""
    store: TokenStore | None = None


class Scheme(ABC):
    """One way to be let in. A connector whose system has its own way subclasses this in its `auth.py`."""

    #: What a connection writes as `kind`.
    kind: ClassVar[str]

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Setting]:
        """What a connection sets besides `kind`."""

    @abstractmethod
    def flow(self, given: Given) -> httpx.Auth:
        """The flow for one connection.

        Raises:
            ConfigError: a setting has a value that cannot work; never shows a secret.
        """


@dataclass(frozen=True)
class NoAuth(Scheme):
    """The system asks for nothing. The only scheme a connection may leave out: `{kind: none}`."""

    kind: ClassVar[str] = "none"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """None."""
        return {}

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        import httpx

        return httpx.Auth()


@dataclass(frozen=True)
class ApiKey(Scheme):
    """A key in a header or in a query parameter, exactly one of them: `{kind: api_key, key: "env:NAME"}`.

    `prefix` stands before the key, with its space: `ApiKey(header="Authorization", prefix="Token ")`.
    """

    kind: ClassVar[str] = "api_key"
    header: str | None = None
    query: str | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        if (self.header is None) == (self.query is None):
            raise UsageError("ApiKey takes either header= or query=, the name of what carries the key")

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The key."""
        return {"key": Setting("secret")}

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        from banksman.auth._flows import HeaderAuth, QueryAuth

        key = given.secrets["key"]
        if self.header is None:
            return QueryAuth(str(self.query), key, self.prefix)
        return HeaderAuth(self.header, _sendable("key", key), self.prefix)


@dataclass(frozen=True)
class Bearer(Scheme):
    """A token that does not expire, or that somebody else renews: `{kind: bearer, token: "env:NAME"}`.

    RFC 6750, section 2.1: https://www.rfc-editor.org/rfc/rfc6750
    """

    kind: ClassVar[str] = "bearer"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The token."""
        return {"token": Setting("secret")}

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        from banksman.auth._flows import HeaderAuth

        return HeaderAuth("Authorization", _sendable("token", given.secrets["token"]), "Bearer ")


@dataclass(frozen=True)
class Basic(Scheme):
    """User and password: `{kind: basic, username: alice, password: "env:NAME"}`. No password: `"literal:"`.

    RFC 7617: https://www.rfc-editor.org/rfc/rfc7617
    """

    kind: ClassVar[str] = "basic"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """User and password."""
        return {"username": Setting("text"), "password": Setting("secret")}

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        from banksman.auth._flows import HeaderAuth, basic_credential

        username, password = given.texts["username"], given.secrets["password"].reveal()
        if ":" in username:
            raise ConfigError("username: must not contain a colon (RFC 7617, section 2)")
        return HeaderAuth("Authorization", basic_credential(username, password), "Basic ")


@dataclass(frozen=True)
class _OAuth2(Scheme):
    """What both grants share.

    Attributes:
        token_url: the token endpoint; None if each connection names its own.
        scopes: the scopes asked for; a connection may name others.
        auth_method: how the client proves itself; a connection may name the other one.
        audience: the `audience` parameter that some servers want.
        extra: more parameters of the token request, in clear.
        token_types: what the server may call a bearer token, in lower case.
    """

    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    auth_method: AuthMethod = "client_secret_basic"
    audience: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)
    token_types: tuple[str, ...] = ("bearer",)

    def _settings(self, own: Mapping[str, Setting]) -> Mapping[str, Setting]:
        shared = {"scopes": Setting("words", False)} | {
            name: Setting("text", False) for name in ("audience", "auth_method")
        }
        return {**own, "token_url": Setting("text", self.token_url is None), **shared}

    def _endpoint(self, given: Given) -> Endpoint:
        from banksman.auth._exchange import Endpoint

        method = given.texts.get("auth_method", self.auth_method)
        if method not in _AUTH_METHODS:
            raise ConfigError(f"auth_method: must be {' or '.join(_AUTH_METHODS)}")
        secret = given.secrets.get("client_secret")
        return Endpoint(
            url=_token_url(given.texts.get("token_url", self.token_url or "")),
            client_id=given.texts["client_id"],
            client_secret=secret,
            auth_method=method if secret is not None else "none",
            token_types=self.token_types,
            connection=given.connection,
        )

    def _parameters(self, given: Given) -> dict[str, str]:
        named = {
            "scope": " ".join(given.words.get("scopes", self.scopes)),
            "audience": given.texts.get("audience", self.audience or ""),
        }
        return {**self.extra, **{name: value for name, value in named.items() if value}}


@dataclass(frozen=True)
class OAuth2ClientCredentials(_OAuth2):
    """The client logs in as itself: `{kind: oauth2_client_credentials, client_id: ..., client_secret: "env:NAME"}`.

    RFC 6749, section 4.4: https://www.rfc-editor.org/rfc/rfc6749
    """

    kind: ClassVar[str] = "oauth2_client_credentials"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The client, and what it may set differently from the connector."""
        return self._settings({"client_id": Setting("text"), "client_secret": Setting("secret")})

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        from banksman.auth._oauth2 import ClientCredentialsAuth

        return ClientCredentialsAuth(self._endpoint(given), self._parameters(given))


@dataclass(frozen=True)
class OAuth2Refresh(_OAuth2):
    """A refresh token that somebody's login gave: `{kind: oauth2_refresh, refresh_token: "env:NAME", client_id: ...}`.

    A client without a secret is a public one. Scopes are sent with each renewal, so leave them empty unless the server
    wants them: they may only narrow what the login granted. RFC 6749, section 6: https://www.rfc-editor.org/rfc/rfc6749
    """

    kind: ClassVar[str] = "oauth2_refresh"

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The login, the client, and what it may set differently from the connector."""
        login = {"refresh_token": Setting("secret"), "client_id": Setting("text")}
        return self._settings({**login, "client_secret": Setting("secret", False)})

    def flow(self, given: Given) -> httpx.Auth:
        """See `Scheme.flow`."""
        from banksman.auth._oauth2 import RefreshAuth

        refresh = given.secrets["refresh_token"]
        return RefreshAuth(self._endpoint(given), refresh, self._parameters(given), given.store)


def _sendable(name: str, secret: Secret) -> Secret:
    """The secret, if a header can carry it; HTTP clients show a value that they refuse."""
    value = secret.reveal()
    if not (value and value.isascii() and value.isprintable() and value == value.strip()):
        raise ConfigError(
            f"{name}: {secret.source} does not fit into a header: it is empty, or holds a line break, a space at an "
            "end or a character that is not ASCII"
        )
    return secret


def _token_url(url: str) -> str:
    """The URL, if tokens may be asked for there. RFC 6749, section 3.2: by TLS, and without a fragment."""
    problem = None
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
    except ValueError:
        raise ConfigError("token_url: is not a URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        problem = "must begin with https:// and name a host"
    elif not secure and not _is_loopback(host):
        problem = "must be https; http is for this machine only"
    elif "@" in parts.netloc or parts.fragment:
        problem = "must hold no user, password or fragment"
    if problem:
        raise ConfigError(f"token_url: {problem}")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
