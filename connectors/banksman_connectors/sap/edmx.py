"""The XML of a `$metadata` document, read without trusting it.

Document type definitions, entities and external references are refused, so that a few kilobytes cannot unfold to
gigabytes and nothing is fetched (https://pypi.org/project/defusedxml/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from banksman.errors import MalformedAnswer
from banksman_connectors.sap.edm import Version

_SAP = "{http://www.sap.com/Protocols/SAPData}"
_METADATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
_IDENTIFIER = re.compile(r"[^\W\d]\w{0,127}")
_LABEL_LENGTH = 200

#: Terms by their full name, each with its element.
Annotations = Mapping[str, Element]


def parse_xml(content: bytes) -> Element:
    """The root element of a document.

    Raises:
        MalformedAnswer: it is no XML, or holds what no metadata document needs.
    """
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        what = type(error).__name__
        raise MalformedAnswer(f"the document was refused: {what}", hint="Metadata needs no DTD or entities.") from None
    except (ParseError, ValueError, LookupError) as error:
        hint = "Is base_url the root of the service? `$metadata` below it must be XML."
        raise MalformedAnswer(f"the document is not XML: {error}", hint=hint) from None
    return root


def local(element: Element) -> str:
    """An element's name without its namespace: there are five, one a draft of the language."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """The direct children of that name."""
    return (child for child in element if local(child) == name)


def named(element: Element, name: str) -> Iterator[tuple[str, Element]]:
    """The direct children of that name that have a usable `Name`."""
    for child in children(element, name):
        given = child.get("Name", "")
        if is_identifier(given):
            yield given, child


def is_identifier(name: str) -> bool:
    """Whether a name is one of the language: letters, digits, underscores. Anything else stays out of addresses."""
    return _IDENTIFIER.fullmatch(name) is not None


def sap(element: Element, name: str) -> str | None:
    """One of SAP's own attributes (https://sap.github.io/odata-vocabularies/docs/v2-annotations.html)."""
    return element.get(_SAP + name)


def http_method(element: Element) -> str:
    """The verb that a V2 function import is called by."""
    return element.get(_METADATA + "HttpMethod", "").upper()


def flag(text: str | None, default: bool) -> bool:
    """A boolean attribute."""
    return {"true": True, "1": True, "false": False, "0": False}.get((text or "").strip().lower(), default)


def count(text: str | None) -> int | None:
    """A number that counts something; None for `max`, `variable` and nonsense."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else None


def label(text: str | None) -> str:
    """A text for people: one line, not long. The system's users may have written it."""
    flat = " ".join((text or "").split())
    return "".join(letter for letter in flat if letter.isprintable())[:_LABEL_LENGTH]


def unwrap(type_name: str) -> tuple[str, bool]:
    """The type, and whether a collection of it is meant."""
    if type_name.startswith("Collection(") and type_name.endswith(")"):
        return type_name[len("Collection(") : -1], True
    return type_name, False


@dataclass(frozen=True)
class Document:
    """A metadata document: its schemas, and what is said about its parts elsewhere in it."""

    root: Element

    @cached_property
    def version(self) -> Version:
        """V4 says so in its first attribute; everything before is V2."""
        return Version.V4 if self.root.get("Version", "").startswith("4") else Version.V2

    @cached_property
    def schemas(self) -> tuple[tuple[str, Element], ...]:
        """`(namespace, schema)` pairs."""
        found = (element for element in self.root.iter() if local(element) == "Schema")
        return tuple((element.get("Namespace", ""), element) for element in found)

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        found = {element.get("Alias"): namespace for namespace, element in self.schemas}
        for element in self.root.iter():
            if local(element) == "Include":
                found[element.get("Alias")] = element.get("Namespace", "")
        return {alias: namespace for alias, namespace in found.items() if alias}

    def resolve(self, name: str) -> str:
        """A qualified name with its alias replaced by the namespace."""
        head, dot, tail = name.rpartition(".")
        return f"{self._aliases.get(head, head)}{dot}{tail}"

    @cached_property
    def _outside(self) -> Mapping[str, Annotations]:
        found: dict[str, dict[str, Element]] = {}
        for _, schema in self.schemas:
            for group in children(schema, "Annotations"):
                if group.get("Qualifier") is None:
                    target = self._target(group.get("Target", ""))
                    found.setdefault(target, {}).update(self._terms(group))
        return found

    def _target(self, path: str) -> str:
        head, slash, tail = path.partition("/")
        return f"{self.resolve(head)}{slash}{tail}"

    def path_in_container(self, name: str) -> str:
        """How annotations name a set or an import: `Namespace.Container/Name`."""
        for namespace, schema in self.schemas:
            for container, body in named(schema, "EntityContainer"):
                if any(child.get("Name") == name for child in body):
                    return f"{namespace}.{container}/{name}"
        return name

    def _terms(self, element: Element) -> dict[str, Element]:
        found = children(element, "Annotation")
        return {self.resolve(item.get("Term", "")): item for item in found if item.get("Qualifier") is None}

    def annotations(self, element: Element, target: str) -> Annotations:
        """What is said about a part, within it and elsewhere. `target` is its path: `Namespace.Type/property`."""
        return {**self._terms(element), **self._outside.get(target, {})}
