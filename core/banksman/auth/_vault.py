"""The token store on disk: one file, encrypted as a whole.

Fernet, that is AES-128-CBC with HMAC-SHA256 (https://cryptography.io/en/latest/fernet/). Needs the extra `vault`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from banksman.auth._secrets import Secret, keyring_get
from banksman.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: The environment variable that `Vault.open` reads first.
VAULT_KEY: Final = "BANKSMAN_VAULT_KEY"

_SERVICE, _USER = "banksman", "vault"


class Vault:
    """An encrypted file of tokens, shared by processes: a write takes a lock and replaces the file in one move.

    Raises:
        ConfigError: cryptography is not installed, or the key has the wrong form.
    """

    def __init__(self, path: str | os.PathLike[str], key: Secret) -> None:
        self.path = Path(path).expanduser()
        self._fernet = _fernet(key)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Vault:
        """The vault at that path, with the key from BANKSMAN_VAULT_KEY or else from the system's keyring.

        A new vault without a key in the environment gets one, kept in the keyring.

        Raises:
            ConfigError: there is no key for a vault that exists, or no keyring for a new one.
        """
        given = os.environ.get(VAULT_KEY)
        if given:
            return cls(path, Secret(given, f"env:{VAULT_KEY}"))
        try:
            key = keyring_get(_SERVICE, _USER)
            if not key and Path(path).expanduser().exists():
                raise ConfigError("the keyring does not hold its key")
            key = key or _first_key()
        except ConfigError as error:
            raise ConfigError(
                f"the vault {path} cannot be opened: {error.message}",
                hint=f"Set {VAULT_KEY}; banksman.auth.Vault.new_key() makes a key for a new vault.",
            ) from None
        return cls(path, Secret(key, f"keyring:{_SERVICE}/{_USER}"))

    @staticmethod
    def new_key() -> str:
        """A fresh key, in clear: 32 random bytes in URL-safe Base64, the form BANKSMAN_VAULT_KEY takes.

        Raises:
            ConfigError: cryptography is not installed.
        """
        return _fernet_class().generate_key().decode()

    def get(self, key: str) -> Mapping[str, Any] | None:
        """See `TokenStore.get`.

        Raises:
            ConfigError: the file is damaged, or was written with another key.
            OSError: the file cannot be read.
        """
        record = self._read().get(key)
        return record if isinstance(record, dict) else None

    def put(self, key: str, record: Mapping[str, Any]) -> None:
        """See `TokenStore.put`.

        Raises:
            ConfigError: the file there is damaged, or was written with another key; it is left as it is.
            OSError: the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock, _between_processes(self.path):
            records = self._read()
            records[key] = dict(record)
            _replace(self.path, self._fernet.encrypt(json.dumps(records).encode()))

    def _read(self) -> dict[str, Any]:
        from cryptography.fernet import InvalidToken

        try:
            sealed = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            records = json.loads(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):
            records = None
        if not isinstance(records, dict):
            raise ConfigError(
                f"the vault {self.path} cannot be opened: it was written with another key, or it is damaged",
                hint=f"Give the key it was made with ({VAULT_KEY} or the keyring), or move the file away and log in.",
            )
        return records


def _fernet_class() -> type[Fernet]:
    try:
        from cryptography.fernet import Fernet
    except ImportError:
        raise ConfigError("cryptography is not installed", hint="pip install 'banksman[vault]'") from None
    return Fernet


def _fernet(key: Secret) -> Fernet:
    fernet = _fernet_class()
    try:
        return fernet(key.reveal())
    except ValueError:
        pass
    raise ConfigError(
        f"the key of the vault ({key.source}) is not 32 bytes in URL-safe Base64",
        hint="banksman.auth.Vault.new_key() makes one.",
    )


def _first_key() -> str:
    """Makes the key of this user's vaults and puts it into the keyring. Two processes at once: the later one wins."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, _USER, Vault.new_key())
    except KeyringError as error:
        raise ConfigError(f"the keyring cannot be written: {type(error).__name__}") from None
    key = keyring_get(_SERVICE, _USER)
    if not key:
        raise ConfigError("the keyring did not keep its key")
    return key


@contextmanager
def _between_processes(path: Path) -> Iterator[None]:
    """Holds the lock file beside the vault. Windows has no flock; there a vault belongs to one process."""
    if sys.platform == "win32":
        yield
    else:
        import fcntl

        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    """Writes beside the file (mode 600, as mkstemp makes it), then moves it into place."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
