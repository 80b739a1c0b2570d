"""Slack's text: what is sent is exactly what Slack keeps, and nobody is alerted by accident.

In mrkdwn, `<...>` is a control sequence (a mention, a link) and `&`, `<`, `>` are escaped everywhere else
(https://docs.slack.dev/messaging/formatting-message-text). Text that comes from another system may hold such a
sequence that a stranger wrote there.
"""

from __future__ import annotations

import re

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
# The value of a placeholder is an id; in a preview its name stands in the id's place.
_ID = r"(?:[A-Z0-9]+|⟦[^⟦⟧<>]+⟧)"
_BROADCAST = rf"!(?:here|channel|everyone|group|subteam\^{_ID})"
_PART = re.compile(
    rf"<(?P<broadcast>{_BROADCAST})(?:\|[^<>]*)?>"
    rf"|<(?P<mention>[@#]{_ID})(?:\|[^<>]*)?>"
    r"|<(?P<date>!date\^[^<>|]+)(?:\|[^<>]*)?>"
    r"|<(?P<target>[a-z][a-z0-9+.-]*:[^<>|\s]+)(?:\|(?P<label>[^<>]*))?>"
    r"|(?P<bare>\bhttps?://[^\s<>|\"]*[^\s<>|\".,;:!?'()\[\]{}*_~`])"
    r"|(?P<entity>&(?:amp|lt|gt);)"
    r"|(?P<stray>[&<>])"
)


def written(text: str, *, alert: bool) -> str:
    """The text as it is sent, and as Slack gives it back.

    Stray `&`, `<` and `>` are escaped, bare web addresses become links. Unless `alert` is set, what would alert a
    whole channel or user group (`<!channel>`, `<!here>`, `<!everyone>`, `<!subteam^...>`) is escaped too, and so reads
    as the words it is made of. Writing what was written changes nothing.
    """

    def write(part: re.Match[str]) -> str:
        whole = part[0]
        if part["entity"]:
            return whole
        if part["stray"] or (part["broadcast"] and not alert):
            return _escape(whole)
        inner = whole if part["bare"] else whole[1:-1]
        return f"<{_AMPERSAND.sub('&amp;', inner)}>"

    return _PART.sub(write, text)


def _escape(text: str) -> str:
    text = _AMPERSAND.sub("&amp;", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")


def broadcasts(text: str) -> list[str]:
    """What in a text would alert many at once: `<!channel>`, `<!subteam^S123>`; each once, labels left out."""
    return list(dict.fromkeys(f"<{part['broadcast']}>" for part in _PART.finditer(text) if part["broadcast"]))


def notes(given: str, sent: str) -> list[str]:
    """What a person should know of a text before it is sent; `given` is the text as it came, `sent` as it leaves."""
    found = []
    if alerting := broadcasts(sent):
        found.append(f"alerts everybody it reaches at once: {', '.join(alerting)}")
    if defused := [one for one in broadcasts(given) if one not in alerting]:
        found.append(f"{', '.join(defused)} is sent as plain words and alerts nobody; set alert to change that")
    mentioned = [part["mention"] for part in _PART.finditer(sent) if (part["mention"] or "").startswith("@")]
    if mentioned:
        found.append(f"mentions, and so notifies, {', '.join(dict.fromkeys(mentioned))}")
    if links := [_link(part) for part in _PART.finditer(sent) if part["target"]]:
        found.append(f"links to {', '.join(dict.fromkeys(links))}")
    return found


def _link(part: re.Match[str]) -> str:
    target = _shown(part["target"])
    # A label can say one address and lead to another.
    return f"{target} (shown as {_shown(part['label'])!r})" if part["label"] else target


def _shown(text: str) -> str:
    for character, entity in _ESCAPED.items():
        text = text.replace(entity, character)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 80 else f"{text[:79]}…"
