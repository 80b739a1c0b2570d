from __future__ import annotations

import subprocess
import sys

import banksman.auth


def test_the_public_face_is_what_it_says() -> None:
    assert banksman.auth.__all__ == [
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
    assert all(hasattr(banksman.auth, name) for name in banksman.auth.__all__)


def test_importing_it_and_declaring_schemes_loads_nothing_heavy() -> None:
    code = (
        "import sys; from banksman.auth import *; OAuth2Refresh(token_url='https://x.example'); Basic();"
        "heavy = {'httpx', 'authlib', 'keyring', 'cryptography', 'anyio', 'pydantic'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
