"""Measured history: counters beside the hot path, a sample a second, kept in compressed blocks for a month."""
