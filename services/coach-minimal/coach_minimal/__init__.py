"""Decides every second."""
