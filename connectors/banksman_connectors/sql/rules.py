"""What never runs in production, whatever anybody approves: changes that do not say which rows they mean.

A WHERE that is true for every row says nothing. What is looked for is not truth as such, which no rule can decide, but
the shapes in which it is written: constants, a column held against itself, alternatives that leave nothing out, and
conditions that do not look at the row at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from banksman.errors import Denied
from banksman_connectors.sql.parsing import Write
from banksman_connectors.sql.schema import Table

if TYPE_CHECKING:
    from sqlglot import exp


def check_write(write: Write, table: Table) -> None:
    """Hold one change against the rules of production.

    Raises:
        Denied: names the rule.
    """
    check_key(table)
    if write.operation == "merge":
        _check(_Rows(write, table), write.tree.args.get("on"), "the ON of a MERGE")
    if write.operation not in ("update", "delete"):
        return
    where = write.tree.args.get("where")
    if where is None:
        raise Denied(
            f"{write.operation.upper()} without WHERE would touch every row of {table.title}",
            rule="sql.production-where",
            hint="Say which rows are meant.",
        )
    _check(_Rows(write, table), where.this, "the WHERE")


def check_key(table: Table) -> None:
    """Refuse a table whose rows cannot be told apart.

    Raises:
        Denied: it has no primary key.
    """
    if not table.primary_key:
        raise Denied(
            f"{table.title} has no primary key, so the change could not be undone", rule="sql.production-primary-key"
        )


def _check(rows: _Rows, condition: exp.Expr | None, what: str) -> None:
    if condition is None or rows.all(condition):
        raise Denied(
            f"{what} is true for every row of {rows.table.title}, or does not look at its rows",
            rule="sql.production-where",
            hint="Say which rows are meant, by the table's own columns.",
        )


class _Rows:
    """Judges conditions over the rows of one table."""

    def __init__(self, write: Write, table: Table) -> None:
        self.table = table
        self._write = write
        target = write.target
        self._names = {target.name.lower(), str(target.alias or target.name).lower()}
        self._required = {column.name.lower() for column in table.columns if not column.nullable}

    def all(self, node: exp.Expr) -> bool:
        """Whether a condition holds for every row, as far as its shape tells."""
        from sqlglot import exp
        from sqlglot.optimizer.simplify import simplify

        if not self._looks_at_row(node):
            return True
        try:
            node = simplify(node.copy(), dialect=self.table.dialect)
        except Exception:
            # A shape that the simplifier does not know is judged as it stands.
            node = node.copy()
        while isinstance(node, exp.Paren):
            node = node.this
        if not self._looks_at_row(node):
            return not _is_false(node)
        if isinstance(node, exp.And):
            return all(self.all(part) for part in node.flatten())
        if isinstance(node, exp.Or):
            parts = [part.unnest() for part in node.flatten()]
            return any(self.all(part) for part in parts) or _exhaust(parts)
        return self._always(node)

    def _always(self, node: exp.Expr) -> bool:
        from sqlglot import exp

        if isinstance(node, exp.Not):
            return self._never(node.this)
        if _is_not_null(node):
            return self._never(exp.Is(this=node.this.copy(), expression=exp.Null()))
        alike = exp.EQ | exp.GTE | exp.LTE | exp.NullSafeEQ | exp.Is | exp.Like | exp.ILike
        if isinstance(node, alike) and _same(node.this, node.expression):
            return True
        if isinstance(node, exp.Like | exp.ILike) and isinstance(node.expression, exp.Literal):
            return set(str(node.expression.this)) == {"%"}
        if isinstance(node, exp.Between):
            return _same(node.this, node.args["low"]) and _same(node.this, node.args["high"])
        if isinstance(node, exp.In):
            return self._is_whole(node) or any(_same(node.this, item) for item in node.expressions)
        if isinstance(node, exp.Exists):
            return self._is_whole_exists(node)
        return False

    def _never(self, node: exp.Expr) -> bool:
        """Whether a condition holds for no row."""
        from sqlglot import exp

        node = node.unnest()
        if isinstance(node, exp.Not):
            return self.all(node.this)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return isinstance(node.this, exp.Column) and str(node.this.name).lower() in self._required
        if isinstance(node, exp.NEQ | exp.GT | exp.LT):
            return _same(node.this, node.expression)
        if isinstance(node, exp.And):
            parts = [part.unnest() for part in node.flatten()]
            return any(self._never(part) for part in parts)
        return _is_false(node)

    def _is_whole(self, node: exp.In) -> bool:
        """`id IN (SELECT id FROM t)`: every row is among all rows."""
        from sqlglot import exp

        query = node.args.get("query")
        inner = query.this if isinstance(query, exp.Subquery) else query
        if not isinstance(inner, exp.Select) or inner.args.get("limit"):
            return False
        where = inner.args.get("where")
        if where is not None and not self.all(where.this):
            return False
        source = inner.args.get("from_")
        named = isinstance(source, exp.From) and str(source.this.name).lower() == self._write.target.name.lower()
        selected = [str(item.unalias().name).lower() for item in inner.selects]
        return named and not inner.args.get("joins") and selected == [str(node.this.name).lower()]

    def _is_whole_exists(self, node: exp.Exists) -> bool:
        """`EXISTS (SELECT ... WHERE <true for every row>)`."""
        from sqlglot import exp

        inner = node.this
        where = inner.args.get("where") if isinstance(inner, exp.Select) else None
        return where is None or self.all(where.this)

    def _looks_at_row(self, node: exp.Expr) -> bool:
        """Whether a condition names a column of the table: in a subquery only by the table's name."""
        from sqlglot import exp

        for column in node.find_all(exp.Column):
            qualifier = str(column.table).lower()
            inside = column.find_ancestor(exp.Select, exp.SetOperation)
            if qualifier in self._names:
                # A subquery that reads the same table again means its own rows, unless the names differ.
                if not (inside and _reads(inside, qualifier)):
                    return True
            elif not qualifier and not (inside and inside is not node and self._within(inside, node)):
                named = self.table.folded(str(column.name), quoted_name=bool(column.this.args.get("quoted")))
                if named is not None:
                    return True
        return False

    @staticmethod
    def _within(inner: exp.Expr, outer: exp.Expr) -> bool:
        node: exp.Expr | None = inner
        while node is not None and node is not outer:
            node = node.parent
        return node is outer


