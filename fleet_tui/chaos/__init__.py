"""`fleet-tui chaos`: a throwaway fleet of several engines on a server of its own is broken for real, again and again, under load.

Everything runs in processes and folders that this command made, on loopback: no fleet of anybody is touched.
"""
