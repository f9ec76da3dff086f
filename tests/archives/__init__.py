"""Tests of the readers of what people already have: zips, saved output, trees, clones."""
