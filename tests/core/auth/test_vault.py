from __future__ import annotations

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keyring
import keyring.errors
import pytest

from banksman.auth import VAULT_KEY, Secret, Vault, redact
from banksman.errors import ConfigError

RECORD = {"access_token": "hunter22", "expires_at": 12}


@pytest.fixture
def key() -> str:
    return Vault.new_key()


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    entries: dict[tuple[str, str], str] = {}
    monkeypatch.delenv(VAULT_KEY, raising=False)
    monkeypatch.setattr(keyring, "get_password", lambda service, user: entries.get((service, user)))
    monkeypatch.setattr(
        keyring, "set_password", lambda service, user, value: entries.__setitem__((service, user), value)
    )
    return entries


def test_what_is_put_is_found_by_the_next_process(tmp_path: Path, key: str) -> None:
    path = tmp_path / "deep" / "vault"
    vault = Vault(path, Secret(key))
    assert vault.get("erp:prod") is None
    vault.put("erp:prod", RECORD)
    vault.put("crm:prod", {"access_token": "other"})
    again = Vault(path, Secret(key))
    assert again.get("erp:prod") == RECORD
    assert again.get("crm:prod") == {"access_token": "other"}


def test_the_file_is_sealed_and_for_its_owner_alone(tmp_path: Path, key: str) -> None:
    vault = Vault(tmp_path / "vault", Secret(key))
    vault.put("erp:prod", RECORD)
    assert b"hunter22" not in vault.path.read_bytes()
    assert b"erp" not in vault.path.read_bytes()
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["vault", "vault.lock"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path, key: str) -> None:
    def write(number: int) -> None:
        Vault(tmp_path / "vault", Secret(key)).put(f"c:{number}", {"n": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    vault = Vault(tmp_path / "vault", Secret(key))
    assert [vault.get(f"c:{number}") for number in range(40)] == [{"n": number} for number in range(40)]


@pytest.mark.parametrize("damage", ["key", "content"])
def test_a_vault_that_cannot_be_opened_says_so_and_is_left_as_it_is(tmp_path: Path, key: str, damage: str) -> None:
    path = tmp_path / "vault"
    Vault(path, Secret(key)).put("erp:prod", RECORD)
    if damage == "key":
        key = Vault.new_key()
    else:
        path.write_bytes(path.read_bytes()[:-9])
    before = path.read_bytes()
    vault = Vault(path, Secret(key))
    with pytest.raises(ConfigError, match="another key, or it is damaged"):
        vault.get("erp:prod")
    with pytest.raises(ConfigError, match="another key, or it is damaged"):
        vault.put("erp:prod", RECORD)
    assert path.read_bytes() == before


def test_a_failed_write_leaves_the_file_and_no_traces(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path / "vault", Secret(key))
    vault.put("erp:prod", RECORD)

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        vault.put("erp:prod", {"access_token": "new"})
    assert vault.get("erp:prod") == RECORD
    assert sorted(file.name for file in tmp_path.iterdir()) == ["vault", "vault.lock"]


@pytest.mark.parametrize("bad", ["hunter22", "ö" * 44, "A" * 43])
def test_a_key_of_the_wrong_form_is_not_shown(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match="32 bytes in URL-safe Base64") as caught:
        Vault(tmp_path / "vault", Secret(bad, "env:X"))
    assert bad not in str(caught.value)


def test_the_key_comes_from_the_environment_first(
    tmp_path: Path, key: str, entries: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VAULT_KEY, key)
    Vault.open(tmp_path / "vault").put("erp:prod", RECORD)
    assert Vault(tmp_path / "vault", Secret(key)).get("erp:prod") == RECORD
    assert not entries
    assert redact(key) == "[secret]"


def test_a_new_vault_keeps_its_key_in_the_keyring(tmp_path: Path, entries: dict[tuple[str, str], str]) -> None:
    Vault.open(tmp_path / "vault").put("erp:prod", RECORD)
    assert list(entries) == [("banksman", "vault")]
    assert Vault.open(tmp_path / "vault").get("erp:prod") == RECORD


def test_an_existing_vault_gets_no_new_key(tmp_path: Path, entries: dict[tuple[str, str], str]) -> None:
    Vault.open(tmp_path / "vault").put("erp:prod", RECORD)
    entries.clear()
    with pytest.raises(ConfigError, match="does not hold its key"):
        Vault.open(tmp_path / "vault")
    assert not entries


def test_without_a_keyring_the_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: str) -> str:
        raise keyring.errors.NoKeyringError("no backend")

    monkeypatch.delenv(VAULT_KEY, raising=False)
    monkeypatch.setattr(keyring, "get_password", none)
    with pytest.raises(ConfigError, match=VAULT_KEY):
        Vault.open(tmp_path / "vault")


def test_a_missing_package_names_the_extra(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ConfigError, match=r"banksman\[vault\]"):
        Vault(tmp_path / "vault", Secret(key))


def test_a_vault_shows_its_path_alone(tmp_path: Path, key: str) -> None:
    vault = Vault(tmp_path / "vault", Secret(key))
    assert repr(vault) == f"Vault('{tmp_path / 'vault'}')"
    assert redact(repr(vars(vault))) == repr(vars(vault))
