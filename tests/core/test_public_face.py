"""What `import banksman` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import banksman

FACE = [
    "ABSENT", "PENDING", "UNSURE", "Action", "BoundCall", "Change", "Closed", "Compensation", "Connection", "Connector",
    "Effect", "Environment", "Irreversible", "Money", "NativeKey", "OpenConnection", "Receipt", "Record", "Sent",
    "Settings", "Unknowable", "Wiring", "__version__", "action", "open_http", "write",
]  # fmt: skip
HEAVY = {"authlib", "cyclopts", "dbos", "httpx", "jmespath", "pydantic_ai", "rich", "sqlalchemy", "yaml"}


def fresh(code: str) -> str:
    roots = [str(Path(__file__).parents[2] / part) for part in ("core", "connectors", "schemas")]
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(roots)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_face_is_pinned() -> None:
    assert banksman.__all__ == FACE
    assert dir(banksman) == sorted(FACE)


def test_every_name_of_the_face_is_there() -> None:
    for name in FACE:
        assert getattr(banksman, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        banksman.nonsense  # noqa: B018


def test_no_public_module_has_the_name_of_a_thing_of_the_face() -> None:
    """After `import banksman.action`, `from banksman import action` would give the module."""
    for name in FACE:
        with pytest.raises(ModuleNotFoundError):
            import_module(f"banksman.{name}")


def test_importing_it_loads_nothing_heavy() -> None:
    loaded = set(fresh("import banksman, sys; print(*{name.partition('.')[0] for name in sys.modules})").split())
    assert loaded & (HEAVY | {"pydantic"}) == set()


def test_declaring_actions_loads_pydantic_and_no_client() -> None:
    code = "from banksman import action, write, Connector, Record; import sys; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in fresh(code).split()}
    assert loaded & HEAVY == set()
