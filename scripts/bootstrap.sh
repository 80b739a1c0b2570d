#!/bin/sh
# Finds a Python that is new enough and lets scripts/bootstrap.py do the rest.
#
#   scripts/bootstrap.sh demo          what the demo needs
#   scripts/bootstrap.sh dev peers     what the tests need, with the servers they talk to
#
# The variable PYTHON chooses the interpreter; otherwise the newest of 3.14 to 3.11 is taken.
set -eu
cd "$(dirname "$0")/.."

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates=".venv/bin/python python3.14 python3.13 python3.12 python3.11 python3 python"
fi
for candidate in $candidates; do
    if new_enough "$candidate"; then
        exec "$candidate" scripts/bootstrap.py "$@"
    fi
done

echo "banksman needs Python 3.11 or newer; tried: $candidates" >&2
echo "Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2
exit 1
