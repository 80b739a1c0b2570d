"""Which model is asked: `PROVIDER:NAME`, with the key from the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from banksman.auth import register
from banksman.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pydantic_ai.models import Model

#: What `model_of` takes, with the variables that hold the key.
FORMS: Mapping[str, str] = {
    "openai:NAME": "OPENAI_API_KEY",
    "anthropic:NAME": "ANTHROPIC_API_KEY",
    "zhipu:NAME": "ZHIPU_API_KEY (open.bigmodel.cn) or ZAI_API_KEY (api.z.ai)",
    "openai-compatible:NAME@URL": "OPENAI_COMPATIBLE_API_KEY, where the server wants one",
}
#: Zhipu has two platforms with one API and accounts of their own: https://docs.z.ai/api-reference/introduction and
#: https://docs.bigmodel.cn/cn/api/introduction
_ZHIPU = {
    "ZHIPU_API_KEY": "https://open.bigmodel.cn/api/paas/v4",
    "ZHIPUAI_API_KEY": "https://open.bigmodel.cn/api/paas/v4",
    "ZAI_API_KEY": "https://api.z.ai/api/paas/v4",
}
#: Tokens of one answer, for a provider that wants to be told. A runbook is short; thinking before it is not.
_ANSWER = 16_384


def model_of(name: str, environ: Mapping[str, str] = os.environ) -> Model:
    """The model behind a name such as `openai:gpt-5`, `zhipu:glm-4.6` or
    `openai-compatible:qwen3@http://127.0.0.1:8000/v1`.

    Raises:
        UsageError: the name has none of the accepted forms; lists them.
        ConfigError: the key is missing from the environment (the variable is named), or the `models` extra is not
            installed.
    """
    provider, colon, rest = name.partition(":")
    if not colon or not rest or provider not in _BUILD:
        raise UsageError(f"no model {name!r}", hint=f"Say one of:\n{_forms()}")
    try:
        return _BUILD[provider](rest, environ)
    except ImportError as error:
        missing = error.name or "a package"
        raise ConfigError(f"{missing} is missing", hint="Install the extra: pip install 'banksman[models]'.") from error


def _forms() -> str:
    return "\n".join(f"    {form}  (key: {where})" for form, where in FORMS.items())


def _key(environ: Mapping[str, str], provider: str, *names: str) -> tuple[str, str]:
    """The first of some variables that is set, and its value, which from now on is kept out of every text."""
    for name in names:
        if value := environ.get(name, "").strip():
            register(value)
            return name, value
    raise ConfigError(f"{provider} needs a key in the environment: set {' or '.join(names)}")


def _openai(name: str, environ: Mapping[str, str]) -> Model:
    _, key = _key(environ, "openai", "OPENAI_API_KEY")
    # Chat Completions: OpenAI keeps nothing of these requests unless asked to, and every compatible server speaks it.
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(name, provider=OpenAIProvider(api_key=key))


def _anthropic(name: str, environ: Mapping[str, str]) -> Model:
    _, key = _key(environ, "anthropic", "ANTHROPIC_API_KEY")
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.settings import ModelSettings

    settings = ModelSettings(max_tokens=_ANSWER)
    return AnthropicModel(name, provider=AnthropicProvider(api_key=key), settings=settings)


def _zhipu(name: str, environ: Mapping[str, str]) -> Model:
    variable, key = _key(environ, "zhipu", *_ZHIPU)
    from pydantic_ai.models.zai import ZaiModel
    from pydantic_ai.providers.zai import ZaiProvider

    return ZaiModel(name, provider=ZaiProvider(api_key=key, base_url=_ZHIPU[variable]))


def _compatible(rest: str, environ: Mapping[str, str]) -> Model:
    name, at, url = rest.partition("@")
    parts = urlsplit(url)
    if not at or not name or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"no model 'openai-compatible:{name}' without the server's address",
            hint="Say openai-compatible:NAME@URL, such as openai-compatible:qwen3@http://127.0.0.1:8000/v1.",
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            f"the address of model {name!r} holds a credential or a query",
            hint="Put the key into OPENAI_COMPATIBLE_API_KEY, where no list of commands shows it.",
        )
    key = environ.get("OPENAI_COMPATIBLE_API_KEY", "").strip() or None
    if key:
        register(key)
        if parts.scheme == "http" and not _is_here(parts.hostname):
            raise ConfigError(
                f"http://{parts.hostname} would carry OPENAI_COMPATIBLE_API_KEY in the clear",
                hint="Use https, or unset the variable where the server wants no key.",
            )
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    provider = OpenAICompatibleProvider("openai-compatible", base_url=url, api_key=key)
    return OpenAIChatModel(name, provider=provider)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_BUILD = {"openai": _openai, "anthropic": _anthropic, "zhipu": _zhipu, "openai-compatible": _compatible}
