"""Tasks waiting, the choice of an agent, leases and time-outs."""
