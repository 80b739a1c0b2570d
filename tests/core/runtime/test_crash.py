"""The crash benchmark in short: workers are killed again and again, and nothing is lost or done twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "crash.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], pytest.param(["--postgres"], marks=pytest.mark.peer)], ids=["sqlite", "postgres"]
)
def test_nothing_is_lost_and_nothing_done_twice(options):
    command = [sys.executable, str(BENCHMARK), "--kills", "8", "--slow-every", "8", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400)
    figures = json.loads(ended.stdout.strip().splitlines()[-1])
    assert figures["kills"] >= 8
    assert figures["writes"] > 100
    expected = ("runs_lost", "writes_lost", "writes_doubled", "writes_unrecorded", "chains_broken")
    assert {name: figures[name] for name in expected} == dict.fromkeys(expected, 0), ended.stdout
