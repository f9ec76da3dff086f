"""Tests of the tables: what is drawn from the store, kept, and read back."""
