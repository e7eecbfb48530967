"""The read-only REST that browsers reach."""
