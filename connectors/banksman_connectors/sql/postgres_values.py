"""Types of PostgreSQL as plain values, and back.

What has a plain form that PostgreSQL reads back gets it; everything else (intervals, ranges, addresses, types of
extensions) stays PostgreSQL's own text, which it reads back by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime
from datetime import time as daytime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from banksman._canonical import plain
from banksman.errors import Rejected
from banksman_connectors.sql.values import json_text

if TYPE_CHECKING:
    import psycopg

_AS_TEXT: Final = [
    "interval",
    "inet",
    "cidr",
    "uuid",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
    "datemultirange",
]
_TIMES: Final[dict[str, Callable[[str], Any]]] = {
    "date": date.fromisoformat,
    "time": daytime.fromisoformat,
    "timetz": daytime.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Have a connection load values in plain form."""
    from psycopg.adapt import Loader
    from psycopg.types.json import set_json_loads
    from psycopg.types.string import TextLoader

    def loader(read: Callable[[str], Any]) -> type[Loader]:
        class TimeLoader(Loader):
            def load(self, data: Any) -> Any:
                text = bytes(data).decode()
                try:
                    return plain(read(text))
                except ValueError:
                    # `infinity`, `0044-03-15 BC`: Python has no such moment.
                    return text

        return TimeLoader

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)
    for name, read in _TIMES.items():
        connection.adapters.register_loader(name, loader(read))
    set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)


def plain_value(value: Any) -> Any:
    """A loaded value in plain form."""
    if value is None or isinstance(value, str | bool | int | bytes):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else ("NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity")
    if isinstance(value, Decimal):
        return value if value.is_finite() else str(value)
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {name: plain_value(item) for name, item in value.items()}
    try:
        return plain(value)
    except TypeError:
        return str(value)


def size_of(row: tuple[Any, ...]) -> int:
    """About how many bytes of text and binary values a row has."""
    return sum(
        len(value) if isinstance(value, str | bytes) else 16 if not isinstance(value, list | dict) else len(repr(value))
        for value in row
    )


def bindable(value: Any) -> Any:
    """A plain value as a parameter: objects as JSON text, lists as arrays, texts untyped, so the server infers."""
    if isinstance(value, dict):
        return json_text(value)
    if isinstance(value, list):
        return json_text(value) if any(isinstance(item, dict) for item in value) else [bindable(item) for item in value]
    if isinstance(value, str):
        if "\x00" in value:
            raise Rejected("PostgreSQL has no texts with a NUL character")
        return str(value)
    return value
