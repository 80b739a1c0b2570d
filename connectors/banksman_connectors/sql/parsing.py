"""What a statement is: a query, one change of one table, or a definition. Everything else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from banksman.errors import CallError, Denied, Rejected
from banksman_connectors.sql.lexing import Lexed, Named, Text, lex
from banksman_connectors.sql.settings import Dialect

if TYPE_CHECKING:
    from sqlglot import exp

#: First words of what is neither query, change nor definition, and the rule that forbids it in production.
_OTHERS: Final = {
    "grant": "GRANT REVOKE REASSIGN",
    "copy": "COPY",
    "attach": "ATTACH DETACH",
    "pragma": "PRAGMA",
    "session": "SET RESET DISCARD SHOW LOAD LISTEN UNLISTEN NOTIFY DECLARE FETCH MOVE CLOSE",
    "do": "DO",
    "call": "CALL EXECUTE EXEC PREPARE DEALLOCATE",
    "transaction": "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE LOCK CHECKPOINT",
    "maintenance": "VACUUM ANALYZE REINDEX CLUSTER REFRESH COMMENT SECURITY IMPORT",
    "replace": "REPLACE",
}
_RULE_OF: Final = {word: rule for rule, words in _OTHERS.items() for word in words.split()}
_ACTION_OF: Final = {
    **dict.fromkeys(("SELECT", "WITH", "VALUES", "EXPLAIN", "TABLE"), "sql.query"),
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "MERGE"), "sql.execute"),
    **dict.fromkeys(("CREATE", "ALTER", "DROP", "TRUNCATE"), "sql.define"),
}
_DEFINITIONS: Final = ("CREATE", "ALTER", "DROP", "TRUNCATE")
#: What may be created, altered and dropped. Code that runs later by itself is not among it.
_DEFINABLE: Final = frozenset({"TABLE", "INDEX", "VIEW", "SCHEMA", "SEQUENCE"})


@dataclass(frozen=True)
class Query:
    """A statement that reads."""

    text: Text
    called: frozenset[str]


@dataclass(frozen=True)
class Write:
    """One change of one table, not yet held against the schema.

    Attributes:
        operation: `insert`, `upsert`, `update`, `delete` or `merge`.
        tree: what the parser made of it; parameters are named `p0_`, `p1_`, ... there.
        parameters: their real names, in order.
        text: without what it would return.
        condition: its WHERE, for a statement on one table without a WITH.
    """

    operation: str
    tree: exp.Expr
    parameters: tuple[str, ...]
    text: Text
    called: frozenset[str]
    target: exp.Table
    condition: Text | None = None
    words: frozenset[str] = field(default=frozenset())

    def parameter(self, node: exp.Expr) -> str | None:
        """The parameter that an expression consists of, None for any other."""
        from sqlglot import exp

        if isinstance(node, exp.Placeholder):
            return self.parameters[int(str(node.this)[1:-1])]
        return None


@dataclass(frozen=True)
class Definition:
    """A statement that changes the schema.

    Attributes:
        tables: the tables it names, as `(schema, name)`, folded.
        loses: how it loses what is there (`drop`, `truncate`, `alter-drop`, `replace`), None where it does not.
    """

    text: Text
    called: frozenset[str]
    tables: tuple[tuple[str | None, str], ...]
    loses: str | None


def parse_query(sql: str, dialect: Dialect, *, production: bool) -> Query:
    """Read exactly one query.

    Raises:
        Rejected: it cannot be read, or is something else.
        Denied: it is something that never runs in production.
    """
    from sqlglot import exp

    lexed, start, prefix = lex(sql, dialect), 0, ""
    if lexed.first == "EXPLAIN":
        # The tokenizer takes what follows for one text, so it is cut on its own.
        lexed, prefix = lex(sql[lexed.tokens[0].end + 1 :], dialect), "EXPLAIN "
        start = _behind_options(lexed)
    if lexed.word(start) not in ("SELECT", "WITH", "VALUES", "TABLE", "("):
        raise _unfit(lexed, start, "sql.query", production)
    tree, _ = _parse(lexed, start)
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Values | exp.Subquery | exp.Paren):
        raise _unfit(lexed, start, "sql.query", production)
    _refuse_inner_changes(tree, production)
    for node in tree.find_all(exp.Into, exp.Lock):
        what = "SELECT ... INTO makes a table" if isinstance(node, exp.Into) else "FOR UPDATE and FOR SHARE take locks"
        raise Rejected(f"{what}; sql.query only reads")
    return Query((prefix, *lexed.text()) if prefix else lexed.text(), lexed.called)


def _behind_options(lexed: Lexed) -> int:
    """Where the statement begins that is explained."""
    index = 0
    while lexed.word(index) in ("ANALYZE", "VERBOSE", "QUERY", "PLAN"):
        index += 1
    if lexed.kind(index) == "L_PAREN" and lexed.word(index + 1) not in ("SELECT", "WITH", "VALUES"):
        raise Rejected("EXPLAIN with options in parentheses is not read", hint="Write EXPLAIN or EXPLAIN ANALYZE.")
    if index >= len(lexed.tokens):
        raise Rejected("EXPLAIN needs a query")
    return index


def parse_write(sql: str, dialect: Dialect, *, production: bool) -> Write:
    """Read exactly one INSERT, UPDATE, DELETE or MERGE.

    Raises:
        Rejected: it cannot be read, or is something else.
        Denied: it is something that never runs in production, or it writes to a system table.
    """
    from sqlglot import exp

    lexed = lex(sql, dialect)
    if lexed.word(0) not in ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH"):
        raise _unfit(lexed, 0, "sql.execute", production)
    tree, parameters = _parse(lexed, 0)
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        _refuse_inner_changes(tree, production)
        raise _unfit(lexed, 0, "sql.execute", production)
    _refuse_inner_changes(tree, production)
    operation = _operation(tree)
    end = lexed.top_level("RETURNING") if tree.args.get("returning") else None
    return Write(
        operation=operation,
        tree=tree,
        parameters=parameters,
        text=lexed.text(0, end),
        called=lexed.called,
        target=_target(tree),
        condition=_condition(lexed, tree, end),
        words=frozenset(str(token.text).lower() for token in lexed.tokens if token.token_type.name == "STRING"),
    )


def _operation(tree: exp.Expr) -> str:
    from sqlglot import exp

    if tree.args.get("limit") or tree.args.get("order") or tree.args.get("tables"):
        raise Rejected("LIMIT, ORDER BY and several targets are not read in a change")
    if not isinstance(tree, exp.Insert):
        return str(tree.key)
    alternative = tree.args.get("alternative")
    if alternative not in (None, "IGNORE", "ABORT") or tree.args.get("overwrite"):
        raise Rejected(
            f"INSERT OR {alternative} removes other rows unseen", hint="Write INSERT ... ON CONFLICT ... DO UPDATE."
        )
    conflict = tree.args.get("conflict")
    if conflict is None:
        return "insert"
    if conflict.args.get("duplicate"):
        raise Rejected("ON DUPLICATE KEY is another database's", hint="Write INSERT ... ON CONFLICT ... DO UPDATE.")
    return "upsert" if conflict.expressions else "insert"


def _target(tree: exp.Expr) -> exp.Table:
    from sqlglot import exp

    target = tree.this
    if isinstance(target, exp.Schema):
        target = target.this
    if not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier) or target.args.get("joins"):
        raise Rejected("the statement does not write to exactly one table")
    if target.args.get("catalog"):
        raise Rejected("a table of another database cannot be written to")
    name, schema = target.name.lower(), target.db.lower()
    if schema in ("pg_catalog", "information_schema", "pg_toast") or name.startswith(("sqlite_", "pg_")):
        raise Denied(f"{target.name} belongs to the database system", rule="sql.system-tables")
    return target


def _condition(lexed: Lexed, tree: exp.Expr, end: int | None) -> Text | None:
    plain = tree.key in ("update", "delete") and not any(tree.args.get(name) for name in ("with_", "from_", "using"))
    start = lexed.top_level("WHERE") if plain else None
    if start is not None:
        return lexed.text(start, end)
    return () if plain else None


def parse_definition(sql: str, dialect: Dialect, *, production: bool) -> Definition:
    """Read exactly one CREATE, ALTER, DROP or TRUNCATE of a table, index, view, schema or sequence.

    Raises:
        Rejected: it cannot be read, or is something else.
        Denied: it is something that never runs in production.
    """
    from sqlglot import exp

    lexed = lex(sql, dialect)
    if lexed.word(0) not in _DEFINITIONS:
        raise _unfit(lexed, 0, "sql.define", production)
    loses = _loses(lexed)
    if production and loses:
        # By its words alone, before anything could be read differently.
        raise Denied(f"{loses.replace('-', ' ... ').upper()} never runs in production", rule=f"sql.production-{loses}")
    tree, parameters = _parse(lexed, 0)
    if not isinstance(tree, exp.Create | exp.Alter | exp.Drop | exp.TruncateTable):
        raise _unfit(lexed, 0, "sql.define", production)
    kind = str(tree.args.get("kind") or "TABLE").upper()
    if kind not in _DEFINABLE or tree.find(exp.Command) or "VIRTUAL" in (lexed.word(1), lexed.word(2)):
        raise _unfit(lexed, 0, "sql.define", production)
    if parameters:
        raise Rejected("a definition takes no parameters")
    _refuse_inner_changes(tree, production)
    tables = tuple(dict.fromkeys(folded_name(table, dialect) for table in tree.find_all(exp.Table)))
    return Definition(lexed.text(), lexed.called, tables, loses)


def _loses(lexed: Lexed) -> str | None:
    words = [lexed.word(index) for index in range(len(lexed.tokens))]
    if words[0] in ("DROP", "TRUNCATE"):
        return words[0].lower()
    # Any word DROP in an ALTER: also DROP CONSTRAINT and DROP DEFAULT, and what the parser may have named otherwise.
    if words[0] == "ALTER" and "DROP" in words:
        return "alter-drop"
    return "replace" if words[0] == "CREATE" and words[1:3] == ["OR", "REPLACE"] else None


def folded_name(table: exp.Table, dialect: Dialect) -> tuple[str | None, str]:
    """Schema and name of a table as the database looks them up: PostgreSQL folds what is not quoted."""

    def fold(node: exp.Expr | None) -> str | None:
        if node is None:
            return None
        return str(node.name) if node.args.get("quoted") or dialect == "sqlite" else str(node.name).lower()

    return fold(table.args.get("db")), fold(table.this) or ""


def _parse(lexed: Lexed, start: int) -> tuple[exp.Expr, tuple[str, ...]]:
    """The tree of the tokens from `start`, and the real names of the parameters in it."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, SqlglotError

    names: list[str] = []

    def rename(_: int, name: str) -> str:
        # Any word may name a parameter for people; the parser takes some for keywords.
        names.append(name)
        return f"p{len(names) - 1}_"

    text = lexed.text(start, name=rename)
    written = "".join(f":{piece.name}" if isinstance(piece, Named) else piece for piece in text)
    try:
        trees = sqlglot.parse(written, dialect=lexed.dialect)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        near = f" near {first.get('highlight')!r}" if first.get("highlight") else ""
        place = f" (line {first.get('line')}, column {first.get('col')})" if first.get("line") else ""
        raise Rejected(f"the statement cannot be parsed{near}{place}: {first.get('description', 'unknown')}") from None
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError):
        raise Rejected("the statement cannot be parsed") from None
    if len(trees) != 1 or trees[0] is None:
        raise Rejected("these are several statements, or none", hint="Give each its own step.")
    tree = trees[0]
    found = sorted(str(node.this) for node in tree.find_all(exp.Placeholder))
    if found != sorted(f"p{number}_" for number in range(len(names))):
        raise Rejected(
            "a sign like ':name' stands where no parameter can",
            hint="Write slices of arrays with numbers, or put the parameter into parentheses: a[(:from):(:to)].",
        )
    return tree, tuple(names)


