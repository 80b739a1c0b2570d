"""Addresses within a service.

Every value is percent-encoded as a whole, so nothing in it can end its place in the address. A space is `%20`: a plus
stays a plus outside of HTML forms
(https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html#_Toc31360937).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from banksman._canonical import Plain
from banksman_connectors.sap.edm import EntitySet, Function, Version
from banksman_connectors.sap.shapes import Shapes


def record_path(shapes: Shapes, held: EntitySet, key: Mapping[str, Plain]) -> str:
    """The path of one record: `PurchaseOrders('4500000017')`, `Items(order='45',pos='10')`."""
    return f"{held.name}({_key(shapes, held, key)})"


def _key(shapes: Shapes, held: EntitySet, key: Mapping[str, Plain]) -> str:
    known = held.type.properties
    parts = [(name, quote(shapes.literal(known[name], key[name]), safe="'")) for name in held.type.key]
    if len(parts) == 1:
        return parts[0][1]
    return ",".join(f"{quote(name, safe='')}={value}" for name, value in parts)


def function_path(shapes: Shapes, function: Function, arguments: Mapping[str, Plain], owner: str = "") -> str:
    """The path of a function call. V4 passes arguments in brackets, V2 in the query, where `query` puts them."""
    if shapes.service.version is Version.V2:
        return function.path
    given = {p.name: shapes.literal(p, arguments[p.name]) for p in function.parameters if p.name in arguments}
    inner = ",".join(f"{quote(name, safe='')}={quote(value, safe=chr(39))}" for name, value in given.items())
    return f"{owner}/{function.path}({inner})" if owner else f"{function.path}({inner})"


def query(options: Mapping[str, str | None]) -> str:
    """The query of an address, with its question mark; empty where no option is given."""
    given = [f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in options.items() if value is not None]
    return f"?{'&'.join(given)}" if given else ""
