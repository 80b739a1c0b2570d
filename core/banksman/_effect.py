"""What a call does outside."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """What a call does outside, from harmless to final. There is no default: every action says which.

    Attributes:
        READ: changes nothing; the arguments stay with the system.
        EGRESS: a read whose arguments reach a third party.
        WRITE: changes state that can be restored.
        SEND: reaches other people, grants access or moves money.
        DESTROY: removes what cannot be restored from outside.
    """

    READ = "read"
    EGRESS = "egress"
    WRITE = "write"
    SEND = "send"
    DESTROY = "destroy"

    @property
    def changes(self) -> bool:
        """Whether the world is different afterwards."""
        return self in _CHANGING


_CHANGING = frozenset({Effect.WRITE, Effect.SEND, Effect.DESTROY})
