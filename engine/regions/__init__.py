"""Regions that know one another: who they are, how far each is, and how each is."""
