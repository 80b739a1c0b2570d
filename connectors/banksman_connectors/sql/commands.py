"""One change of one table, bound to the schema: what is run, and where the value of each column comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from banksman._record import Placeholder, holds_placeholder
from banksman.errors import Rejected
from banksman_connectors.sql.lexing import Named, Text, as_mapping, quoted
from banksman_connectors.sql.schema import Table, TableColumn
from banksman_connectors.sql.settings import Dialect
from banksman_connectors.sql.values import json_text

if TYPE_CHECKING:
    from sqlglot import exp

    from banksman_connectors.sql.parsing import Write
    from banksman_connectors.sql.session import Session

#: How many parameters one statement may have; PostgreSQL takes 65,535, SQLite 32,766.
_PARAMETERS: Final = 30_000
#: Words that mean the present without looking like a function.
_PRESENT: Final = [
    "CurrentDate",
    "CurrentDatetime",
    "CurrentTime",
    "CurrentTimestamp",
    "CurrentTimestampLTZ",
    "CurrentUser",
    "SessionUser",
    "Localtime",
    "Localtimestamp",
    "CurrentSchema",
    "CurrentCatalog",
    "CurrentRole",
    "UtcDate",
    "UtcTime",
    "UtcTimestamp",
]


@dataclass(frozen=True, slots=True)
class Value:
    """Where a column's value comes from.

    Attributes:
        parameter: the parameter that it is, nothing around it.
        inside: the parameters that it is computed from.
        fixed: whether the same statement gives the same value again, as long as the data is the same.
        filled: the database fills it (DEFAULT).
        empty: it is NULL.
    """

    parameter: str | None = None
    inside: frozenset[str] = frozenset()
    fixed: bool = True
    filled: bool = False
    empty: bool = False


@dataclass(frozen=True)
class Command:
    """What is run.

    Attributes:
        given: the parameters as the plan gave them; may hold placeholders.
        bound: the parameters as they are sent.
        inserts: for each new row, its columns' values; one for all rows where they do not differ.
        sets: the values that existing rows get.
        named: what the target is called in the statement.
        condition: its WHERE, for the before-image where there is no primary key.
        deletes: whether rows may go.
    """

    table: Table
    operation: str
    text: Text
    given: Mapping[str, Any] = field(default_factory=dict)
    bound: Mapping[str, Any] = field(default_factory=dict)
    inserts: tuple[Mapping[str, Value], ...] = ()
    sets: Mapping[str, Value] = field(default_factory=dict)
    named: str = ""
    condition: Text | None = None
    deletes: bool = False

    @property
    def returning(self) -> Text:
        """The statement, returning the keys of the rows it touches, or whole rows where there is no key."""
        table = self.table
        prefix = f"{quoted(self.named, table.dialect)}." if self.named and table.dialect == "postgres" else ""
        columns = ", ".join(prefix + quoted(name, table.dialect) for name in table.primary_key or table.names)
        return (*self.text, f" RETURNING {columns}")


def matches(columns: Sequence[str], names: Sequence[str], dialect: Dialect) -> Text:
    """`"a" = :x AND "b" = :y`; in SQLite, where a key may be NULL, by IS."""
    pieces: list[str | Named] = []
    for column, name in zip(columns, names, strict=True):
        pieces += [" AND " if pieces else "", quoted(column, dialect), " IS " if dialect == "sqlite" else " = "]
        pieces.append(Named(name))
    return tuple(piece for piece in pieces if piece != "")


def inserting(table: Table, rows: Sequence[Mapping[str, Any]], *, exact: bool = False) -> list[Command]:
    """The INSERTs for rows; neighbours with the same columns share one. `exact` writes numbered columns too.

    Raises:
        UnknownName: a column is not there.
        Rejected: a column is computed, so it cannot be written.
    """
    out: list[Command] = []
    group: list[Mapping[str, Any]] = []
    for row in rows:
        for name in row:
            _writable(table, name)
        if group and (tuple(group[0]) != tuple(row) or (len(group) + 1) * max(1, len(row)) > _PARAMETERS):
            out.append(_insert(table, group, exact))
            group = []
        group.append(row)
    return [*out, _insert(table, group, exact)] if group else out


def _insert(table: Table, rows: Sequence[Mapping[str, Any]], exact: bool) -> Command:
    columns = tuple(rows[0])
    if not columns:
        if len(rows) > 1:
            raise Rejected("rows without any column are inserted one by one")
        return Command(table, "insert", ("INSERT INTO ", table.sql, " DEFAULT VALUES"), inserts=({},))
    listed = ", ".join(quoted(name, table.dialect) for name in columns)
    overriding = " OVERRIDING SYSTEM VALUE" if exact and table.dialect == "postgres" else ""
    pieces: list[str | Named] = ["INSERT INTO ", table.sql, f" ({listed}){overriding} VALUES "]
    given: dict[str, Any] = {}
    inserts: list[dict[str, Value]] = []
    for number, row in enumerate(rows):
        names = {column: f"r{number}_{place}" for place, column in enumerate(columns)}
        given |= {names[column]: _typed(table.by_name[column], row[column]) for column in columns}
        pieces.append(", (" if number else "(")
        for place, column in enumerate(columns):
            pieces += [", "] * bool(place) + [Named(names[column])]
        pieces.append(")")
        inserts.append({column: Value(parameter=name) for column, name in names.items()})
    return Command(table, "insert", tuple(pieces), given, given, tuple(inserts))


def updating(table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> Command:
    """The UPDATE of one row by its primary key.

    Raises:
        UnknownName: a column is not there.
        Rejected: the key is not the primary key, or a column cannot be written.
    """
    checked_key(table, key)
    given: dict[str, Any] = {f"k{place}": key[name] for place, name in enumerate(table.primary_key)}
    pieces: list[str | Named] = ["UPDATE ", table.sql, " SET "]
    sets: dict[str, Value] = {}
    for place, (name, value) in enumerate(values.items()):
        given[f"v{place}"] = _typed(_writable(table, name), value)
        sets[name] = Value(parameter=f"v{place}")
        pieces += [", "] * bool(place) + [f"{quoted(name, table.dialect)} = ", Named(f"v{place}")]
    if not sets:
        raise Rejected("no values are given")
    pieces += [" WHERE ", *_by_key(table)]
    return Command(table, "update", tuple(pieces), given, given, sets=sets)


def deleting(table: Table, keys: Sequence[Mapping[str, Any]]) -> list[Command]:
    """The DELETEs of rows by their primary key, one for each."""
    out: list[Command] = []
    for key in keys:
        checked_key(table, key)
        given = {f"k{place}": key[name] for place, name in enumerate(table.primary_key)}
        text: Text = ("DELETE FROM ", table.sql, " WHERE ", *_by_key(table))
        out.append(Command(table, "delete", text, given, given, deletes=True))
    return out


def _by_key(table: Table) -> Text:
    return matches(table.primary_key, [f"k{place}" for place in range(len(table.primary_key))], table.dialect)


def checked_key(table: Table, key: Mapping[str, Any]) -> None:
    """Check that `key` names exactly the columns of the primary key.

    Raises:
        Rejected: it does not, or the table has none.
    """
    if not table.primary_key:
        raise Rejected(f"{table.title} has no primary key, so no row of it can be named", hint="Use sql.execute.")
    for name in key:
        table.column(name)
    if set(key) != set(table.primary_key):
        wanted = ", ".join(table.primary_key)
        raise Rejected(f"the key of {table.title} is {wanted}; given: {', '.join(key) or 'nothing'}")


def _writable(table: Table, name: str) -> TableColumn:
    column = table.column(name)
    if column.generated:
        raise Rejected(f"{table.title}.{name} is computed by the database, so it cannot be written")
    return column


def _typed(column: TableColumn, value: Any) -> Any:
    """JSON goes into a JSON column as JSON, whatever its type; a placeholder stands for a value to come."""
    if column.structured and value is not None and not isinstance(value, Placeholder):
        return json_text(value)
    return value


def bound_to(session: Session, write: Write, table: Table, parameters: Mapping[str, Any]) -> Command:
    """A parsed statement bound to its table.

    Raises:
        Rejected: parameters are missing or left over, or it would change primary keys.
    """
    given = as_mapping(dict(parameters), write.text)
    unstable = session.unstable(write.called, [*write.words, *given.values()])
    judge = _Judge(write, table, unstable)
    command = Command(
        table=table,
        operation=write.operation,
        text=write.text,
        given=given,
        bound=given,
        inserts=judge.inserts(),
        sets=judge.sets(),
        named=(write.target.alias if write.target.alias else table.title.name),
        condition=write.condition,
        deletes=write.operation == "delete" or (write.operation == "merge" and "DELETE" in _words(write)),
    )
    if alias := write.target.args.get("alias"):
        quoted_alias = alias.this is not None and alias.this.args.get("quoted")
        folded = alias.name if quoted_alias or table.dialect == "sqlite" else alias.name.lower()
        command = replace(command, named=folded)
    return command


def _words(write: Write) -> set[str]:
    return {str(node.name).upper() for node in write.tree.walk() if node.key == "var"}


class _Judge:
    """Tells for each column of a statement where its value comes from."""

    def __init__(self, write: Write, table: Table, unstable: frozenset[str]) -> None:
        self._write = write
        self._table = table
        self._unstable = unstable
        # A name that no function of the tree carries was parsed as something else: then nothing is taken for fixed.
        self._doubt = bool(unstable - {name for node in write.tree.walk() for name in _names(node)})

    def inserts(self) -> tuple[Mapping[str, Value], ...]:
        from sqlglot import exp

        tree = self._write.tree
        if not isinstance(tree, exp.Insert):
            return ()
        if tree.args.get("default"):
            return ({},)
        columns = self._columns(tree.this)
        source = tree.expression
        if isinstance(source, exp.Values):
            rows = [row.expressions if isinstance(row, exp.Tuple) else [row.this] for row in source.expressions]
            return tuple(dict(zip(columns, map(self._value, row), strict=False)) for row in rows)
        selected = source.selects if isinstance(source, exp.Query) else []
        if len(selected) == len(columns) and not any(item.is_star for item in selected):
            return (dict(zip(columns, (self._computed(item.unalias()) for item in selected), strict=True)),)
        return (dict.fromkeys(columns, Value(fixed=self._is_fixed(source))),)

    def sets(self) -> Mapping[str, Value]:
        from sqlglot import exp

        tree = self._write.tree
        pairs: list[exp.Expr] = []
        if isinstance(tree, exp.Update):
            pairs = list(tree.expressions)
        elif isinstance(tree, exp.Insert) and tree.args.get("conflict"):
            pairs = list(tree.args["conflict"].expressions)
        elif isinstance(tree, exp.Merge):
            pairs = [pair for when in tree.find_all(exp.When) for pair in when.args["then"].expressions or ()]
            pairs = [pair for pair in pairs if isinstance(pair, exp.EQ)]
        found: dict[str, Value] = {}
        for pair in pairs:
            left, right = pair.this, pair.expression
            targets = left.expressions if isinstance(left, exp.Tuple) else [left]
            values = right.expressions if isinstance(right, exp.Tuple) else [right] * len(targets)
            for target, value in zip(targets, values, strict=False):
                name = self._name(target)
                if name in self._table.primary_key and not _is_excluded(value, name):
                    raise Rejected(
                        f"the statement would change the primary key of {self._table.title}",
                        hint="Insert the row under its new key and delete the old one.",
                    )
                found[name] = self._computed(value) if isinstance(tree, exp.Merge) else self._value(value)
        return found

    def _columns(self, target: exp.Expr) -> tuple[str, ...]:
        from sqlglot import exp

        if isinstance(target, exp.Schema) and target.expressions:
            return tuple(self._name(item) for item in target.expressions)
        return tuple(column.name for column in self._table.columns if not column.generated)

    def _name(self, node: exp.Expr) -> str:
        from sqlglot import exp

        identifier = node.this if isinstance(node, exp.Column) else node
        name = self._table.folded(str(node.name), quoted_name=bool(identifier.args.get("quoted")))
        if name is None:
            self._table.column(str(node.name))
            raise Rejected(f"{self._table.title} has no column {node.name}")
        return name

    def _value(self, node: exp.Expr) -> Value:
        from sqlglot import exp

        if isinstance(node, exp.Var | exp.Column) and str(node.name).upper() == "DEFAULT":
            return Value(filled=True)
        parameter = self._write.parameter(node)
        return Value(parameter=parameter) if parameter is not None else self._computed(node)

    def _computed(self, node: exp.Expr) -> Value:
        from sqlglot import exp

        inside = (self._write.parameter(item) for item in node.find_all(exp.Placeholder))
        return Value(
            inside=frozenset(name for name in inside if name),
            fixed=self._is_fixed(node),
            empty=isinstance(node, exp.Null),
        )

    def _is_fixed(self, node: exp.Expr) -> bool:
        for item in node.walk():
            names = _names(item)
            if type(item).__name__ in _PRESENT or names & self._unstable or (self._doubt and names):
                return False
        return True


def _names(node: exp.Expr) -> set[str]:
    """The names under which a function is known, in lower case; none for what is no function."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return {str(node.name).lower(), str(node.name)}
    if type(node).__name__ in ("CurrentTimestamp",):
        return {"now", "transaction_timestamp", "current_timestamp"}
    return {name.lower() for name in type(node).sql_names()} if isinstance(node, exp.Func) else set()


