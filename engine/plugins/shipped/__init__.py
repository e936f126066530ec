"""Plug-ins that come with the program: off unless the configuration names them (docs/plugins.md)."""
