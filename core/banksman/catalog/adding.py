"""Adds the systems of a source to a catalog: what `banksman catalog add` does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from banksman.catalog.build import Builder
from banksman.catalog.compile import Compiler, compiler_for
from banksman.catalog.entry import Report
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.sources import Description


@dataclass(frozen=True)
class Added:
    """What came of one description: a report, or the error that kept all of it out."""

    description: Description
    report: Report | None = None
    error: DescriptionError | None = None


def add(builder: Builder, found: Iterable[Description], bounds: Bounds | None = None) -> Iterator[Added]:
    """Compile each description into the catalog in the making. One that cannot be used does not stop the others.

    A system of the same source is replaced. One that came from elsewhere keeps its name, and the new one gets a number.
    """
    for each in found:
        description = each if each.chosen else _beside_others(each, builder)
        try:
            compiler, digest = _compiler(description, bounds)
            report = builder.add(compiler, description.source, digest)
        except DescriptionError as error:
            yield Added(description, error=error)
        else:
            yield Added(description, report)


def _beside_others(description: Description, builder: Builder) -> Description:
    name, number = description.system, 2
    while (builder.source(name) or description.source) != description.source:
        name, number = f"{description.system}_{number}", number + 1
    return replace(description, system=name)


def _compiler(description: Description, bounds: Bounds | None) -> tuple[Compiler, str]:
    """The compiler and the description's SHA-256; the text itself need not be kept while entries are made."""
    content = description.content(bounds)
    extra = description.extra()
    compiler = compiler_for(content, description.system, description.source, extra=extra, bounds=bounds)
    return compiler, hashlib.sha256(content).hexdigest()
