"""Remote Multicast Setup (TS005): messages."""
