"""Firewalls that a reviewer got wrong verdicts from: rationed errors, bans that answer, a silent hop before a box.

One router for each kind, in front of one server. Routers that count do so for each client by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portcheck.model import Family
from tests.lab.build import Lab
from tests.lab.rules import chain, span, table
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology

OPEN_PORTS = range(1000, 1200)
REJECTED_PORTS = range(2000, 2200)
"""Everywhere behind the routers that ration."""
DROPPED_PORTS = range(3000, 3020)
"""`strict` drops them, and `sours` those of its first address."""
CLOSED_PORTS = range(5000, 5070)
FLOWS_BEFORE_BAN = 20
METER_S = 5
BANS = "bans"
"""Comment of the rule that answers who is banned by `bans` or `pardons`."""
BANNED_PATH = "banned-path"
"""Comment of the rule that counts the SYNs to the address that `sours` shuts off."""

SERVER, OTHER = 110, 120
"""The last numbers of the server's addresses."""
_KEEPER = 9999

_LEFT = Net("left", "10.91.1.0/24")
_RIGHT = Net("right", "10.91.2.0/24")
_MIDDLE = Net("middle", "10.91.3.0/24")
_INNER = Net("inner", "10.91.4.0/24")
_FAR = Net("far", "10.91.5.0/24")


@dataclass(frozen=True, slots=True)
class Few:
    """A client that asks for some rejected ports, and for some open ones beside.

    Attributes:
        router: "rations" as Linux does, "trickles" as Cisco IOS does: one error in 500 ms, none saved up.
    """

    router: str
    rejected: int
    open: int

    @property
    def client(self) -> str:
        return f"{self.router[0]}{self.rejected}-{self.open}"


FEW: Mapping[str, Few] = {
    few.client: few
    for few in (
        *(Few("rations", rejected, beside) for rejected in (11, 12, 13) for beside in (0, 40)),
        *(Few("trickles", rejected, beside) for rejected, beside in ((6, 0), (10, 40), (50, 0))),
    )
}

# Which router each client goes through.
_ROUTER_OF: Mapping[str, str] = {
    **{few.client: few.router for few in FEW.values()},
    "ten": "strict",
    "three": "strict",
    "all": "rations",
    "singly": "bans",
    "in-bulk": "bans",
    "stopped": "pardons",
    "two-hosts": "sours",
    "walker": "first",
    "hasty": "first",
}
_ROUTERS = {name: number for number, name in enumerate(dict.fromkeys(_ROUTER_OF.values()), 1)}
_CLIENTS = {name: number for number, name in enumerate(_ROUTER_OF, 10)}

_SYN = "iifname left tcp flags & (syn | ack) == syn"
_REJECT = "reject with icmp admin-prohibited"


def address(number: int) -> str:
    """One of the server's addresses."""
    return _known(_RIGHT, number)


def responder(client: str) -> str:
    """The address that the errors of the client's router come from."""
    return _known(_LEFT, _ROUTERS[_ROUTER_OF[client]])


def _known(net: Net, number: int) -> str:
    found = net.address(number, Family.IPV4)
    assert found is not None
    return found


FAR_HOST = _known(_FAR, 10)
"""Behind a box that accepts everything, which is behind a hop that never says where it is."""


def _trickling() -> Iterator[str]:
    to = f"tcp dport {span(REJECTED_PORTS)}"
    for few in FEW.values():
        if few.router == "trickles":
            source = f"iifname left ip saddr {_known(_LEFT, _CLIENTS[few.client])}"
            yield f"{source} {to} limit rate 2/second burst 1 packets {_REJECT}"
    yield f"iifname left {to} drop"


def _strict() -> Iterator[str]:
    yield f"iifname left tcp dport {span(OPEN_PORTS)} accept"
    yield f"iifname left tcp dport {span(DROPPED_PORTS)} drop"
    yield f"iifname left tcp dport 1-65535 {_REJECT}"


