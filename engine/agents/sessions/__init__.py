"""Agents of kind `session`: a warm process that does one task after another and speaks a protocol of messages."""
