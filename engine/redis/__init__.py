"""Redis, where a fleet uses one: connecting, health, and a private server. Imported only when the section redis is there."""
