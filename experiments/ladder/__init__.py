"""The ladder: all methods and their combinations under the same shifts, in one table."""
