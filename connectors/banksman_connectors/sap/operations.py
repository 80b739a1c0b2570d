"""The functions of a service: operations that are declared to change nothing, and so are offered as reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from banksman_connectors.sap import vocabulary
from banksman_connectors.sap.edm import Function, Property, Version
from banksman_connectors.sap.edmx import Document, children, flag, http_method, label, named, sap, unwrap

_NO_INVERSE = "it may change something, and nothing declares what or how to take it back"

ReadParameter = Callable[[str, Element], Property | None]
IsKnown = Callable[[str], bool]


def functions_of(
    document: Document, read: ReadParameter, is_known: IsKnown
) -> tuple[tuple[Function, ...], tuple[str, ...]]:
    """The functions that can be called, and a line for each operation that cannot.

    Actions (V4), and function imports called by POST or tied to an action (V2, `sap:action-for`), are left out: they
    may change anything, so a reviewed action has to be written for each.
    """
    collect = _v4 if document.version is Version.V4 else _v2
    found: dict[tuple[str, str | None], Function] = {}
    skipped: list[str] = []
    for item in collect(document, read):
        if isinstance(item, str):
            skipped.append(item)
        elif not is_known(item.returns):
            skipped.append(f"{item.name}: its result has no plain form")
        elif (item.path, item.bound_to) in found:
            skipped.append(f"{item.name}: a further overload of a function")
        else:
            found[item.path, item.bound_to] = item
    return tuple(found.values()), tuple(skipped)


def _v4(document: Document, read: ReadParameter) -> Iterator[Function | str]:
    imports = {
        document.resolve(element.get("Function", "")): name
        for _, schema in document.schemas
        for body in children(schema, "EntityContainer")
        for name, element in named(body, "FunctionImport")
    }
    for namespace, schema in document.schemas:
        yield from (f"{name}: {_NO_INVERSE}" for name, _ in named(schema, "Action"))
        for name, element in named(schema, "Function"):
            full = f"{namespace}.{name}"
            bound = flag(element.get("IsBound"), False)
            if not bound and full not in imports:
                yield f"{name}: the function is not exposed"
                continue
            parameters = list(named(element, "Parameter"))
            owner = document.resolve(parameters[0][1].get("Type", "")) if bound and parameters else None
            if owner is not None and owner.startswith("Collection("):
                yield f"{name}: functions on lists are not offered"
                continue
            returned = next(children(element, "ReturnType"), None)
            path = full if bound else imports[full]
            yield _function(document, read, name, path, parameters[1 if bound else 0 :], returned, owner)


def _v2(document: Document, read: ReadParameter) -> Iterator[Function | str]:
    for _, schema in document.schemas:
        for body in children(schema, "EntityContainer"):
            for name, element in named(body, "FunctionImport"):
                if http_method(element) != "GET" or sap(element, "action-for"):
                    yield f"{name}: {_NO_INVERSE}"
                    continue
                yield _function(document, read, name, name, list(named(element, "Parameter")), element, None)


def _function(
    document: Document,
    read: ReadParameter,
    name: str,
    path: str,
    parameters: list[tuple[str, Element]],
    returned: Element | None,
    owner: str | None,
) -> Function | str:
    found = [read(own, element) for own, element in parameters]
    given = returned.get("Type") or returned.get("ReturnType") or "" if returned is not None else ""
    kind, many = unwrap(given)
    if not kind or None in found:
        return f"{name}: a parameter or the result has no plain form"
    terms = document.annotations(returned, path) if returned is not None else {}
    return Function(
        name=name,
        path=path,
        parameters=tuple(item for item in found if item is not None),
        returns=document.resolve(kind),
        many=many,
        bound_to=owner,
        label=vocabulary.text(terms) or label(sap(returned, "label") if returned is not None else ""),
    )
