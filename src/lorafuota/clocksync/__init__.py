"""Application Layer Clock Synchronization (TS003): messages."""
