"""An access token with what came along with it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from authlib.oauth2.rfc6749 import OAuth2Token  # type: ignore[import-untyped]

from banksman.auth._secrets import Secret

#: Renew this many seconds before expiry, or a tenth of the lifetime where that is less.
LEEWAY: Final = 60.0
#: A token that was refused as soon as it was fetched is not to blame; for this many seconds it is not renewed again.
VOUCHED: Final = 60.0

_KEPT = ("access_token", "refresh_token", "token_type", "expires_in", "expires_at", "scope")
_SENDABLE = re.compile(r"[\x21-\x7e]+")


class Token:
    """One answer of a token endpoint. Its repr shows no part of it.

    Raises:
        ValueError: the answer has no usable access token or expiry; says what is wrong, and shows no value.
    """

    def __init__(self, answer: Mapping[str, Any], *, recalled: bool = False) -> None:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access, str) or not _SENDABLE.fullmatch(access):
            raise ValueError("it holds no access_token that fits into a header")
        if refresh is not None and (not isinstance(refresh, str) or not refresh):
            raise ValueError("its refresh_token is not a text")
        self.access = Secret(access, "access token", passing=True)
        self.refresh = Secret(refresh, "refresh token", passing=True) if refresh else None
        self._fields = _parsed({key: answer[key] for key in _KEPT if answer.get(key) is not None})
        self._spoiled = False
        self._vouched_until = 0.0
        #: Whether it came out of a store, so that a refusal may well be its fault.
        self.recalled = recalled

    def __repr__(self) -> str:
        return f"Token(expires_at={self._fields.get('expires_at')!r})"

    @property
    def type(self) -> str:
        """The token type in lower case, `bearer` where the answer named none."""
        return str(self._fields.get("token_type") or "bearer").lower()

    def is_stale(self) -> bool:
        """Whether it was refused, has expired or soon will. A token that came without an expiry does not expire."""
        if self._spoiled:
            return True
        lifetime = self._fields.get("expires_in")
        leeway = LEEWAY if lifetime is None else min(LEEWAY, float(lifetime) / 10)
        return bool(self._fields.is_expired(leeway=leeway))

    def spoil(self) -> None:
        """Record that it was refused, so that nobody sends it again."""
        self._spoiled = True

    def is_spoiled(self) -> bool:
        """Whether it was refused."""
        return self._spoiled

    def vouch(self) -> None:
        """Record that it was refused while fresh, so the refusal has another reason than the token."""
        self._vouched_until = time.monotonic() + VOUCHED

    def is_vouched(self) -> bool:
        """Whether a refusal of this token should be taken as it is."""
        return time.monotonic() < self._vouched_until

    def record(self) -> dict[str, Any]:
        """The token in clear as a JSON object, for a token store; `Token(record)` makes it anew."""
        return dict(self._fields)

    def with_refresh(self, refresh: Secret) -> Token:
        """The same token with the refresh token that goes on being valid (RFC 6749, section 6)."""
        return Token({**self._fields, "refresh_token": refresh.reveal()})


def _parsed(fields: dict[str, Any]) -> OAuth2Token:
    """Authlib's token, which knows its expiry."""
    try:
        if "expires_in" in fields:
            # Some servers send it as a text; RFC 6749, section 5.1 has a number.
            fields["expires_in"] = int(fields["expires_in"])
        token = OAuth2Token(fields)
        token.is_expired()
    except (TypeError, ValueError, OverflowError):
        token = None
    if token is None:
        raise ValueError("its expiry is not a number of seconds")
    return token
