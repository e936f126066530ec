"""Alerts: what rules say, the life of what they find, silences, and the loop that keeps watch."""
