"""The application: command line, console and settings."""
