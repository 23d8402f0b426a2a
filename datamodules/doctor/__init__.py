"""Checks of a benchmark's files: what is wrong, and which queries that affects."""
