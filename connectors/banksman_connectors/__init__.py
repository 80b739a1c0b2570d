"""The connectors that ship with Banksman: one folder a system."""