def _is_excluded(node: exp.Expr, name: str) -> bool:
    """Whether a value is `excluded.<name>`: the same key again."""
    return str(getattr(node, "table", "")).lower() == "excluded" and str(node.name).lower() == name.lower()


def resolved(command: Command, values: Mapping[str, Any]) -> Command:
    """The command with what its placeholders came to be in this rehearsal.

    A placeholder of another system is sent as its own text where it is only stored; the preview then shows it.

    Raises:
        Rejected: something is looked up or computed by a value that does not exist yet.
    """
    waiting = {name for name, value in command.given.items() if holds_placeholder(value) and name not in values}
    places = [piece.name for piece in command.text if isinstance(piece, Named)]
    for name in waiting:
        stored = [value.parameter for row in command.inserts for value in row.values()]
        stored += [value.parameter for value in command.sets.values()]
        if stored.count(name) < places.count(name):
            raise Rejected(f"the parameter {name!r} waits for a value that exists only once earlier steps have run")
    return replace(command, bound={**command.given, **values})


def parameters_of(text: Text, given: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a query, with what placeholders among them came to be in this rehearsal.

    Raises:
        Rejected: one is missing or left over, or waits for a value that does not exist yet.
    """
    bound = {**as_mapping(dict(given), text), **values}
    if waiting := sorted(name for name, value in bound.items() if holds_placeholder(value)):
        raise Rejected(f"the parameters {', '.join(waiting)} wait for values that earlier steps will give")
    return bound
