"""Takes a feed's frames to ticks on the bus."""
