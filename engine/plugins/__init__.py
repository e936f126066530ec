"""Plug-ins: packages of others that add kinds of agents, operations, channels, metrics and embedders (docs/plugins.md)."""
