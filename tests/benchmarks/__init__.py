"""Benchmarks: `python -m tests.benchmarks` prints a table of ratios, measured side by side; nothing is asserted."""
