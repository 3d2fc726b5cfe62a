"""Firmware Management Protocol (TS006): messages."""
