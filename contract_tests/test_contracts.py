"""Each system's actions against what was recorded of it: one test for every situation, one for what is missing.

The folders are made by `python -m contract_tests.record`; what is checked is said in `banksman.testing.contract`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from banksman.testing import contract_suite

HERE = Path(__file__).parent
SYSTEMS = sorted(script.parent.name for script in HERE.glob("*/script.yaml"))

for system in SYSTEMS:
    connector = import_module(f"banksman_connectors.{system}").connector
    globals()[f"test_{system}"] = contract_suite(connector, HERE / system)


def test_the_systems_with_a_web_api_are_here() -> None:
    assert SYSTEMS == ["sap", "slack"]
