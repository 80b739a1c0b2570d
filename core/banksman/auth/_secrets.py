"""Secrets that cannot be printed, and the references by which a configuration names them."""

from __future__ import annotations

import hmac
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from banksman.auth._redaction import register
from banksman.errors import ConfigError

_log = logging.getLogger("banksman.auth")

#: The forms of a reference, as errors list them.
REFERENCES: Final = ("env:NAME", "file:PATH", "keyring:SERVICE/USER", "literal:VALUE")

_LARGEST_FILE = 64 * 1024


class Secret:
    """A value that no repr, format, log line or pickle shows. Making one registers its value with `redact`.

    Equality takes constant time. `source` says where the value came from (`env:SAP_PASSWORD`), never what it is.
    A `passing` one, such as a token, is forgotten by `redact` some time after the last Secret with its value is gone.
    """

    __slots__ = ("__weakref__", "_value", "source")

    def __init__(self, value: str, source: str = "literal", *, passing: bool = False) -> None:
        self._value = value
        self.source = source
        register(value, holder=self if passing else None)

    def reveal(self) -> str:
        """The value in clear. Call it where the request is built, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __str__(self) -> str:
        return "[secret]"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret._value.encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; keep its reference (env:NAME, ...) and resolve it again")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


#: How a reference becomes a secret; `resolve` is the one the hub uses.
SecretResolver = Callable[[str], Secret]


def resolve(reference: str) -> Secret:
    """The secret that a reference names: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER` or `literal:VALUE`.

    A file loses one trailing newline. A file that others can read is read with a warning: container platforms mount
    secrets that way.

    Raises:
        ConfigError: the text is no reference, or what it names is not there. Never shows the text itself, which may
            be a password that somebody typed.
    """
    scheme, colon, rest = reference.partition(":")
    source = _SOURCES.get(scheme) if colon else None
    if source is None:
        raise ConfigError(
            "a plain text stands where a reference to a secret belongs",
            hint=f"Write {', '.join(REFERENCES[:-1])}, or {REFERENCES[-1]} if the file may show it.",
        )
    return source(rest)


def is_reference(text: str) -> bool:
    """Whether the text begins like a reference."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme in _SOURCES


def _from_environment(name: str) -> Secret:
    value = os.environ.get(name)
    if not value:
        state = "is not set" if value is None else "is empty"
        raise ConfigError(f"the environment variable {name} {state}", hint=f"Set it: export {name}=...")
    return Secret(value, f"env:{name}")


def _from_file(name: str) -> Secret:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_LARGEST_FILE + 1)
        value = raw.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"the secret file {path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the secret file {path} is not UTF-8 text") from None
    if len(raw) > _LARGEST_FILE:
        raise ConfigError(f"the secret file {path} is larger than {_LARGEST_FILE // 1024} KiB; is it the right one?")
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("the secret file %s can be read by others; chmod 600 it", path)
    value = value.removesuffix("\r\n") if value.endswith("\r\n") else value.removesuffix("\n")
    if not value:
        raise ConfigError(f"the secret file {path} is empty")
    return Secret(value, f"file:{path}")


def _from_keyring(entry: str) -> Secret:
    service, slash, user = entry.rpartition("/")
    if not (slash and service and user):
        raise ConfigError(f"keyring:{entry} names no entry", hint="Write keyring:SERVICE/USER.")
    value = keyring_get(service, user)
    if not value:
        raise ConfigError(
            f"the keyring holds nothing for keyring:{entry}", hint=f"Put it there: keyring set {service} {user}"
        )
    return Secret(value, f"keyring:{entry}")


def keyring_get(service: str, user: str) -> str | None:
    """What the system's keyring holds, None where it holds nothing.

    Raises:
        ConfigError: keyring is not installed, or there is no keyring, or it is locked.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError("keyring is not installed", hint="pip install 'banksman[keyring]'") from None
    try:
        return keyring.get_password(service, user)
    except KeyringError as error:
        raise ConfigError(
            f"the keyring cannot be read: {type(error).__name__}",
            hint="Unlock it, or use env:NAME or file:PATH where there is no keyring.",
        ) from None


def _literal(value: str) -> Secret:
    return Secret(value)


_SOURCES: Final[dict[str, SecretResolver]] = {
    "env": _from_environment,
    "file": _from_file,
    "keyring": _from_keyring,
    "literal": _literal,
}
