"""Measure the network. Standard library only, Python 3.9 syntax, nothing of ours imported from outside.

The same files are sent to a node and run there, so this package must work alone.
"""
