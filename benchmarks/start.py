"""Times the import and the first command: medians of whole processes, beside the bare interpreter.

import_ms     what `import banksman` takes inside a process
version_ms    `banksman --version`, from start to end of the process

python benchmarks/start.py [--times 15]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]

from report import finish, table  # noqa: E402

CORE = HERE.parent / "core"
TIMED = "import time; started = time.perf_counter(); {}; print((time.perf_counter() - started) * 1000)"
WHOLE_FACE = "import banksman; [getattr(banksman, name) for name in banksman.__all__]"


def environment(cache: str) -> dict[str, str]:
    """As it is for users: with byte code that the first start has written."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(CORE), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**env, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": cache}


def whole(command: Sequence[str], env: dict[str, str]) -> float:
    """Milliseconds from starting a process to its end."""
    started = time.perf_counter()
    subprocess.run(command, env=env, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


def inside(statement: str, env: dict[str, str]) -> float:
    """Milliseconds that a statement takes in a new process."""
    command = [sys.executable, "-c", TIMED.format(statement)]
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=15)
    times = parser.parse_args().times
    script = Path(sys.executable).with_name("banksman")
    version = [str(script)] if script.exists() else [sys.executable, "-c", "from banksman.cli import main; main()"]
    with tempfile.TemporaryDirectory() as cache:
        env = environment(cache)
        measures = {
            "bare interpreter, whole process": lambda: whole([sys.executable, "-c", "pass"], env),
            "import banksman, whole process": lambda: whole([sys.executable, "-c", "import banksman"], env),
            "banksman --version, whole process": lambda: whole([*version, "--version"], env),
            "import banksman, in the process": lambda: inside("import banksman", env),
            "every public name, in the process": lambda: inside(WHOLE_FACE, env),
        }
        for measure in measures.values():
            measure()  # the first one writes byte code
        found: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(times):
            for name, measure in measures.items():
                found[name].append(measure())
    medians = {name: statistics.median(values) for name, values in found.items()}
    table("Start", ["", "median ms", "lowest ms"], [[name, medians[name], min(found[name])] for name in measures])
    bare, process, told, inner, face = medians.values()
    finish(
        {
            "import_ms": inner,
            "version_ms": told,
            "import_process_ms": process,
            "bare_ms": bare,
            "public_face_ms": face,
        }
    )


if __name__ == "__main__":
    main()