def _reads(query: exp.Expr, name: str) -> bool:
    from sqlglot import exp

    return any(str(table.alias_or_name).lower() == name for table in query.find_all(exp.Table))


def _same(one: exp.Expr | None, other: exp.Expr | None) -> bool:
    """Whether two expressions are the same column, or the same computation from it."""
    if one is None or other is None:
        return False
    from sqlglot import exp

    one, other = _bare(one), _bare(other)
    if one == other:
        return True
    if isinstance(one, exp.Column) and isinstance(other, exp.Column):
        tables = {str(one.table).lower(), str(other.table).lower()}
        return str(one.name).lower() == str(other.name).lower() and (len(tables) == 1 or "" in tables)
    return False


def _bare(node: exp.Expr) -> exp.Expr:
    """An expression without parentheses, and out of a subquery that has no FROM: `(SELECT id)` is `id`."""
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.Select) and not node.args.get("from_") and len(node.selects) == 1:
        return _bare(node.selects[0].unalias())
    return node


def _is_false(node: exp.Expr) -> bool:
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.Boolean):
        return not node.this
    return isinstance(node, exp.Null) or (isinstance(node, exp.Literal) and str(node.this) == "0")


def _is_not_null(node: exp.Expr) -> bool:
    """`x IS NOT NULL` as it is read for PostgreSQL, where it is no `NOT (x IS NULL)` for rows of a composite type."""
    from sqlglot import exp

    return isinstance(node, exp.Is) and bool(node.args.get("negate") or isinstance(node.expression, exp.Not))


def _denied(node: exp.Expr) -> exp.Expr | None:
    """What a condition denies: `x` for `NOT x`, `x IS NULL` for `x IS NOT NULL`."""
    from sqlglot import exp

    if isinstance(node, exp.Not):
        denied: exp.Expr = node.this.unnest()
        return denied
    if isinstance(node, exp.Is) and _is_not_null(node):
        return exp.Is(this=node.this.copy(), expression=exp.Null())
    return None


def _exhaust(parts: list[exp.Expr]) -> bool:
    """Whether alternatives leave nothing out: `x = 1 OR x <> 1`, `x IS NULL OR x IS NOT NULL`, `x < 5 OR x >= 5`."""
    from sqlglot import exp

    opposites = [(exp.EQ, exp.NEQ), (exp.LT, exp.GTE), (exp.GT, exp.LTE), (exp.LTE, exp.GT), (exp.GTE, exp.LT)]
    for one in parts:
        for other in parts:
            if _denied(other) == one:
                return True
            for kind, opposite in opposites:
                opposed = isinstance(one, kind) and isinstance(other, opposite) and _same(one.this, other.this)
                if opposed and one.expression == other.expression:
                    return True
    return _overlap(parts)


def _overlap(parts: list[exp.Expr]) -> bool:
    """Whether two bounds of the same column cover every number: `x < 5 OR x > 3`."""
    from sqlglot import exp

    below = [part for part in parts if isinstance(part, exp.LT | exp.LTE) and part.expression.is_number]
    above = [part for part in parts if isinstance(part, exp.GT | exp.GTE) and part.expression.is_number]
    return any(
        _same(low.this, high.this) and float(low.expression.to_py()) > float(high.expression.to_py())
        for low in below
        for high in above
    )
