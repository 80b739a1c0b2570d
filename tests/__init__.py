"""The tests. A package, so that `tests.peers` is found before any other package of that name."""
