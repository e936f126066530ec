"""Agents on hosts that joined: what the leader and a host say to each other, and both ends of it."""
