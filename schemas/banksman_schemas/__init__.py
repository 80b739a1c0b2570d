"""Canonical records of the capabilities."""
