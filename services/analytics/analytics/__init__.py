"""Turns ticks into one analysis a beat."""
