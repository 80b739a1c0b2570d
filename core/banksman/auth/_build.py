"""From a connection's settings to the flow of its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from banksman.auth._schemes import Given, NoAuth, Scheme, Setting
from banksman.auth._secrets import Secret, SecretResolver, is_reference, resolve
from banksman.auth._store import TokenStore
from banksman.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import httpx


def build(
    schemes: Scheme | Iterable[Scheme],
    config: Mapping[str, object],
    resolve_secret: SecretResolver = resolve,
    *,
    connection: str = "",
    store: TokenStore | None = None,
) -> httpx.Auth:
    """The flow for one connection. Build it once and share it: what it learns (a token) serves all clients.

    Args:
        schemes: what the connector accepts, each kind once.
        config: what the connection says, `{"kind": "basic", "username": "alice", "password": "env:SAP_PASSWORD"}`.
            It may be empty where `NoAuth` is accepted.
        resolve_secret: turns a reference into a secret.
        connection: the connection's name, for errors and as the key in the store.
        store: keeps rotated refresh tokens; without one they are lost with the process.

    Raises:
        ConfigError: the settings do not fit; names every missing, unknown or unusable key, and shows no value.
        UsageError: two schemes have the same kind.
    """
    accepted = _by_kind(schemes)
    where = f"connection {connection!r}, auth" if connection else "auth"
    scheme = _chosen(accepted, config, where)
    given = _given(scheme, config, resolve_secret, where, connection, store)
    try:
        return scheme.flow(given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None


def _by_kind(schemes: Scheme | Iterable[Scheme]) -> dict[str, Scheme]:
    listed = [schemes] if isinstance(schemes, Scheme) else list(schemes)
    accepted = {scheme.kind: scheme for scheme in listed}
    if len(accepted) != len(listed) or not listed:
        raise UsageError("a connector accepts each kind of auth once, and at least one; NoAuth() is one")
    return accepted


def _chosen(accepted: Mapping[str, Scheme], config: Mapping[str, object], where: str) -> Scheme:
    if not config and NoAuth.kind in accepted:
        return accepted[NoAuth.kind]
    kind = config.get("kind")
    scheme = accepted.get(kind) if isinstance(kind, str) else None
    if scheme is not None:
        return scheme
    what = f"kind {kind!r} is not accepted" if isinstance(kind, str) else "kind is missing"
    usages = " or ".join(_usage(scheme) for scheme in accepted.values())
    raise ConfigError(f"{where}: {what}; accepted: {', '.join(accepted)}", hint=f"Write {usages}.")


def _usage(scheme: Scheme) -> str:
    keys = [name for name, setting in scheme.settings.items() if setting.required]
    return "{" + ", ".join([f"kind: {scheme.kind}", *(f"{key}: ..." for key in keys)]) + "}"


def _given(
    scheme: Scheme,
    config: Mapping[str, object],
    resolve_secret: SecretResolver,
    where: str,
    connection: str,
    store: TokenStore | None,
) -> Given:
    settings = scheme.settings
    problems = _misfits(settings, config)
    hints: list[str] = []
    values: dict[str, dict[str, Any]] = {"secret": {}, "text": {}, "words": {}}
    for key, setting in settings.items():
        if config.get(key) is None:
            continue
        try:
            values[setting.form][key] = _value(setting, config[key], resolve_secret)
        except ConfigError as error:
            problems.append(f"{key}: {error.message}")
            hints += [error.hint] if error.hint else []
    if problems:
        optional = [key for key, setting in settings.items() if not setting.required]
        usage = f"{_usage(scheme)}" + (f", and if need be {', '.join(optional)}" if optional else "")
        hint = " ".join(dict.fromkeys(hints)) or f"Write {usage}."
        raise ConfigError(f"{where} (kind {scheme.kind}): {'; '.join(problems)}", hint=hint)
    return Given(values["secret"], values["text"], values["words"], connection, store)


def _misfits(settings: Mapping[str, Setting], config: Mapping[str, object]) -> list[str]:
    """The keys that are missing and those that are unknown."""
    missing = [key for key, setting in settings.items() if setting.required and config.get(key) is None]
    problems = [f"missing: {', '.join(missing)}"] if missing else []
    for key in config:
        if key != "kind" and key not in settings:
            near = get_close_matches(str(key), settings, n=1)
            problems.append(f"unknown: {key}" + (f" (did you mean {near[0]}?)" if near else ""))
    return problems


def _value(setting: Setting, value: object, resolve_secret: SecretResolver) -> Secret | str | tuple[str, ...]:
    if setting.form == "words":
        words = value.split() if isinstance(value, str) else value
        if isinstance(words, list | tuple) and all(isinstance(word, str) for word in words):
            return tuple(words)
        raise ConfigError("must be a list of texts, or one text with spaces")
    if not isinstance(value, str):
        raise ConfigError("must be a text; quote it")
    if setting.form == "secret":
        return resolve_secret(value)
    return resolve_secret(value).reveal() if is_reference(value) else value
