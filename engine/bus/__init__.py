"""Events to those who listen inside this process."""
