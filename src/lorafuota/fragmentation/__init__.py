"""Fragmented Data Block Transport (TS004): messages."""
