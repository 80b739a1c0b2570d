"""What a model is shown of what was found, within a number of tokens that is never exceeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from banksman.catalog.search._document import Hit

#: Between two actions that are shown.
SEPARATOR = "\n"


def count_tokens(text: str) -> int:
    """An estimate from above of how many tokens a text takes, without a tokenizer.

    The tokenizers in use take 3 to 5 bytes of English, JSON or code for a token. Here a token is every started group
    of three letters of a word, every digit group of two, every other sign, and every byte of what is not ASCII.
    """
    tokens = run = 0
    kind = ""
    for sign in text:
        if sign.isascii() and sign.isalpha():
            this, size = "letters", 3
        elif sign.isascii() and sign.isdigit():
            this, size = "digits", 2
        else:
            # A single blank belongs to the word after it.
            tokens += 0 if sign == " " and kind != "blank" else len(sign.encode("utf-8", "surrogatepass"))
            kind, run = ("blank" if sign == " " else ""), 0
            continue
        run = run + 1 if this == kind else 1
        kind = this
        tokens += run % size == 1
    return tokens


def render(
    hits: Sequence[Hit], lean: Callable[[Hit], str], full: Callable[[Hit], str], tokens: int
) -> tuple[str, list[str]]:
    """Show as many hits as fit: first each in its lean form, then, with what is left, the best in their full form.

    Args:
        hits: the best first.
        lean: the short form of one: a name, a sentence, the required arguments.
        full: the long form: the whole schema. Asked for only where it may fit.
        tokens: never exceeded, as `count_tokens` counts.

    Returns:
        The text, and the ids of those it shows. A hit whose lean form does not fit ends the list: a worse one is
        never shown instead of a better one.
    """
    shown: list[tuple[Hit, str, int]] = []
    left = tokens
    for hit in hits:
        text = lean(hit)
        cost = count_tokens(text) + (count_tokens(SEPARATOR) if shown else 0)
        if cost > left:
            break
        shown.append((hit, text, cost))
        left -= cost
    texts = []
    for place, (hit, text, cost) in enumerate(shown):
        longer = full(hit) if left > 0 else text
        more = count_tokens(longer) + (count_tokens(SEPARATOR) if place else 0) - cost
        if more <= left:
            text, left = longer, left - more
        texts.append(text)
    return SEPARATOR.join(texts), [hit.id for hit, _, _ in shown]
