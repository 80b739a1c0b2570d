"""The recordings are still what the servers say: made anew, every situation comes out the same way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from contract_tests.record import HERE, PEERS, record


def outcomes(folder: Path) -> dict[str, Any]:
    """What came of each case, without ids and times."""
    found = {}
    for path in folder.glob("*.*.*.json"):
        expect = json.loads(path.read_text(encoding="utf-8"))["expect"]
        verdict = expect.get("reconcile", {}).get("verdict")
        found[path.name] = (sorted(expect), expect.get("error"), expect.get("code"), verdict)
    return found


@pytest.mark.peer
@pytest.mark.parametrize("system", sorted(PEERS))
def test_made_anew_the_recordings_say_the_same(system: str, tmp_path: Path) -> None:
    shutil.copy(HERE / system / "exempt.yaml", tmp_path)
    record(system, tmp_path)
    assert outcomes(tmp_path) == outcomes(HERE / system)
