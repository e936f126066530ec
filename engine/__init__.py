"""The fleet engine: coordinator, pools, agents, tasks and journal, without a screen."""
