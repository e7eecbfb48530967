"""The broker's instrument master: fetched, kept for the day, searched, and what of it is subscribed."""
