"""Tests mirror the rooms of kotaci; nothing here sleeps, reads the clock, or leaves loopback."""
