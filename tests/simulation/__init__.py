"""The bus under a seeded scheduler with a clock of its own: hours of faults in seconds, each one repeatable by its seed."""
