"""One byte form for every value that is hashed, compared or stored.

Canonical JSON after RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785), with the types it lacks as tagged objects:
`{"$decimal": "1.50"}`, `{"$integer": "9007199254740993"}`, `{"$bytes": "<base64>"}`. A value that already looks like
a tag is wrapped in `{"$object": ...}`, so that nobody can forge one.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from pydantic import BaseModel

#: What working memory holds: JSON, with `Decimal` kept exact.
Plain = Any

_TAGS = frozenset({"$decimal", "$integer", "$bytes", "$object"})
_SAFE_INTEGER = 2**53 - 1
_SCALARS = frozenset({str, int, float, bool, Decimal, bytes, type(None)})
_KEPT = (str, int, float, Decimal, bytes)
#: `Decimal("1E+999999999")` is a short text from outside; written out, it would be a gigabyte.
_LONGEST = 4000


def plain(value: Any) -> Plain:
    """The value as dicts with string keys, lists, strings, numbers, booleans and None.

    Decimals stay decimals, times become ISO 8601 (aware ones in UTC), sets become sorted lists, bytes stay bytes.

    Raises:
        TypeError: the value has no plain form; names its type.
    """
    if type(value) in _SCALARS:
        return value
    if isinstance(value, _KEPT):
        return plain(value.value) if isinstance(value, Enum) else value
    if isinstance(value, BaseModel):
        return {field: plain(item) for field, item in value.model_dump(by_alias=True, warnings=False).items()}
    if isinstance(value, Mapping):
        made = {_key(key): plain(item) for key, item in value.items()}
        if len(made) != len(value):
            raise TypeError("two keys of an object are the same once they are text")
        return made
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Plain:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc)
            return value.isoformat().replace("+00:00", "Z")
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=encode)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a {type(value).__name__} has no plain form")


def _key(key: Any) -> str:
    if type(key) is str:
        return key
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return key
    if isinstance(key, bool | int):
        return json.dumps(key)
    raise TypeError(f"a {type(key).__name__} cannot be the key of an object")


def encode(value: Any) -> str:
    """The canonical text of a plain value.

    Raises:
        ValueError: a float is not finite, or a string holds a lone surrogate.
    """
    if _is_json(value):
        text = _DUMPS(value)
    else:
        out: list[str] = []
        _write(value, out.append)
        text = "".join(out)
    if not text.isascii():
        text.encode("utf-8")
    return text


#: Writes what `_write` writes, twenty times as fast, where a value needs neither tags nor a sort by UTF-16.
_DUMPS = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")).encode


def _is_json(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        if len(value) == 1 and not _TAGS.isdisjoint(value):
            return False
        for key, item in value.items():
            if type(key) is not str or not key.isascii() or not (type(item) is str or _is_json(item)):
                return False
        return True
    if kind is list or kind is tuple:
        return all(map(_is_json, value))
    return kind is int and -_SAFE_INTEGER <= value <= _SAFE_INTEGER


def _write(value: Any, out: Any) -> None:
    if value is None:
        out("null")
    elif value is True:
        out("true")
    elif value is False:
        out("false")
    elif isinstance(value, str):
        out(encode_basestring(value))
    elif isinstance(value, int):
        out(str(value) if abs(value) <= _SAFE_INTEGER else f'{{"$integer":"{value}"}}')
    elif isinstance(value, float):
        out(_float(value))
    elif isinstance(value, dict):
        _write_object(value, out)
    elif isinstance(value, list | tuple):
        out("[")
        for index, item in enumerate(value):
            if index:
                out(",")
            _write(item, out)
        out("]")
    elif isinstance(value, Decimal):
        out(f'{{"$decimal":"{exact(value)}"}}')
    elif isinstance(value, bytes):
        out(f'{{"$bytes":"{base64.b64encode(value).decode()}"}}')
    else:
        _write(plain(value), out)


def _write_object(value: dict[str, Any], out: Any) -> None:
    wrapped = len(value) == 1 and not _TAGS.isdisjoint(value)
    out('{"$object":{' if wrapped else "{")
    # RFC 8785 sorts by UTF-16 code units, which differs from code points only beyond the basic plane.
    ascii_keys = all(key.isascii() for key in value)
    for index, key in enumerate(sorted(value, key=None if ascii_keys else _utf16)):
        out(f"{',' if index else ''}{encode_basestring(key)}:")
        _write(value[key], out)
    out("}}" if wrapped else "}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def exact(value: Decimal) -> str:
    """A decimal with all its digits, and with an exponent only where there would be thousands of zeros.

    Raises:
        ValueError: it is not finite.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not a finite number")
    return format(value, "f") if abs(value.adjusted()) <= _LONGEST and abs(_exponent(value)) <= _LONGEST else str(value)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _float(value: float) -> str:
    """ECMAScript's Number.prototype.toString, which RFC 8785 prescribes."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    shown = f"{point - 1:+d}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if count > 1 else ''}e{shown}"


def decode(text: str | bytes) -> Plain:
    """The plain value that `encode` wrote."""
    if isinstance(text, bytes):
        text = text.decode()
    value = json.loads(text, parse_int=_number) if _DIGITS.search(text) else json.loads(text)
    return _untag(value) if _TAGGED.search(text) else value


#: A shorter run of digits is an integer that needs no tag, or the digits of a float.
_DIGITS = re.compile("[0-9]{16}")
_TAGGED = re.compile(r'"\$(?:decimal|integer|bytes|object)":')


def _number(text: str) -> int | float:
    # Larger integers are tagged, so bare digits beyond these are a float's.
    number = int(text)
    return number if abs(number) <= _SAFE_INTEGER else float(text)


def _untag(value: Any) -> Plain:
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "$object":
            return {key: _untag(item) for key, item in content.items()}
        if tag == "$decimal":
            return Decimal(content)
        if tag == "$integer":
            return int(content)
        if tag == "$bytes":
            return base64.b64decode(content)
    return {key: _untag(item) for key, item in value.items()}


def digest(value: Any, *, purpose: str) -> str:
    """SHA-256 of the canonical text, in hex. `purpose` keeps digests of different uses apart."""
    text = encode(value if _is_json(value) else plain(value))
    return hashlib.sha256(f"{purpose}\n{text}".encode()).hexdigest()
