"""Servers that others wrote, run on loopback, to test against."""