def _refuse_inner_changes(tree: exp.Expr, production: bool) -> None:
    """One change at a time: a change inside a WITH, a subquery or another change would not be shown."""
    from sqlglot import exp

    changes = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create | exp.Drop | exp.Alter | exp.Command
    for node in _inside(tree):
        # ON CONFLICT DO UPDATE, the branches of a MERGE, the actions of an ALTER are parts of their statement.
        if isinstance(node, changes) and not isinstance(node.parent, exp.When | exp.OnConflict | exp.Alter):
            message = f"there is a {node.key.upper()} inside the statement"
            if production:
                raise Denied(message, rule="sql.production-nested-write")
            raise Rejected(message, hint="Give each change its own step.")


def _inside(tree: exp.Expr) -> Iterator[exp.Expr]:
    nodes = tree.walk()
    next(nodes)
    yield from nodes


def _unfit(lexed: Lexed, start: int, action: str, production: bool) -> CallError | Denied:
    """The error for a statement that an action does not take; in production, by the rule that forbids it at all."""
    word = lexed.word(start) or lexed.tokens[start].text[:20]
    rule = _RULE_OF.get(word)
    if production and word in ("DROP", "TRUNCATE") and rule is None:
        rule = word.lower()
    if production and rule:
        return Denied(f"{word} never runs in production", rule=f"sql.production-{rule}")
    other = _ACTION_OF.get(word)
    hint = f"{other} is for {word}." if other and other != action else None
    kinds = "no such kind of statement" if other == action else f"it takes no {word}"
    return Rejected(f"{action}: {kinds}", hint=hint)
