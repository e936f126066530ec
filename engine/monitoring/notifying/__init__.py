"""Tells people and programs outside of alerts: in groups, through channels, each with a durable queue of its own."""
