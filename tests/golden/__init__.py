"""Figures of the bundled day that must stay: ``python -m tests.golden`` makes them anew, a test compares them.

A change of one is a change of what a trader sees: read the difference before you keep it.
"""
