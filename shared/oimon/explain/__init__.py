"""Why an analysis says what it says: from a message to the arithmetic behind it, and to sentences (pure)."""
