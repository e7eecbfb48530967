"""The maths of open interest: pure functions of arrays and numbers, one metric a file.

Columns are float64 arrays in ascending order of strike, NaN where a value is missing. A *two-sided* column has shape
(2, n): calls in row 0, puts in row 1. Scalar results are ``float | None`` and never NaN.
"""
