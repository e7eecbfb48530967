"""Speaks when open interest shifts."""
