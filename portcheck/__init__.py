"""portcheck: which required ports are blocked, which are open that nobody asked for, and who is in the way."""

__version__ = "0.1.0"
