"""The fleet as tools of other agents: `fleet-tui mcp` speaks the Model Context Protocol."""
