"""The rows of the fault matrix, by what they harm. Source: bus contract, section 18."""
