"""The proof that the log is what it would have been without any fault: ``oi audit``. Source: bus contract, section 17."""
