"""A market that knows the truth: a feed that needs no broker. Source: analytics specification, 13."""
