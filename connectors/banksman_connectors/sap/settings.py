"""What a connection to an SAP service may set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from banksman import Settings

_Client = Annotated[str, StringConstraints(pattern=r"^\d{3}$")]
_Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")]


class SapSettings(Settings):
    """Settings of one service of one SAP system. `base_url` is the root of the service.

    Attributes:
        sap_client: the client (tenant) within the system, three digits.
        sap_language: the language of texts, two letters.
        csrf: whether writes need a CSRF token; None: ask once and heed the answer.
        batch: the form of `$batch` requests; None: find out which one the service takes.
        closed_fields: `Set.property` names whose values nobody can write freely, so that they may choose targets:
            a currency, a plant, a supplier number that the system checks.
    """

    sap_client: _Client | None = None
    sap_language: _Language | None = None
    csrf: bool | None = None
    batch: Literal["json", "multipart"] | None = None
    closed_fields: tuple[str, ...] = Field(default=())
