"""Measurements, run by hand as `python -m tests.bench.NAME` on a quiet machine; they judge nothing."""
