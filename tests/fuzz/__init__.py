"""What agents and other people's servers may say, byte by byte: the same checks by chance and by coverage."""
