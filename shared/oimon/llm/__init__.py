"""Questions to an OpenAI-compatible model: deadline, budget, breaker, transcript."""
