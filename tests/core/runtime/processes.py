"""Starts and kills child processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import banksman

ROOT = Path(__file__).parents[3]
CORE = Path(banksman.__file__).parents[1]


class Child:
    """A process of `tests.core.runtime.child`."""

    def __init__(self, *given):
        command = [sys.executable, "-m", "tests.core.runtime.child", *map(str, given)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CORE), str(ROOT)])}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        """What it says next."""
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def child(*given):
    started = Child(*given)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.kill()
