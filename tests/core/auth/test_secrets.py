from __future__ import annotations

import copy
import logging
import pickle
import sys
from pathlib import Path

import keyring
import keyring.errors
import pytest

from banksman.auth import Secret, resolve
from banksman.errors import ConfigError


def test_a_secret_shows_where_it_came_from_and_never_what_it_is() -> None:
    secret = Secret("hunter22", "env:PASSWORD")
    shown = f"{secret} {secret!r} {secret:>10} {[secret]} {secret!s:.20}" + "{} {!r}".format(*[secret, secret])
    assert "hunter22" not in shown
    assert repr(secret) == "Secret(env:PASSWORD)"
    assert secret.reveal() == "hunter22"


def test_a_secret_is_copied_by_reference_and_not_pickled() -> None:
    secret = Secret("hunter22")
    assert copy.deepcopy({"a": secret})["a"] is secret
    assert copy.copy(secret) is secret
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_secrets_are_equal_by_value() -> None:
    assert Secret("hunter22", "env:A") == Secret("hunter22", "env:B")
    assert Secret("hunter22") != Secret("hunter23")
    assert Secret("hunter22") != "hunter22"
    assert len({Secret("hunter22"), Secret("hunter22")}) == 1
    assert Secret("not utf-8 \udcff") == Secret("not utf-8 \udcff")


def test_an_environment_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "hunter22 ")
    assert resolve("env:ERP_PASSWORD").reveal() == "hunter22 "


@pytest.mark.parametrize(("value", "state"), [(None, "is not set"), ("", "is empty")])
def test_a_missing_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    monkeypatch.delenv("ERP_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("ERP_PASSWORD", value)
    with pytest.raises(ConfigError, match=f"ERP_PASSWORD {state}"):
        resolve("env:ERP_PASSWORD")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter22", "hunter22"),
        (b"hunter22\n", "hunter22"),
        (b"hunter22\r\n", "hunter22"),
        (b"hunter22\n\n", "hunter22\n"),
        (b" hunter22 ", " hunter22 "),
        (b"hunter22\r", "hunter22\r"),
    ],
)
def test_a_file_loses_one_line_break_at_its_end(tmp_path: Path, content: bytes, value: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(0o600)
    assert resolve(f"file:{file}").reveal() == value


def test_a_file_that_others_can_read_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text("hunter22")
    file.chmod(0o600)
    resolve(f"file:{file}")
    assert not caplog.records
    file.chmod(0o644)
    assert resolve(f"file:{file}").reveal() == "hunter22"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "chmod 600" in caplog.text
    assert "hunter22" not in caplog.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter\xff", "not UTF-8"),
        (b"x" * 70000, "KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        resolve(f"file:{file}")
    assert str(file) in str(caught.value)


def test_a_keyring_entry_is_read_and_its_service_may_have_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {("banksman/sap", "alice"): "hunter22"}
    monkeypatch.setattr(keyring, "get_password", lambda service, user: entries.get((service, user)))
    assert resolve("keyring:banksman/sap/alice").reveal() == "hunter22"
    with pytest.raises(ConfigError, match="holds nothing for keyring:banksman/bob"):
        resolve("keyring:banksman/bob")


@pytest.mark.parametrize("entry", ["", "alice", "/alice", "sap/"])
def test_a_keyring_reference_names_service_and_user(entry: str) -> None:
    with pytest.raises(ConfigError, match="SERVICE/USER"):
        resolve(f"keyring:{entry}")


def test_a_machine_without_a_keyring_is_told_what_else_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str) -> str:
        raise keyring.errors.NoKeyringError("no backend")

    monkeypatch.setattr(keyring, "get_password", locked)
    with pytest.raises(ConfigError, match=r"(?s)NoKeyringError.*env:NAME"):
        resolve("keyring:sap/alice")


def test_a_missing_keyring_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"banksman\[keyring\]"):
        resolve("keyring:sap/alice")


def test_a_literal_may_be_empty_and_may_hold_colons() -> None:
    assert resolve("literal:").reveal() == ""
    assert resolve("literal:a:b").reveal() == "a:b"


@pytest.mark.parametrize("text", ["hunter22", "hunter:22", "", ":hunter22", "ENV:hunter22"])
def test_a_plain_text_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="env:NAME") as caught:
        resolve(text)
    assert "hunter" not in str(caught.value)
