"""The engine without the world: virtual time, seeded chance, fakes that ship."""
