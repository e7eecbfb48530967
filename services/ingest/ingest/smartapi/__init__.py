"""The live feed: Angel One's SmartAPI."""
