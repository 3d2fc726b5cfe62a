"""Deliberately broken variants of our device and server, which the conformance kit has to notice.

``python -m tests.mutants device|server|all`` plays the whole catalogue against each, and prints who
notices what.
"""
