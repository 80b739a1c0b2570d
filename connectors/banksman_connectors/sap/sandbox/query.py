"""Just enough of OData's query language for the sandbox: filters, sorting, and the keys in addresses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([(),])|([^\s(),']+))")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


class BadFilter(ValueError):
    """The expression cannot be read."""


def parse_key(text: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a key predicate: `'4500000017'`, `order='45',pos='10'`.

    Raises:
        BadFilter: it names other parts.
    """
    tokens = [match[0].strip() for match in _TOKEN.finditer(text)]
    parts = "".join(tokens).split(",") if "'" not in text else re.findall(r"(?:\w+=)?'(?:[^']|'')*'", text)
    found: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=") if re.match(r"\w+=", part) else ("", "", part)
        found[name if equals else names[0]] = value.strip("'") if value == "''" else value[1:-1].replace("''", "'")
    if set(found) != set(names):
        raise BadFilter(f"the key is {', '.join(names)}")
    return tuple(found[name] for name in names)


def select(rows: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows that a query asks for, sorted, cut to `$skip` and `$top`.

    Raises:
        BadFilter: the filter cannot be read.
    """
    if query.get("$filter"):
        test = _Parser(query["$filter"]).parse()
        rows = [row for row in rows if test(row)]
    for item in reversed([part for part in query.get("$orderby", "").split(",") if part]):
        field, _, direction = item.strip().partition(" ")
        rows = sorted(rows, key=lambda row: (row.get(field) is not None, row.get(field)), reverse=direction == "desc")
    start = int(query.get("$skip", "0"))
    end = start + int(query["$top"]) if "$top" in query else None
    return rows[start:end]


class _Parser:
    """Recursive descent over `or`, `and`, `not`, brackets, comparisons and text functions."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise BadFilter(f"the filter cannot be read at {position}")
            self.tokens.append(match[0].strip())
            position = match.end()

    def parse(self) -> Test:
        """The whole expression."""
        test = self._any()
        if self.tokens:
            raise BadFilter(f"unexpected {self.tokens[0]!r} in the filter")
        return test

    def _take(self, *wanted: str) -> str:
        if not self.tokens or (wanted and self.tokens[0] not in wanted):
            raise BadFilter(f"the filter lacks {' or '.join(wanted) or 'an operand'}")
        return self.tokens.pop(0)

    def _joined(self, word: str, inner: Callable[[], Test], all_of: bool) -> Test:
        tests = [inner()]
        while self.tokens and self.tokens[0] == word:
            self.tokens.pop(0)
            tests.append(inner())
        return lambda row: all(test(row) for test in tests) if all_of else any(test(row) for test in tests)

    def _any(self) -> Test:
        return self._joined("or", self._all, all_of=False)

    def _all(self) -> Test:
        return self._joined("and", self._one, all_of=True)

    def _one(self) -> Test:
        head = self._take()
        if head == "(":
            inner = self._any()
            self._take(")")
            return inner
        if head == "not":
            denied = self._one()
            return lambda row: not denied(row)
        if head in _TEXT:
            return self._text(_TEXT[head])
        op = _COMPARE.get(self._take())
        if op is None:
            raise BadFilter("the filter has no comparison")
        wanted = _literal(self._take())

        def compare(row: Row) -> bool:
            if head not in row:
                raise BadFilter(f"there is no field {head!r}")
            value = row[head]
            if isinstance(wanted, Decimal) and value is not None:
                value = Decimal(value)
            if (value is None or wanted is None) and op not in (operator.eq, operator.ne):
                return False
            return bool(op(value, wanted))

        return compare

    def _text(self, function: Callable[[str, str], bool]) -> Test:
        self._take("(")
        field = self._take()
        self._take(",")
        part = str(_literal(self._take()))
        self._take(")")
        return lambda row: function(row.get(field) or "", part)


def _literal(token: str) -> Any:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if token in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[token]
    if re.fullmatch(r"-?\d+(\.\d+)?", token):
        return Decimal(token)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?", token):
        return token
    raise BadFilter(f"{token!r} is no value")
