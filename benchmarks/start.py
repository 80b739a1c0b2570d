"""How long `import banksman` and `banksman --version` take. Keys: `import_ms`, `version_ms`.

    python benchmarks/start.py [ROUNDS]

`import_ms` is what the import adds inside a running interpreter; `version_ms` is the whole process, the interpreter's
own start included, which stands beside it. Rounds are interleaved, and medians are quoted: the machine may be shared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from report import finish, table

COMMAND = Path(sys.executable).parent / "banksman"
IMPORT = "import time; start = time.perf_counter(); import banksman; print(time.perf_counter() - start)"
USED = "import time; start = time.perf_counter(); from banksman import Connector; print(time.perf_counter() - start)"


def main(rounds: int) -> None:
    """Time each command in turn, `rounds` times."""
    # As on a machine where nothing is set: the libraries' compiled files may be kept.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken: dict[str, list[float]] = {name: [] for name in ("bare", "version", "import", "used")}
    for turn in range(rounds + 1):
        found = {
            "bare": whole([sys.executable, "-c", "pass"], environment),
            "version": whole([str(COMMAND), "--version"], environment),
            "import": inside(IMPORT, environment),
            "used": inside(USED, environment),
        }
        if turn:  # the first one fills the caches
            for name, seconds in found.items():
                taken[name].append(seconds * 1000)
    rows = [
        ("python -c pass, whole process", *shown(taken["bare"])),
        ("banksman --version, whole process", *shown(taken["version"])),
        ("import banksman", *shown(taken["import"])),
        ("from banksman import Connector", *shown(taken["used"])),
    ]
    table(f"Start, {rounds} rounds", ["what", "median ms", "min ms", "max ms"], rows)
    finish(
        {
            "import_ms": statistics.median(taken["import"]),
            "version_ms": statistics.median(taken["version"]),
            "bare_ms": statistics.median(taken["bare"]),
            "first_use_ms": statistics.median(taken["used"]),
        }
    )


def shown(values: list[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum."""
    return statistics.median(values), min(values), max(values)


def whole(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a process takes from start to end."""
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def inside(code: str, environment: dict[str, str]) -> float:
    """Seconds that a fresh interpreter reports of itself."""
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
