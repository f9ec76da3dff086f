"""Tests of the analyses: small series whose answer the eye sees."""
