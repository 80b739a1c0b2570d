"""What the actions return."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from banksman import Closed, Record

Operation = Literal["insert", "update", "delete", "upsert", "merge", "restore"]


class QueryResult(Record):
    """The rows of a query. Their contents are free text: anybody can have written them."""

    columns: list[str] = Field(description="The columns in order.", examples=[["id", "status"]])
    rows: list[dict[str, Any]] = Field(
        description="One object a row, keyed by column; decimals exact, times in ISO 8601.",
        examples=[[{"id": 17, "status": "late"}]],
    )
    truncated: Closed[bool] = Field(
        default=False, description="Whether there are more rows than were asked for.", examples=[False]
    )


class TableSummary(Record):
    """A table or view, by name."""

    name: str = Field(
        description="The name as actions take it: with its schema on PostgreSQL.", examples=["public.orders"]
    )
    kind: Closed[Literal["table", "view"]] = Field(description="Whether it holds rows itself.", examples=["table"])


class Column(Record):
    """A column of a table."""

    name: str = Field(description="Its name.", examples=["total"])
    type: str = Field(description="Its type, in the database's words.", examples=["numeric(10,2)"])
    nullable: Closed[bool] = Field(description="Whether it may be empty (NULL).", examples=[False])
    default: str | None = Field(default=None, description="What fills it when nothing is given.", examples=["0"])
    generated: Closed[bool] = Field(default=False, description="Whether it is computed from others.", examples=[False])


class ForeignKey(Record):
    """Rows of another table that refer to this one."""

    table: str = Field(description="The table that refers here.", examples=["public.order_items"])
    columns: list[str] = Field(description="Its columns that refer.", examples=[["order_id"]])
    referred: list[str] = Field(description="The columns they refer to.", examples=[["id"]])
    on_delete: Closed[str] = Field(description="What becomes of them when the row goes.", examples=["CASCADE"])


class TableDescription(Record):
    """A table's columns and keys."""

    name: str = Field(description="The name as actions take it.", examples=["public.orders"])
    columns: list[Column] = Field(
        description="In order.", examples=[[{"name": "id", "type": "bigint", "nullable": False}]]
    )
    primary_key: list[str] = Field(description="Its columns; empty where there is none.", examples=[["id"]])
    referred_by: list[ForeignKey] = Field(
        default_factory=list, description="The foreign keys that point here.", examples=[[]]
    )
    triggers: list[str] = Field(
        default_factory=list, description="The triggers that run with writes.", examples=[["orders_touch"]]
    )


class Changed(Record):
    """What a write did."""

    table: str = Field(description="The table that was written to.", examples=["public.orders"])
    operation: Closed[Operation] = Field(description="What was done.", examples=["update"])
    count: Closed[int] = Field(description="The rows that were touched there.", examples=[1])
    key: list[str] = Field(description="The columns of the primary key; empty where there is none.", examples=[["id"]])
    rows: list[dict[str, Any]] = Field(
        description="The rows as they are now, with the key and what was written; none for rows that are gone.",
        examples=[[{"id": 17, "status": "late"}]],
    )
    generated: Closed[list[dict[str, Any]]] = Field(
        default_factory=list,
        description="For each of `rows`, what the database itself drew: a new number, a default time. Take a new key "
        "from here: nobody can have written it.",
        examples=[[{"id": 17}]],
    )
    lost: list[str] = Field(
        default_factory=list,
        description="What went with it and cannot be put back, one line each.",
        examples=[["3 rows of public.notes, which has no primary key"]],
    )


class Defined(Record):
    """What a definition did."""

    statement: str = Field(description="The definition that was carried out.", examples=["CREATE INDEX ..."])
    tables: list[str] = Field(description="The tables and views that are different now.", examples=[["public.orders"]])
