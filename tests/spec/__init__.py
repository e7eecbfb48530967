"""Worked cases of the analytics specification, run against the code."""
