"""Agents deciding and working together: topologies and consensus."""