def _banning() -> str:
    """Whoever begins one flow more is answered as if the machine itself refused."""
    answer = "reject with icmp port-unreachable"
    types = ("banned", "recent")
    over = f"limit rate over 1/day burst {FLOWS_BEFORE_BAN} packets"
    return table(
        *(f"set {name} {{ type ipv4_addr; flags dynamic,timeout; }}" for name in types),
        chain(
            "forward",
            (
                f'iifname left ip saddr @banned meta l4proto tcp counter {answer} comment "{BANS}"',
                f"{_SYN} add @recent {{ ip saddr timeout {METER_S}s {over} }} "
                f"add @banned {{ ip saddr timeout 600s }} {answer}",
            ),
        ),
    )


def _souring() -> Iterator[str]:
    to = f"ip daddr {address(SERVER)}"
    yield f'{_SYN} {to} counter comment "{BANNED_PATH}"'
    yield f"iifname left {to} tcp dport {span(DROPPED_PORTS)} drop"


_RULES: Mapping[str, str] = {
    "rations": table(chain("forward", [f"iifname left tcp dport {span(REJECTED_PORTS)} {_REJECT}"])),
    "trickles": table(chain("forward", _trickling())),
    "strict": table(chain("forward", _strict())),
    "bans": _banning(),
    "pardons": _banning(),
    "sours": table(chain("forward", _souring())),
    "first": "",
}
_RATIONING = ("rations", "strict")


def _routers() -> Iterator[Node]:
    for name, number in _ROUTERS.items():
        first = name == "first"
        yield Node(
            name,
            (Link("left", number), Link("middle", 1) if first else Link("right", number)),
            routes=tuple(Route(net, via="silent") for net in ("inner", "far") if first),
            rules=_RULES[name],
            sysctls=KERNEL_ICMP_LIMITS if name in _RATIONING else {},
            forwards=True,
        )


def _behind_a_silent_hop() -> tuple[Node, ...]:
    """first - silent - box - far; `silent` never sends an ICMP error, `box` accepts for `far`."""
    mute = table(chain("output", ["ip protocol icmp drop"]))
    captive = f"iifname inner ip daddr {FAR_HOST} tcp dport 1-65535 redirect to :{_KEEPER}"
    return (
        Node(
            "silent",
            (Link("middle", 2), Link("inner", 2)),
            (Route("left", via="first"), Route("far", via="box")),
            rules=mute,
            forwards=True,
        ),
        Node(
            "box",
            (Link("inner", 3), Link("far", 1)),
            (Route("left", via="silent"),),
            (Listener(_KEEPER),),
            rules=table(chain("prerouting", [captive], kind="nat", priority="dstnat")),
            forwards=True,
        ),
        Node("far", (Link("far", 10),), (Route("left", via="box"),)),
    )


def reviewed() -> Topology:
    """Clients - a router for each kind - server."""
    return Topology(
        "reviewed",
        "clients - routers - server: each router rejects, bans or loses in a way of its own",
        nets=(_LEFT, _RIGHT, _MIDDLE, _INNER, _FAR),
        nodes=(
            *(
                Node(
                    name,
                    (Link("left", number),),
                    (Route("far" if _ROUTER_OF[name] == "first" else "right", via=_ROUTER_OF[name]),),
                )
                for name, number in _CLIENTS.items()
            ),
            *_routers(),
            *_behind_a_silent_hop(),
            # Whichever router a SYN came through, its answer goes back through the one that rejects nothing.
            Node(
                "server",
                (Link("right", SERVER, also=(OTHER,)),),
                (Route("left", via="sours"),),
                tuple(map(Listener, OPEN_PORTS)),
            ),
        ),
    )


REVIEWED = reviewed()


def pardon(lab: Lab) -> None:
    """`pardons` bans nobody any more."""
    _nft(lab, "pardons", "flush ruleset")


def shut_off(lab: Lab) -> None:
    """`sours` drops whatever goes to the server's first address."""
    _nft(lab, "sours", f"add rule inet lab filter_forward_filter iifname left ip daddr {address(SERVER)} drop")


def lose(lab: Lab) -> None:
    """`sours` loses every fifth packet to the server's other address."""
    loss = f"iifname left ip daddr {address(OTHER)} numgen random mod 100 < 20 drop"
    _nft(lab, "sours", f"add rule inet lab filter_forward_filter {loss}")


def _nft(lab: Lab, node: str, command: str) -> None:
    done = lab.run(node, ["nft", command], user=False)
    assert done.returncode == 0, done.stderr
