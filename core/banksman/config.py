"""What is configured: which accounts of which systems, and where runs are kept."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from banksman._connector import Connection, Connector, Environment
from banksman.errors import ConfigError

FILE = "banksman.yaml"
_OWN_TYPES: dict[str, type] = {"environment": str, "auth": dict, "limits": dict, "unattended": bool}
_OWN = frozenset(_OWN_TYPES)


@dataclass(frozen=True)
class Config:
    """A configuration file, read but not yet held against the connectors.

    Attributes:
        path: where it was read from; None for a program's own.
        home: the folder of the ledger and the run database.
        database: a `postgresql://` address instead of files in `home`.
        connections: the settings of each connection by name.
        user: whom runs and approvals are recorded for.
    """

    path: Path | None
    home: Path
    database: str | None = None
    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    user: str = ""

    @property
    def ledger(self) -> str | Path:
        """Where the ledger is."""
        return self.database or self.home / "ledger.db"

    @property
    def engine(self) -> str | Path:
        """Where the durable engine keeps what it has started. Not in the ledger's file: each has one writer."""
        return self.database or self.home / "engine.db"

    def connection(self, name: str, connector: Connector) -> Connection:
        """One connection, its settings checked by its connector.

        Raises:
            ConfigError: lists every problem.
        """
        from pydantic import ValidationError

        from banksman._schema import problems

        given = dict(self.connections[name])
        own = {key: given.pop(key) for key in list(given) if key in _OWN}
        try:
            settings = connector.settings.model_validate(given)
        except ValidationError as error:
            known = tuple(sorted({*connector.settings.model_fields, *_OWN}))
            raise ConfigError(f"connection {name}: " + "; ".join(problems(error, known))) from None
        environment = own.get("environment", Environment.PRODUCTION)
        if environment not in list(Environment):
            raise ConfigError(f"connection {name}: environment {environment!r}; there are {', '.join(Environment)}")
        for key, kind in _OWN_TYPES.items():
            if own.get(key) is not None and not isinstance(own[key], kind):
                raise ConfigError(f"connection {name}: {key} has the wrong type ({type(own[key]).__name__})")
        return Connection(
            name=name,
            system=connector.name,
            environment=Environment(environment),
            settings=settings,
            auth=own.get("auth") or {},
            limits=own.get("limits") or {},
            unattended=own.get("unattended"),
        )


def find(given: str | Path | None = None) -> Path | None:
    """The configuration file: as given, by `BANKSMAN_CONFIG`, in this folder or one above, or the user's own.

    Raises:
        ConfigError: a file was named, and is not there.
    """
    named = given or os.environ.get("BANKSMAN_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"there is no configuration {path}", hint="`banksman init` writes one.")
        return path
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    user = base / "banksman" / FILE
    return user if user.is_file() else None


def load(given: str | Path | None = None, *, database: str | None = None) -> Config:
    """The configuration that applies here; an empty one where there is no file.

    Raises:
        ConfigError: it cannot be read, or has fields that do not exist.
    """
    path = find(given)
    if path is None:
        return Config(None, Path.cwd() / ".banksman", database=database, user=_user(None))
    return parse(path.read_text(encoding="utf-8"), path=path, database=database)


def parse(text: str, *, path: Path, database: str | None = None) -> Config:
    """The configuration in a text; relative folders are relative to `path`'s.

    Raises:
        ConfigError: it cannot be read, or has fields that do not exist.
    """
    import yaml

    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise ConfigError(f"{path}:{where} {getattr(error, 'problem', None) or error}") from None
    if not isinstance(document, Mapping):
        raise ConfigError(f"{path}: an object with `connections` was expected")
    known = {"home", "database", "connections", "user"}
    if unknown := sorted(set(document) - known):
        raise ConfigError(f"{path}: no such field {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    connections = {} if document.get("connections") is None else document["connections"]
    for name, settings in connections.items() if isinstance(connections, Mapping) else ():
        if not isinstance(name, str) or name.count(":") != 1 or not all(name.split(":")):
            raise ConfigError(f"{path}: connection {name!r}: name it SYSTEM:ACCOUNT, such as sap:s4-prod")
        if not isinstance(settings, Mapping | None):
            raise ConfigError(f"{path}: connection {name}: an object was expected")
    if not isinstance(connections, Mapping):
        raise ConfigError(f"{path}: connections: an object by name was expected")
    return Config(
        path=path,
        home=path.parent / str(document.get("home", ".banksman")),
        database=database or document.get("database"),
        connections={name: settings or {} for name, settings in connections.items()},
        user=_user(document.get("user")),
    )


def _user(given: Any) -> str:
    try:
        return str(given or os.environ.get("BANKSMAN_USER") or getpass.getuser())
    except (KeyError, OSError):
        return "unknown"
