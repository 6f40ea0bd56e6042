"""Measures of restored clips."""
