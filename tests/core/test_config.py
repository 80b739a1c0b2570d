"""The configuration: where it is found, what it may say, and what it is told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from banksman import Connector, Environment, Settings
from banksman.config import Config, find, load, parse
from banksman.errors import ConfigError


class ShopSettings(Settings):
    shop: str


SHOP = Connector(name="shop", title="Shop", docs="https://shop.example", actions=[], settle=1, settings=ShopSettings)


def config(text: str) -> Config:
    return parse(text, path=Path("/etc/banksman.yaml"))


def test_a_connection_has_its_own_settings_and_the_common_ones() -> None:
    found = config(
        "connections:\n  shop:eu:\n    environment: sandbox\n    shop: eu\n    unattended: false\n"
        "    auth: {kind: bearer, token: 'env:T'}\n    limits: {rate: 5}\n"
    ).connection("shop:eu", SHOP)
    assert (found.environment, found.unattended) == (Environment.SANDBOX, False)
    assert isinstance(found.settings, ShopSettings)
    assert found.settings.shop == "eu"
    assert found.limits == {"rate": 5}


def test_unsaid_the_environment_is_production() -> None:
    found = config("connections: {'shop:eu': {shop: eu}}").connection("shop:eu", SHOP)
    assert found.environment is Environment.PRODUCTION


def test_files_are_beside_the_configuration_and_apart_from_each_other() -> None:
    found = config("home: runs")
    assert found.ledger == Path("/etc/runs/ledger.db")
    assert found.engine == Path("/etc/runs/engine.db")
    assert config("database: postgresql://h/d").ledger == "postgresql://h/d"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("connection: {}", "no such field connection; there are connections"),
        ("connections: []", "connections: an object by name was expected"),
        ("connections: {shop: {}}", "name it SYSTEM:ACCOUNT"),
        ("connections: {'shop:eu': 5}", "an object was expected"),
        ("a: [", "line 1, column 5"),
        ("- a", "an object with `connections` was expected"),
    ],
)
def test_a_broken_file_is_told_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert says in str(caught.value)
    assert "/etc/banksman.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("{}", "shop: missing"),
        ("{shop: eu, shp: x}", "shp: no such argument; there are auth, base_url, environment, limits"),
        ("{shop: eu, environment: prod}", "environment 'prod'; there are production, sandbox, test"),
        ("{shop: eu, auth: secret}", "auth has the wrong type (str)"),
        ("{shop: eu, unattended: 'yes'}", "unattended has the wrong type (str)"),
    ],
)
def test_a_broken_connection_is_told_what_is_wrong(settings: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(f"connections: {{'shop:eu': {settings}}}").connection("shop:eu", SHOP)
    assert "shop:eu" in str(caught.value)
    assert says in str(caught.value)


def test_the_nearest_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BANKSMAN_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "user" / "banksman").mkdir(parents=True)
    (tmp_path / "user" / "banksman" / "banksman.yaml").write_text("user: from-home")
    assert load().user == "from-home"
    (tmp_path / "a" / "banksman.yaml").write_text("user: from-above")
    assert load().user == "from-above"
    (tmp_path / "named.yaml").write_text("user: named")
    monkeypatch.setenv("BANKSMAN_CONFIG", str(tmp_path / "named.yaml"))
    assert load().user == "named"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration"):
        find(tmp_path / "none.yaml")
