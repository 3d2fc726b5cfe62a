"""Tools for testing code that speaks these protocols; needs the extra ``testing``."""
