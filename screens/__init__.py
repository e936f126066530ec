"""What an operator sees: screens, widgets and the feed."""
