"""Names for systems, operations and arguments: lower-case words, parted by underscores and dots."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PART = re.compile(r"[./:#\\]+")
_BRACED = re.compile(r"\{([^{}]*)\}")
_ENDINGS = frozenset({"com", "org", "net", "io", "co"})

#: Longer names are cut, and end in a digest of the whole.
MAX_LENGTH = 120


@lru_cache(maxsize=65536)
def words(text: str) -> tuple[str, ...]:
    """The words of a name in any notation: `getHTTPStatus` is get, http, status."""
    found = [word.lower() for word in _WORD.findall(text)]
    joined: list[str] = []
    for word in found:
        # A number belongs to the word before it: `v2`, `s3`, `sha256`.
        if word.isdigit() and joined and not joined[-1][-1].isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return tuple(joined)


def snake(text: str) -> str:
    """`createOrUpdate` is `create_or_update`."""
    return "_".join(words(text))


def operation_name(operation_id: str, method: str, path: str, system: str) -> str:
    """The name of an operation within its system, from its id, or from method and path where it has none."""
    parts = [part for text in _PART.split(operation_id) if (part := snake(text))]
    if len(parts) > 1 and (parts[0] == system or system.endswith(f"_{parts[0]}")):
        parts = parts[1:]
    return shorten(".".join(parts)) if parts else path_name(method, path)


def path_name(method: str, path: str) -> str:
    """`GET /pets/{petId}` is `pets.by_pet_id.get`."""
    parts: list[str] = []
    for segment in path.split("#")[0].strip("/").split("/"):
        braced = _BRACED.search(segment)
        plain = snake(_BRACED.sub(" ", segment))
        if plain:
            parts.append(plain)
        if braced:
            parts.append(f"by_{snake(braced[1]) or 'key'}")
    fragment = snake(path.partition("#")[2])
    return shorten(".".join([*parts, *([fragment] if fragment else []), method.lower()]))


def shorten(name: str) -> str:
    """The name, cut and ended by a digest where it is too long."""
    if len(name) <= MAX_LENGTH:
        return name
    return f"{name[: MAX_LENGTH - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class Names:
    """Names given out, each once. Counts, so that a thousand equal names cost no more than others."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def free(self, name: str, other: Callable[[], str] | None = None) -> str:
        """The name if it is free, else the other, else the first with a number; it is taken from then on."""
        if name in self._taken and other is not None:
            second = other()
            name = name if second in self._taken else second
        chosen = name
        while chosen in self._taken:
            number = self._next.get(name, 2)
            self._next[name] = number + 1
            chosen = f"{name}_{number}"
        self._taken.add(chosen)
        return chosen


def system_name(text: str) -> str:
    """A system's name from a host, a title or a file name: `api.example.com` is `api_example`."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text.lower()) if part]
    while len(parts) > 1 and parts[-1] in _ENDINGS:
        parts.pop()
    name = "_".join(parts) or "system"
    return shorten(name if name[0].isalpha() else f"api_{name}")
