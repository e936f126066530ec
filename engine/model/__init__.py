"""What the fleet talks about: ids, records, commands, events, effects, rows, errors. No I/O, no engine imports."""
