"""Where tasks work: git worktrees of their own."""
