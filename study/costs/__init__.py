"""What trials cost, in seconds, memory and money."""
