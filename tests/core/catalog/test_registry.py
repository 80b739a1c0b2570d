"""Connectors by name: those of other packages are found without importing them, and imported on first use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from banksman.catalog import Registry
from banksman.errors import ConfigError, ConnectorGaps, UnknownName

MODULE = """
print("imported")
from banksman import Connector, Effect, write, Change
connector = Connector(name="acme", title="Acme", docs="https://acme.example", actions=[], settle=1)
other = Connector(name="other", title="Other", docs="https://acme.example", actions=[], settle=1)
nothing = 5

def broken():
    @write("x", effect=Effect.WRITE)
    async def x(api) -> Change[None]:
        "X."
    return Connector(name="broken", title="B", docs="https://acme.example", actions=[x], settle=1)

def __getattr__(name):
    if name == "gaps":
        return broken()
    raise AttributeError(name)
"""
POINTS = """[banksman.connectors]
acme = acme_connector:connector
nothing = acme_connector:nothing
elsewhere = acme_connector:other
absent = acme_absent:connector
broken = acme_connector:gaps
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_connector.py").write_text(MODULE)
    info = tmp_path / "acme_banksman-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-banksman\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_connector", raising=False)


@pytest.mark.usefixtures("installed")
class TestInstalled:
    def test_names_are_known_without_importing(self) -> None:
        registry = Registry()
        assert {"acme", "sap", "slack", "sql"} <= set(registry.names())
        assert registry.origin("acme") == "acme-banksman 1.2"
        assert "acme_connector" not in sys.modules

    def test_the_first_use_imports(self) -> None:
        assert Registry().get("acme").title == "Acme"

    def test_a_missing_module_names_it_and_where_it_belongs(self) -> None:
        with pytest.raises(ConfigError) as caught:
            Registry().get("absent")
        assert "acme_absent is missing" in str(caught.value)
        assert "its package is acme-banksman" in str(caught.value)

    def test_something_else_than_a_connector_is_named(self) -> None:
        with pytest.raises(ConfigError, match="is a int, no Connector"):
            Registry().get("nothing")

    def test_a_connector_under_another_name_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="gives a connector named 'other'; use one name"):
            Registry().get("elsewhere")

    def test_an_incomplete_connector_lists_its_gaps(self) -> None:
        with pytest.raises(ConnectorGaps) as caught:
            Registry().get("broken")
        assert len(caught.value.gaps) >= 4


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean slack"):
        Registry().get("slak")
