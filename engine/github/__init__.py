"""GitHub: issues and pull requests with a label become tasks, results become comments and pull requests (docs/github.md)."""
