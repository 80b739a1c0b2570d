"""Concludes what an operation does outside from its verb, name, words and arguments.

The conclusion is a starting point for a person's review, and errs to the worse side: where words contradict each other,
the one that names a danger counts. The rules, in the order they are asked:

1.  The verb is looked for where it is said most plainly: a custom method (`:publish`), the operation's id, the path's
    end, the summary, the description. HTTP's own words (`postThing` on POST) say nothing.
2.  What ends a relation (untag, unassign, remove from) is `write`; what deletes an object is `destroy`.
3.  Making a message, an invitation, a permission or a payment is `send`; making a hook is `egress`.
4.  A verb that looks is `read`, unless another place names a danger; with an address to fetch, or a place to export
    to, it is `egress`.
5.  Where no verb is known, GET reads, DELETE destroys, and all others write.
"""

from __future__ import annotations

import re

from banksman._effect import Effect
from banksman.catalog import _verbs as lexicon
from banksman.catalog._speech import Said, commands, resource, said_of
from banksman.catalog.entry import Entry
from banksman.catalog.naming import words

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_DANGER = lexicon.DESTROY | lexicon.SEND
_LINKS = lexicon.RELATIONS - lexicon.OBJECTS
_STRONG_READ = lexicon.READ - lexicon.WEAK_READ
_REACHED = lexicon.SENT | lexicon.HOOKS | {"alert", "alerts", "trigger", "triggers", "channel", "channels"}

#: Verbs that set money in motion, where it is about money.
_DECIDING = frozenset({"capture", "confirm", "approve", "accept", "settle", "execute", "complete", "finalize"})
#: Verbs that make even a PUT a read.
_ASKING = frozenset({"get", "list", "search", "query", "find", "validate", "preview", "test", "describe", "export"})
#: Whose policies say who has access.
_GRANTING = frozenset({"iam", "resource", "bucket", "queue", "topic", "key", "access", "role", "user", "group"})

_SENDING = re.compile(
    r"(?<!not )\bsends (an?|the)\b.{0,60}\b(code|email|sms|message|notification|invitation|link)\b"
    r"|\brequests an? verification code"
)

_ELSEWHERE = re.compile(r"\bexports?\b[^.]*\bto (an?|the|your|amazon|google|cloud|s3)\b")


def infer(entry: Entry) -> tuple[Effect, str]:
    """The effect and what it was concluded from."""
    path = entry.described or entry.path
    if entry.protocol == "aws":
        path = "/"
    said = said_of(entry, path)
    text = f"{entry.summary} {entry.description}".lower()
    if entry.method == "OPTIONS":
        return Effect.READ, "OPTIONS"
    if entry.method in _SAFE:
        return _safe(entry, said, text)
    for one in said:
        effect = _effect(one, entry, path, text)
        if effect is None:
            continue
        return _checked(effect, one, said, entry, text)
    if entry.method == "DELETE":
        return _checked(Effect.DESTROY, Said("delete", (), "the method"), said, entry, text)
    nouns = resource(path)
    if nouns and nouns[-1] in lexicon.SENT and not path.rstrip("/").endswith("}"):
        return Effect.SEND, f"{entry.method} to {nouns[-1]!r}, and no verb is known"
    if nouns and nouns[-1] in lexicon.HOOKS:
        return Effect.EGRESS, f"{entry.method} to {nouns[-1]!r}, and no verb is known"
    return _checked(Effect.WRITE, Said(entry.method, (), "the method"), said, entry, text)


def _safe(entry: Entry, said: list[Said], text: str) -> tuple[Effect, str]:
    """GET and its like read, unless the verb says otherwise in so many words."""
    lead = said[0] if said else None
    spoken = next((one for one in said if one.place == "the summary"), None)
    for one in (lead, spoken):
        if one is None or one.verb not in lexicon.TELLING or (one.place == "the description" and not one.leads):
            continue
        plain = one.verb in ("stop", "start", "mark") and not entry.summary
        if one.verb in lexicon.NOUNS and not plain and not (one.leads and commands(entry.summary)):
            continue
        if one is lead and spoken is not None and spoken.verb in _STRONG_READ:
            continue  # a noun in the name: the summary says that it is looked up
        if one is spoken and lead is not None and lead is not spoken and lead.verb in _STRONG_READ:
            continue
        effect = _effect(one, entry, entry.path, text)
        if effect is not None and effect is not Effect.READ:
            return effect, f"{one.place} says {one.verb!r}, though it is a {entry.method}"
    return _looked(entry, lead, f"{entry.method}, and nothing says that it changes something")


