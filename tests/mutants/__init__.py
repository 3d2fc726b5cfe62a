"""Deliberately broken variants of our device and server, which the conformance kit has to notice.

``python -m tests.mutants`` plays the whole catalogue against each, and prints who notices what.
"""
