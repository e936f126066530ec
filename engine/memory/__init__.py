"""Where the fleet's data lives: the SQLite database, the journal in it, and what is read back."""
