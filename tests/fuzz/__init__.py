"""Tests that look for the input or the order of events that breaks a promise."""
