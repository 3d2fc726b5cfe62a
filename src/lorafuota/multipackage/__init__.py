"""Multi-Package Access (TS007): messages."""
