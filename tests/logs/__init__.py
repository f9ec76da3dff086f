"""Tests of the readers of logs: text in, structure out."""
