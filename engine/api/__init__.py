"""The network faces of the engine: one WebSocket (JSON-RPC 2.0), REST over the same verbs, and the client."""
