"""How many sockets we may hold at once: our own limit, which must never look like the network's answer."""

import resource

_RESERVE = 64
"""Descriptors left for everything else in the process: files, the event loop, name resolution. Of few, half."""

_ALWAYS_ALLOWED = 10_240
"""OPEN_MAX of macOS, where the hard limit says "unlimited" and more than kern.maxfilesperproc is refused."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as the system lets us, and return how many sockets may be open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _ALWAYS_ALLOWED - _RESERVE
    for wanted in (_ALWAYS_ALLOWED,) if hard == resource.RLIM_INFINITY else (hard, min(hard, _ALWAYS_ALLOWED)):
        if soft >= wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass  # Refused: the next lower one, or what we have.
    return max(1, soft - min(_RESERVE, soft // 2))
