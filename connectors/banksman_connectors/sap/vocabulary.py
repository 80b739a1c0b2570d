"""What annotations say that an action has to heed.

The terms are OASIS's (https://github.com/oasis-tcs/odata-vocabularies) and SAP's
(https://github.com/SAP/odata-vocabularies). A value that depends on the record (`Path`) is taken as the permission
that it can be: the system then refuses by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from banksman_connectors.sap.edmx import Annotations, children, flag, label, local

_CORE = "Org.OData.Core.V1."
_CAPABILITIES = "Org.OData.Capabilities.V1."
_VALIDATION = "Org.OData.Validation.V1."
_COMMON = "com.sap.vocabularies.Common.v1."
_DYNAMIC = ("Path", "PropertyPath", "If", "Apply")


def tagged(terms: Annotations, name: str) -> bool:
    """Whether a Core term applies: it is there, and is not said to be false."""
    element = terms.get(_CORE + name)
    return element is not None and _boolean(element, default=True, dynamic=False)


def text(terms: Annotations) -> str:
    """What people call a thing."""
    for term in (_COMMON + "Label", _CORE + "Description", _COMMON + "QuickInfo"):
        element = terms.get(term)
        found = label(_string(element)) if element is not None else ""
        if found:
            return found
    return ""


def field_control(terms: Annotations) -> str:
    """`Mandatory`, `ReadOnly`, `Optional`, `Hidden`, `Inapplicable`; empty where nothing is said."""
    return _member(terms.get(_COMMON + "FieldControl"))


def read_only(terms: Annotations) -> bool:
    """Whether nobody may write a property."""
    return field_control(terms) == "ReadOnly" or _member(terms.get(_CORE + "Permissions")) == "Read"


def allowed_values(terms: Annotations) -> tuple[str, ...]:
    """The values of a property that has a fixed list of them."""
    element = terms.get(_VALIDATION + "AllowedValues")
    if element is None:
        return ()
    found = [_part(record, "Value") for record in element.iter() if local(record) == "Record"]
    values = [_string(item) for item in found if item is not None]
    return tuple(values) if all(values) and len(values) == len(found) else ()


def restricted(terms: Annotations, term: str, permission: str) -> bool:
    """Whether a capability is denied: `InsertRestrictions`, `Insertable`."""
    part = _part_of_term(terms, term, permission)
    return part is not None and not _boolean(part, default=True, dynamic=True)


def paths(terms: Annotations, term: str, name: str) -> frozenset[str]:
    """The properties that a capability lists: `InsertRestrictions`, `RequiredProperties`."""
    part = _part_of_term(terms, term, name)
    if part is None:
        return frozenset()
    kinds = ("PropertyPath", "NavigationPropertyPath")
    return frozenset((item.text or "").strip() for item in part.iter() if local(item) in kinds)


def concurrent(terms: Annotations) -> bool:
    """Whether records carry an ETag."""
    return _CORE + "OptimisticConcurrency" in terms


def _part_of_term(terms: Annotations, term: str, name: str) -> Element | None:
    element = terms.get(_CAPABILITIES + term)
    if element is None:
        return None
    records = list(children(element, "Record"))
    return _part(records[0], name) if records else None


def _part(record: Element, name: str) -> Element | None:
    return next((item for item in children(record, "PropertyValue") if item.get("Property") == name), None)


def _boolean(element: Element, *, default: bool, dynamic: bool) -> bool:
    if any(kind in element.attrib for kind in _DYNAMIC) or any(local(child) in _DYNAMIC for child in element):
        return dynamic
    inner = next(children(element, "Bool"), None)
    return flag(element.get("Bool") if inner is None else inner.text, default)


def _string(element: Element) -> str:
    inner = next(children(element, "String"), None)
    return element.get("String") or (inner.text or "" if inner is not None else "")


def _member(element: Element | None) -> str:
    """The name of an enumeration member: `Common.FieldControlType/Mandatory` is Mandatory."""
    if element is None:
        return ""
    return next(_members(element), "")


def _members(element: Element) -> Iterator[str]:
    given = element.get("EnumMember")
    texts = [given] if given else [child.text for child in children(element, "EnumMember")]
    for item in texts:
        words = (item or "").split()
        if len(words) == 1:
            yield words[0].rpartition("/")[2]
