"""Widgets of the console: drawn line by line from arrays, so that bytes and time follow what changed."""
