"""Real networks in namespaces: hosts, routers, firewalls and listeners, for tests and by hand."""
