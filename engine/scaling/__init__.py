"""How many agents a pool should have."""
