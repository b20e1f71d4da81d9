"""Where probes start from. `local`: this machine."""
