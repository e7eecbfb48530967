"""Timings as ratios: outputs asserted equal first, then both ways interleaved in one run."""
