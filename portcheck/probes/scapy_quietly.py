"""scapy without what its import does beside importing.

Left to itself it makes folders and cache files in the home directory, reads every interface, address and route by
netlink (1.0 s with 400 addresses) and parses a list of hardware vendors of 0.9 MB. We send through sockets of our own
and need none of it. A program that uses scapy itself and imports it first is left as it is.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_NOT_READ: dict[str, dict[str, Any]] = {
    "scapy.main": {"SCAPY_CACHE_FOLDER": None},
    "scapy.libs.manuf": {"DATA": ""},
    "scapy.libs.bluetoothids": {"DATA": {}},
}
"""Modules that scapy 2.7 and 2.8 ask for at import, and the least that it takes instead: no cache, no vendors."""


@contextmanager
def scapy_quietly() -> Iterator[None]:
    """`with scapy_quietly(): from scapy.layers.dns import DNS`: the imports that may load a part of scapy."""
    if "scapy.config" not in sys.modules:
        # Its handler would write warnings to the console; a level that is set already is kept by scapy.
        logging.getLogger("scapy").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        # Deprecated ciphers of the cryptography package, which we do not use.
        warnings.simplefilter("ignore")
        if "scapy.data" not in sys.modules:
            _load_base()
        yield


def _load_base() -> None:
    """What every layer needs, with nothing to read."""
    stand_ins = {name: _module(name, content) for name, content in _NOT_READ.items()}
    sys.modules.update(stand_ins)
    try:
        from scapy.config import conf
        from scapy.interfaces import NetworkInterfaceDict

        conf.route_autoload = conf.route6_autoload = False
        read_interfaces = NetworkInterfaceDict.reload
        NetworkInterfaceDict.reload = _read_nothing  # type: ignore[method-assign, assignment]
        try:
            import scapy.layers.inet6  # noqa: F401 (loads interfaces and routes, of both families)
        finally:
            NetworkInterfaceDict.reload = read_interfaces  # type: ignore[method-assign]
            conf.route_autoload = conf.route6_autoload = True
    except ImportError:
        # A later scapy wants more of them. It is loaded in full by whoever asked for a layer.
        pass
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)


def _module(name: str, content: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


def _read_nothing(interfaces: object) -> None:
    """Instead of reading the interfaces."""
