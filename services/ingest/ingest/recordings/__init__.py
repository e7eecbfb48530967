"""Recorded days that come with ingest, each with its origin in its header."""

from pathlib import Path

BUNDLED = Path(__file__).parent / "NIFTY-2026-08-18.oirec"
"""NIFTY on 18 August 2026, an expiry day: two expiries, ATM±20, a price a minute."""