def _effect(said: Said, entry: Entry, path: str, text: str) -> Effect | None:
    """What a verb with its object does; None where it says nothing."""
    verb, head = said.verb, said.head
    nouns = {head} if head else set(resource(path)[-1:])
    if verb == "remove" or (verb in lexicon.DESTROY and nouns & _LINKS):
        return Effect.WRITE if _is_relation(said, nouns, text) else Effect.DESTROY
    if verb in lexicon.DESTROY:
        return Effect.DESTROY
    if verb == "export":
        return Effect.EGRESS if _ELSEWHERE.search(text[:300]) else Effect.READ
    around = {*said.object, *words(path)}
    if verb == "reverse" and not ("geocod" in text or around & {"geocode", "geo", "lookup", "geocoding"}):
        return Effect.SEND if around & lexicon.SENT else Effect.WRITE
    if verb == "check" and said.object[:1] in (("in",), ("out",)):
        return Effect.WRITE
    happening = said.head in ("event", "failure", "fault", "outage", "interruption")
    if verb == "simulate" and (happening or said.place == "the summary"):
        return Effect.WRITE
    if verb in ("convert", "converts") and ("{" in path or not around & lexicon.FORMATS):
        return Effect.WRITE
    if verb in _DECIDING and around & lexicon.MONEY:
        return Effect.SEND
    if verb == "release" and entry.protocol == "aws":
        return Effect.DESTROY
    if verb in lexicon.RELATION:
        return Effect.WRITE
    if verb in lexicon.SEND:
        return Effect.SEND
    if verb in lexicon.READ and not (verb in lexicon.WEAK_READ and verb in lexicon.WRITE):
        return Effect.READ
    if verb == "test" and "permissions" in nouns:
        return Effect.READ
    if verb in ("accept", "test", "ping") and _REACHED & {*nouns, *said.object, *resource(path)[-2:]}:
        return Effect.SEND
    if verb in ("test", "verify") and not nouns & lexicon.SENT:
        return Effect.READ if verb == "test" and "returns" in text[:60] else Effect.WRITE
    if verb in lexicon.WRITE or verb == "change":
        return _made(said, nouns)
    return None


def _is_relation(said: Said, nouns: set[str], text: str) -> bool:
    if nouns & lexicon.RELATIONS:
        return True
    start = text[:200]
    return said.verb == "remove" and ("from" in said.object or bool(re.search(r"\bremoves?\b[^.]* from\b", start)))


def _made(said: Said, nouns: set[str]) -> Effect:
    """What is made or changed may be something that reaches others."""
    held = set(said.object)
    policy = "policy" in held and held & _GRANTING
    if policy and said.verb in ("set", "put", "create", "add", "update", "attach"):
        return Effect.SEND
    making = said.verb in (
        "create",
        "add",
        "insert",
        "make",
        "new",
        "register",
        "submit",
        "initiate",
        "request",
        "process",
        "schedule",
        "queue",
    )
    if nouns & lexicon.SENT and (making or nouns & {"permission", "permissions", "grants", "acl", "share", "shares"}):
        return Effect.SEND
    if nouns & lexicon.OFFICES and said.verb in ("set", "add", "assign", "promote", "make"):
        return Effect.SEND
    if "member" in nouns or "members" in nouns:
        return Effect.SEND if said.verb in ("add", "invite") else Effect.WRITE
    if nouns & {"collaborator", "collaborators"}:
        return Effect.SEND
    if nouns & lexicon.HOOKS and said.verb in (
        "create",
        "add",
        "insert",
        "update",
        "set",
        "put",
        "register",
        "patch",
        "edit",
    ):
        return Effect.EGRESS
    return Effect.WRITE


def _checked(effect: Effect, said: Said, others: list[Said], entry: Entry, text: str) -> tuple[Effect, str]:
    """The effect, made worse where another place names a danger."""
    reason = f"{said.place} says {said.verb!r}"
    if effect is Effect.READ:
        if _SENDING.search(entry.summary[:200].lower()) or {"verification", "code"} <= set(said.object):
            return Effect.SEND, f"{reason}, but something is sent"
        if entry.method in ("PUT", "PATCH") and (said.verb not in _ASKING or said.place == "the summary"):
            return Effect.WRITE, f"{entry.method}, though {reason}"
        for other in others:
            if other.verb in _DANGER and other.verb not in lexicon.NOUNS and other is not said:
                worse = Effect.DESTROY if other.verb in lexicon.DESTROY else Effect.SEND
                return worse, f"{reason}, but {other.place} says {other.verb!r}"
            changes = other.verb in lexicon.WRITE and other.verb not in lexicon.READ | lexicon.NOUNS
            if changes and other.place == "the summary" and other.leads:
                return Effect.WRITE, f"{reason}, but the summary says {other.verb!r}"
        return _looked(entry, said, reason)
    if effect is Effect.WRITE and said.verb not in lexicon.RELATION:
        if said.verb in ("generate", "convert", "render", "capture") and _fetched(entry):
            return Effect.EGRESS, f"{reason}; the address in {_fetched(entry)!r} is fetched"
        for phrases, worse in ((lexicon.FINAL, Effect.DESTROY), (lexicon.REACHING, Effect.SEND)):
            for phrase in phrases:
                if phrase in text and not re.search(rf"(not|never|no longer|n't)\s+(\w+\s+)?{phrase[:8]}", text):
                    return worse, f"{reason}; the text says {phrase!r}"
    return effect, reason


def _looked(entry: Entry, said: Said | None, reason: str) -> tuple[Effect, str]:
    """A read; `egress` where an argument says what address to fetch, or where the result goes."""
    address = _fetched(entry)
    if address:
        return Effect.EGRESS, f"{reason}; the address in {address!r} is fetched"
    for argument in entry.arguments:
        plain = argument.name.lower().replace("_", "").replace("-", "")
        if said is not None and "export" in (said.verb, *said.object) and plain.startswith(lexicon.DESTINATIONS):
            return Effect.EGRESS, f"{reason}; the result goes to {argument.name!r}"
    return Effect.READ, reason


def _fetched(entry: Entry) -> str:
    """The argument that says what address to fetch; the empty string where there is none."""
    required = set(entry.input.get("required", ()))
    return next(
        (
            argument.name
            for argument in entry.arguments
            if argument.name.lower() in lexicon.ADDRESSES and argument.name in required and argument.place != "path"
        ),
        "",
    )
