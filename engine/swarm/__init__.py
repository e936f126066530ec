"""Agents deciding and working together: consensus."""
