"""A statement as its tokens: what is judged is what is sent.

A database that reads a comment, a quote or a number differently from the parser would run something else than was
judged. So what is sent is put together again from the tokens that the parser saw, in their own spelling, one space
where anything stood between them, and without comments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from banksman.errors import Rejected
from banksman_connectors.sql.settings import Dialect

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

LONGEST: Final = 200_000
_NAMED: Final = "Write parameters as :name, and give their values in `parameters`."
#: Ways to write parameters that belong to a driver, not to a person.
_OTHER_PARAMETERS: Final = frozenset({"PLACEHOLDER", "PARAMETER", "SESSION_PARAMETER", "BLOCK_START", "BLOCK_END"})
_OPEN: Final = frozenset({"L_PAREN", "L_BRACKET", "L_BRACE"})
_CLOSE: Final = frozenset({"R_PAREN", "R_BRACKET", "R_BRACE"})


@dataclass(frozen=True, slots=True)
class Named:
    """The place of a named parameter in a text."""

    name: str


#: A statement in pieces, its parameters apart from its text.
Text = tuple[str | Named, ...]


def rendered(text: Text, mark: Callable[[str], str] = lambda name: f":{name}") -> str:
    """The statement with each parameter as `mark` writes it; by default as people do."""
    return "".join(mark(piece.name) if isinstance(piece, Named) else piece for piece in text)


@dataclass(frozen=True)
class Lexed:
    """The tokens of one statement.

    Attributes:
        sql: the text they were cut from.
        tokens: all of them, without a semicolon at the end.
    """

    sql: str
    dialect: Dialect
    tokens: Sequence[Token] = field(repr=False)

    @property
    def first(self) -> str:
        """The first word, in capitals."""
        return self.tokens[0].text.upper()

    def kind(self, index: int) -> str:
        """The kind of a token, '' beyond the end."""
        return self.tokens[index].token_type.name if 0 <= index < len(self.tokens) else ""

    def word(self, index: int) -> str:
        """The text of a token in capitals, '' beyond the end and for quoted names and texts."""
        if not 0 <= index < len(self.tokens) or self.kind(index) in ("IDENTIFIER", "STRING"):
            return ""
        return self.tokens[index].text.upper()

    def is_parameter(self, index: int) -> bool:
        """Whether a token is the colon of a `:name`."""
        following = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        return (
            self.kind(index) == "COLON"
            and following is not None
            and self.kind(index + 1) != "IDENTIFIER"
            and following.start == self.tokens[index].end + 1
            and following.text.isidentifier()
        )

    def text(self, start: int = 0, end: int | None = None, *, name: Callable[[int, str], str] | None = None) -> Text:
        """The tokens from `start` up to `end`; `name` gives a parameter another name, from its place and its own."""
        pieces: list[str | Named] = []
        last = len(self.tokens) if end is None else end
        index, reached = start, None
        while index < last:
            token = self.tokens[index]
            if reached is not None and token.start != reached:
                pieces.append(" ")
            if self.is_parameter(index):
                own = self.tokens[index + 1].text
                pieces.append(Named(name(index, own) if name else own))
                index += 1
            else:
                pieces.append(self.sql[token.start : token.end + 1])
            reached = self.tokens[index].end + 1
            index += 1
        return tuple(pieces)

    def top_level(self, word: str) -> int | None:
        """Where a word stands outside all brackets, the last time; None where it does not."""
        depth, found = 0, None
        for index in range(len(self.tokens)):
            kind = self.kind(index)
            depth += (kind in _OPEN) - (kind in _CLOSE)
            if depth == 0 and self.word(index) == word:
                found = index
        return found

    @property
    def called(self) -> frozenset[str]:
        """Every name before an opening parenthesis, folded as the database does: the functions that are called."""
        names: set[str] = set()
        for index, token in enumerate(self.tokens):
            if self.kind(index + 1) == "L_PAREN":
                quoted = self.kind(index) == "IDENTIFIER" and self.dialect == "postgres"
                names.add(token.text if quoted else token.text.lower())
        return frozenset(names)


def lex(sql: str, dialect: Dialect) -> Lexed:
    """Cut one statement into tokens.

    Raises:
        Rejected: it is empty, too long, several statements, cannot be cut, or has parameters of another kind.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if len(sql) > LONGEST:
        raise Rejected(f"the statement has {len(sql):,} characters; at most {LONGEST:,} are read")
    if "\x00" in sql:
        raise Rejected("the statement holds a NUL character")
    try:
        tokens = list(sqlglot.tokenize(sql, read=dialect))
    except (SqlglotError, ValueError, RecursionError):
        raise Rejected(
            "the statement cannot be read: a quote or a comment is not closed, or a sign is unknown"
        ) from None
    while tokens and tokens[-1].token_type.name == "SEMICOLON":
        tokens.pop()
    if not tokens:
        raise Rejected("the statement is empty")
    lexed = Lexed(sql, dialect, tokens)
    if any(lexed.kind(index) == "SEMICOLON" for index in range(len(tokens))):
        raise Rejected("these are several statements", hint="Give each its own step.")
    _refuse_other_parameters(lexed)
    return lexed


def _refuse_other_parameters(lexed: Lexed) -> None:
    for index, token in enumerate(lexed.tokens):
        driver = lexed.kind(index) in _OTHER_PARAMETERS and token.text in "?$@"
        # SQLite's `$name`: the tokenizer takes it for a word.
        if driver or (lexed.kind(index) == "VAR" and token.text.startswith("$")):
            raise Rejected(f"the statement has a parameter {token.text!r} of another kind", hint=_NAMED)
        if lexed.kind(index) in ("BLOCK_START", "BLOCK_END", "UNKNOWN"):
            raise Rejected(f"the statement has a sign that SQL does not know: {token.text!r}")
        adjacent = index + 2 < len(lexed.tokens) and lexed.tokens[index + 2].start == token.start + 2
        if adjacent and token.text in "uU" and lexed.kind(index + 1) == "AMP" and lexed.kind(index + 2) == "IDENTIFIER":
            raise Rejected('names written as U&"..." are not read', hint="Write the name itself in quotes.")


def quoted(name: str, dialect: Dialect) -> str:
    """A name as an identifier that cannot be anything else."""
    from sqlglot import exp

    if "\x00" in name:
        raise Rejected("a name holds a NUL character")
    return str(exp.to_identifier(name, quoted=True).sql(dialect=dialect))


def as_mapping(values: dict[str, Any], text: Text) -> dict[str, Any]:
    """The parameters that a text has, checked against those that were given.

    Raises:
        Rejected: one is missing, or one too many was given.
    """
    wanted = {piece.name for piece in text if isinstance(piece, Named)}
    if missing := sorted(wanted - values.keys()):
        raise Rejected(f"parameters without a value: {', '.join(missing)}")
    if unused := sorted(values.keys() - wanted):
        raise Rejected(f"parameters that the statement does not have: {', '.join(unused)}", hint=_NAMED)
    return {name: values[name] for name in sorted(wanted)}
