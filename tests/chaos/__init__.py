"""Harm done to a running OI Monitor, and the proof that its log is none the worse. Source: bus contract, section 18."""
