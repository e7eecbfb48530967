"""Fans out to console, database, files and Telegram."""
