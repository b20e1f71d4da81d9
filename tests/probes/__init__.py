"""Requests and replies of each protocol, byte by byte."""
