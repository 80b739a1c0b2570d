"""Connectors by name. Those installed are known by their entry points, and imported on first use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from banksman._connector import Connector
from banksman.errors import ConfigError, UnknownName

#: Third-party connectors register here: `acme = "acme_banksman:connector"`.
GROUP = "banksman.connectors"


class Registry:
    """The connectors that can be used.

    Args:
        connectors: given by a program, on top of those that are installed; they win over installed ones.
    """

    def __init__(self, connectors: tuple[Connector, ...] = ()) -> None:
        self._loaded: dict[str, Connector] = {connector.name: connector for connector in connectors}
        self._found: Mapping[str, EntryPoint] | None = None

    @property
    def _installed(self) -> Mapping[str, EntryPoint]:
        if self._found is None:
            self._found = {point.name: point for point in entry_points(group=GROUP)}
        return self._found

    def names(self) -> list[str]:
        """The systems there are connectors for; nothing is imported."""
        return sorted({*self._loaded, *self._installed})

    def origin(self, name: str) -> str:
        """The distribution a connector comes from, and its version."""
        point = self._installed.get(name)
        if point is None or point.dist is None:
            return "given by the program"
        return f"{point.dist.name} {point.dist.version}"

    def get(self, name: str) -> Connector:
        """The connector of a system, imported now if it was not before.

        Raises:
            UnknownName: there is none; lists the near ones.
            ConnectorGaps: it is incomplete.
            ConfigError: it cannot be imported, as when its extra is not installed.
        """
        if name not in self._loaded:
            point = self._installed.get(name)
            if point is None:
                raise UnknownName("connector", name, self.names())
            self._loaded[name] = _load(point)
        return self._loaded[name]

    def version(self, name: str) -> str:
        """Says which code prepared a write: part of every approval."""
        return self.origin(name)


def _load(point: EntryPoint) -> Connector:
    try:
        connector = point.load()
    except ImportError as error:
        missing = error.name or str(error)
        package = point.dist.name if point.dist is not None else "banksman"
        ours = package == "banksman"
        needs = f"pip install 'banksman[{point.name}]'" if ours else f"its package is {package}"
        hint = f"Install what it needs: {needs}."
        raise ConfigError(f"connector {point.name!r} cannot be imported: {missing} is missing", hint=hint) from error
    if not isinstance(connector, Connector):
        raise ConfigError(f"entry point {point.name!r} ({point.value}) is a {type(connector).__name__}, no Connector")
    if connector.name != point.name:
        raise ConfigError(f"entry point {point.name!r} gives a connector named {connector.name!r}; use one name")
    return connector
