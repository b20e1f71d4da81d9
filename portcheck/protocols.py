"""What is spoken at ports: the protocols that portcheck has a word for, where they are, and whom they answer. Pure.

Documents name them under `speaks:`; the requests for UDP are in portcheck.probes, the greetings of TCP in
portcheck.verify. Ports are those that a protocol has by its specification or by IANA's registry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from portcheck.engine.probe import Transport
from portcheck.model import Answers

SNMP_COMMUNITY = "snmp_community"
RADIUS_SECRET = "radius_secret"


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol.

    Attributes:
        title: as a person would say it.
        udp, tcp: the ports where it is taken to be when nobody says otherwise; a port belongs to one protocol.
        answers: over UDP: whether a healthy server answers a stranger's probe.
        secret: the field of Secrets with which it does, where it would not without.
        silence: why it may be silent although all is well, as half a sentence; None where nothing special is known.
        silence_with_secret: the same for who gave its secret; None where it has none.
        tls: over TCP it begins with a TLS handshake.
    """

    title: str
    udp: tuple[int, ...] = ()
    tcp: tuple[int, ...] = ()
    answers: Answers = Answers.NORMALLY
    secret: str | None = None
    silence: str | None = None
    silence_with_secret: str | None = None
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an answer says.

    Attributes:
        text: one printable phrase of at most 120 characters: "NTP server, stratum 3", "12 bytes that are no DNS".
        protocol: the protocol of the answer, a name of PROTOCOLS; None when it is not known.
    """

    text: str
    protocol: str | None = None


_NEVER, _WITH_SECRET = Answers.NEVER, Answers.WITH_SECRET
_NO_RULE = "a server without a rule for this machine may be silent"
_UNKNOWN_CLIENT = "it is silent where it does not know this machine, the secret, or Status-Server (RFC 5997)"
_WRONG_SECRET = "it does not know this machine or Status-Server (RFC 5997), or the secret is wrong"
_RADIUS = Protocol(
    "RADIUS",
    udp=(1645, 1812),
    answers=_WITH_SECRET,
    secret=RADIUS_SECRET,
    silence=_UNKNOWN_CLIENT,
    silence_with_secret=_WRONG_SECRET,
)

PROTOCOLS: Mapping[str, Protocol] = {
    "dns": Protocol("DNS", udp=(53,), tcp=(53,)),
    "mdns": Protocol("multicast DNS", udp=(5353,), silence="it answers machines of its own network segment only"),
    "dhcp": Protocol("DHCP", udp=(67,), silence="it answers machines of the networks that it has addresses for only"),
    "pxe": Protocol("PXE boot server (BINL)", udp=(4011,)),
    "tftp": Protocol("TFTP", udp=(69,)),
    "kerberos": Protocol("Kerberos", udp=(88,), tcp=(88,)),
    "kpasswd": Protocol("Kerberos password change", udp=(464,), tcp=(464,)),
    "rpcbind": Protocol("rpcbind", udp=(111,), tcp=(111,)),
    "nfs": Protocol("NFS", udp=(2049,), tcp=(2049,)),
    "mount": Protocol("MOUNT of NFSv3", udp=(20048,)),
    "ntp": Protocol("NTP", udp=(123,)),
    "netbios-ns": Protocol("NetBIOS name service", udp=(137,)),
    "netbios-dgm": Protocol("NetBIOS datagrams", udp=(138,), answers=_NEVER),
    # Discovery of an SNMPv3 engine needs no secret (RFC 3414 section 4); agents of v1 and v2c alone want the community.
    "snmp": Protocol(
        "SNMP",
        udp=(161,),
        secret=SNMP_COMMUNITY,
        silence="without SNMPv3 it answers only who knows its community",
        silence_with_secret="this machine may not ask, or the community is wrong",
    ),
    "snmp-trap": Protocol("SNMP traps", udp=(162,), answers=_NEVER),
    "cldap": Protocol("LDAP over UDP (CLDAP)", udp=(389,)),
    "isakmp": Protocol("IKE (ISAKMP)", udp=(500,), silence=_NO_RULE),
    "isakmp-nat-t": Protocol("IKE through NAT (NAT-T)", udp=(4500,), silence=_NO_RULE),
    "sql-browser": Protocol("SQL Server Browser", udp=(1434,)),
    "radius": _RADIUS,
    "radius-accounting": replace(_RADIUS, title="RADIUS accounting", udp=(1646, 1813)),
    "l2tp": Protocol("L2TP", udp=(1701,), silence="some servers answer only who begins a tunnel"),
    "ssdp": Protocol("SSDP", udp=(1900,), silence="a server without devices is silent"),
    "ws-discovery": Protocol(
        "WS-Discovery", udp=(3702,), silence="a server that offers nothing is silent, and some answer multicast only"
    ),
    "msmq-ping": Protocol("MSMQ ping", udp=(1801, 3527), silence="since MSMQ 4.0 the ping service is off by default"),
    "madcap": Protocol("MADCAP", udp=(2535,), silence="a server without multicast scopes may be silent"),
    "sip": Protocol("SIP", udp=(5060,), tcp=(5060,)),
    "stun": Protocol("STUN", udp=(3478,), tcp=(3478,)),
    "nat-pmp": Protocol("NAT-PMP", udp=(5351,), silence="a gateway answers its inner side only"),
    "dtls": Protocol("DTLS", udp=(5349, 5684)),
    "quic": Protocol("QUIC", udp=(443, 853)),
    "ipmi": Protocol("IPMI (RMCP)", udp=(623,)),
    "slp": Protocol("SLP", udp=(427,)),
    "icp": Protocol("ICP of web caches", udp=(3130,)),
    "iax2": Protocol("IAX2", udp=(4569,)),
    "echo": Protocol("Echo", udp=(7,), tcp=(7,)),
    "discard": Protocol("Discard", udp=(9,), tcp=(9,), answers=_NEVER),
    "systat": Protocol("Active users (systat)", udp=(11,), tcp=(11,)),
    "daytime": Protocol("Daytime", udp=(13,), tcp=(13,)),
    "qotd": Protocol("Quote of the day", udp=(17,), tcp=(17,)),
    "chargen": Protocol("Character generator", udp=(19,), tcp=(19,)),
    "time": Protocol("Time", udp=(37,), tcp=(37,)),
    "memcached": Protocol("memcached", udp=(11211,), tcp=(11211,)),
    "rip": Protocol("RIP", udp=(520,), silence="a router that wants a password is silent to strangers"),
    "ripng": Protocol("RIPng", udp=(521,), silence="it is spoken over IPv6 only"),
    "xdmcp": Protocol("XDMCP", udp=(177,), silence="a display manager may answer chosen hosts only"),
    "quake": Protocol("Quake", udp=(26000,)),
    "source-query": Protocol("Source game server", udp=(27015,)),
    "syslog": Protocol("syslog", udp=(514,), answers=_NEVER),
    "vxlan": Protocol("VXLAN", udp=(4789,), answers=_NEVER),
    "rtp": Protocol("RTP", udp=(5004,), answers=_NEVER),
    "rtcp": Protocol("RTCP", udp=(5005,), answers=_NEVER),
    "ms-cluster": Protocol("Windows failover cluster", udp=(3343,), silence="what it answers is not public"),
    # Over TCP only.
    "http": Protocol("HTTP", tcp=(80,)),
    "https": Protocol("HTTPS", tcp=(443,), tls=True),
    "web": Protocol("HTTP or HTTPS"),
    "tls": Protocol("TLS", tls=True),
    "ssh": Protocol("SSH", tcp=(22,)),
    "ftp": Protocol("FTP", tcp=(21,)),
    "telnet": Protocol("Telnet", tcp=(23,)),
    "smtp": Protocol("SMTP", tcp=(25, 587)),
    "smtps": Protocol("SMTP over TLS", tcp=(465,), tls=True),
    "pop3": Protocol("POP3", tcp=(110,)),
    "pop3s": Protocol("POP3 over TLS", tcp=(995,), tls=True),
    "imap": Protocol("IMAP", tcp=(143,)),
    "imaps": Protocol("IMAP over TLS", tcp=(993,), tls=True),
    "smb": Protocol("SMB", tcp=(445,)),
    "netbios-ssn": Protocol("NetBIOS session", tcp=(139,)),
    "ldap": Protocol("LDAP", tcp=(389, 3268)),
    "ldaps": Protocol("LDAP over TLS", tcp=(636, 3269), tls=True),
    "msrpc": Protocol("Microsoft RPC", tcp=(135,)),
    "rdp": Protocol("Remote Desktop", tcp=(3389,)),
    "mysql": Protocol("MySQL", tcp=(3306,)),
    "postgresql": Protocol("PostgreSQL", tcp=(5432,)),
    "redis": Protocol("Redis", tcp=(6379,)),
    "vnc": Protocol("VNC (RFB)", tcp=(5900,)),
    "zookeeper": Protocol("ZooKeeper", tcp=(2181,)),
    "winrm": Protocol("WinRM", tcp=(5985,)),
    "winrm-tls": Protocol("WinRM over TLS", tcp=(5986,), tls=True),
    "mssql": Protocol("SQL Server (TDS)", tcp=(1433,)),
    "amqp": Protocol("AMQP", tcp=(5672,)),
    "rsync": Protocol("rsync", tcp=(873,)),
    "epmd": Protocol("Erlang port mapper (EPMD)", tcp=(4369,)),
}
"""By the word that a document writes under `speaks:`."""

_USUAL: Mapping[tuple[Transport, int], str] = {
    **{(Transport.UDP, port): name for name, protocol in PROTOCOLS.items() for port in protocol.udp},
    **{(Transport.TCP, port): name for name, protocol in PROTOCOLS.items() for port in protocol.tcp},
}


def usual(transport: Transport, port: int | None) -> str | None:
    """The protocol that is usually spoken at this port; None when there is none that we know."""
    return None if port is None else _USUAL.get((transport, port))


def asked_in(speaks: tuple[str, ...], transport: Transport, port: int | None) -> tuple[str, ...]:
    """The protocols in which a port is asked without a connection: those that should be spoken there, or the usual one.

    Of a swept port nothing is expected, and the usual one is as good a question as any.
    """
    return speaks or tuple(filter(None, (usual(transport, port),)))


def has_secret(name: str | None, secrets: frozenset[str]) -> bool:
    """Whether the protocol has a secret, and it is among those that were given."""
    return (protocol := PROTOCOLS.get(name or "")) is not None and protocol.secret in secrets


def answers(name: str | None, secrets: frozenset[str]) -> Answers:
    """Whether a healthy server of this protocol answers us over UDP, with the secrets that we were given."""
    protocol = PROTOCOLS.get(name or "")
    return Answers.NORMALLY if protocol is None or has_secret(name, secrets) else protocol.answers


def carries(name: str, transport: Transport) -> bool:
    """Whether the protocol is spoken over this transport; one without a usual port is taken to be, over TCP and UDP."""
    protocol = PROTOCOLS[name]
    over = {Transport.TCP: bool(protocol.tcp or protocol.tls), Transport.UDP: bool(protocol.udp)}
    return over.get(transport, False) if any(over.values()) else transport in over


def titles(names: Iterable[str]) -> str:
    """As a person would say it: `HTTP or HTTPS`."""
    return " or ".join(PROTOCOLS[name].title if name in PROTOCOLS else name for name in names)


def why_silent(names: Iterable[str], secrets: frozenset[str] = frozenset()) -> str:
    """Why servers of these protocols may be silent to us although all is well; empty where nothing special is known.

    Args:
        secrets: those that were given.
    """
    known = (_why_silent(PROTOCOLS[name], secrets) for name in names if name in PROTOCOLS)
    return "; ".join(dict.fromkeys(why for why in known if why))


def _why_silent(protocol: Protocol, secrets: frozenset[str]) -> str | None:
    return protocol.silence_with_secret if protocol.secret in secrets else protocol.silence


_ALSO_FITS: Mapping[str, frozenset[str]] = {
    # Where the product's settings decide whether there is TLS.
    "web": frozenset({"http", "https", "tls"}),
    "winrm": frozenset({"http"}),
    "winrm-tls": frozenset({"https"}),
    "smb": frozenset({"netbios-ssn"}),
    "netbios-ssn": frozenset({"smb"}),
    # These may be wrapped in TLS at the port that they have without it, and a client is told so by its own settings.
    **dict.fromkeys(
        ("amqp", "memcached", "mssql", "postgresql", "redis", "sip", "stun", "zookeeper"), frozenset({"tls"})
    ),
}
"""What is no surprise where another protocol is expected. All that begins with TLS fits where TLS is expected, and TLS
fits where a protocol inside it is expected, because what is inside may be silent to us."""


def contradicts(expected: Collection[str], spoken: str | None) -> bool:
    """Whether somebody else answered than the one who should; not where either is unknown.

    HTTP and HTTPS contradict each other: a client of the one cannot speak to the other.
    """
    known = [name for name in expected if name in PROTOCOLS]
    if spoken is None or spoken not in PROTOCOLS or not known:
        return False
    return not any(_fits(name, spoken) for name in known)


def _fits(expected: str, spoken: str) -> bool:
    if spoken == expected or spoken in _ALSO_FITS.get(expected, ()):
        return True
    wanted, heard = PROTOCOLS[expected], PROTOCOLS[spoken]
    return wanted.tls and heard.tls and "tls" in (expected, spoken)
