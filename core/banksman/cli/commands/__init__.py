"""One file for each group of commands. Each command gets the `Session` and returns its exit code."""

from __future__ import annotations

from pathlib import Path

from banksman.errors import UsageError


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: there is one, or it cannot be written. Nothing is ever written over.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists; it is not written over", hint="Name another file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
