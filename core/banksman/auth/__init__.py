"""How a connection is let into its system: schemes, secrets, and tokens that stay current.

A connector declares what its system accepts; a connection names one of them and says where its secrets are:

    accepted = [Basic(), OAuth2ClientCredentials(token_url="https://erp.example/oauth/token")]
    auth = build(accepted, {"kind": "basic", "username": "alice", "password": "env:SAP_PASSWORD"})
    client = httpx.AsyncClient(auth=auth)

Every secret that is resolved or fetched is known to `redact`, which takes it out of any text. Importing this package
loads neither httpx nor Authlib; building a flow does.
"""

from banksman.auth._build import build
from banksman.auth._mark import TOKEN_REQUEST, UNSIGNED_URL
from banksman.auth._redaction import MASK, RedactingFilter, redact, register, registered
from banksman.auth._schemes import (
    ApiKey,
    Basic,
    Bearer,
    Given,
    NoAuth,
    OAuth2ClientCredentials,
    OAuth2Refresh,
    Scheme,
    Setting,
)
from banksman.auth._secrets import Secret, SecretResolver, resolve
from banksman.auth._store import MemoryTokenStore, TokenStore
from banksman.auth._vault import VAULT_KEY, Vault

__all__ = [
    "MASK",
    "TOKEN_REQUEST",
    "UNSIGNED_URL",
    "VAULT_KEY",
    "ApiKey",
    "Basic",
    "Bearer",
    "Given",
    "MemoryTokenStore",
    "NoAuth",
    "OAuth2ClientCredentials",
    "OAuth2Refresh",
    "RedactingFilter",
    "Scheme",
    "Secret",
    "SecretResolver",
    "Setting",
    "TokenStore",
    "Vault",
    "build",
    "redact",
    "register",
    "registered",
    "resolve",
]
