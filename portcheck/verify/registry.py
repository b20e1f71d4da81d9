"""Which protocols can be asked over TCP: two tables."""

from __future__ import annotations

from collections.abc import Mapping

from portcheck.protocols import PROTOCOLS
from portcheck.verify import (
    amqp,
    epmd,
    http,
    ldap,
    memcached,
    msrpc,
    mssql,
    postgresql,
    rdp,
    redis,
    smb,
    zookeeper,
)
from portcheck.verify.as_over_udp import (
    FOUR_BYTES,
    RECORD,
    TWO_BYTES,
    framed,
    never_whole,
    unasked,
    unframed,
    whole_echo,
    whole_sip,
    whole_stun,
)
from portcheck.verify.greetings import greeter
from portcheck.verify.language import Language, has_a_line

LANGUAGES: Mapping[str, Language] = {
    "http": Language(http.request, http.interpret, http.whole),
    "ldap": Language(ldap.request, ldap.interpret, ldap.whole),
    "smb": Language(smb.request, smb.interpret, smb.whole),
    "netbios-ssn": Language(smb.session_request, smb.interpret_session, smb.whole),
    "msrpc": Language(msrpc.request, msrpc.interpret, msrpc.whole),
    "rdp": Language(rdp.request, rdp.interpret, rdp.whole),
    "mssql": Language(mssql.request, mssql.interpret, mssql.whole),
    "postgresql": Language(postgresql.request, postgresql.interpret, postgresql.whole),
    "redis": Language(redis.request, redis.interpret, has_a_line),
    "memcached": Language(memcached.request, memcached.interpret, has_a_line),
    "zookeeper": Language(zookeeper.request, zookeeper.interpret, zookeeper.whole),
    "amqp": Language(amqp.request, amqp.interpret, amqp.whole),
    "epmd": Language(epmd.request, epmd.interpret, epmd.whole),
    "dns": framed("dns", TWO_BYTES),
    "kerberos": framed("kerberos", FOUR_BYTES),
    "kpasswd": framed("kpasswd", FOUR_BYTES),
    "rpcbind": framed("rpcbind", RECORD),
    "nfs": framed("nfs", RECORD),
    "mount": framed("mount", RECORD),
    "stun": unframed("stun", whole_stun),
    "sip": unframed("sip", whole_sip, b"SIP/2.0/UDP", b"SIP/2.0/TCP"),
    "echo": unframed("echo", whole_echo),
    # The server speaks first.
    "ssh": greeter("ssh"),
    "ftp": greeter("ftp"),
    "telnet": greeter("telnet"),
    "smtp": greeter("smtp"),
    "pop3": greeter("pop3"),
    "imap": greeter("imap"),
    "mysql": greeter("mysql"),
    "vnc": greeter("vnc"),
    "rsync": greeter("rsync"),
    "systat": unasked("systat"),
    "daytime": unasked("daytime"),
    "qotd": unasked("qotd"),
    "chargen": unasked("chargen"),
    "time": unasked("time", never_whole),
}
"""By the names of portcheck.protocols, without those that begin with TLS."""

INSIDE_TLS: Mapping[str, str | None] = {
    "https": "http",
    "winrm-tls": "http",
    "ldaps": "ldap",
    "smtps": "smtp",
    "pop3s": "pop3",
    "imaps": "imap",
    "tls": None,
}
"""What is spoken after the handshake; None: it is not asked."""

OVER_TLS: Mapping[str, str] = {
    "http": "https",
    "ldap": "ldaps",
    "smtp": "smtps",
    "pop3": "pop3s",
    "imap": "imaps",
}
"""What an answer inside TLS makes of it; whatever is missing here is only TLS."""

OTHER_NAMES: Mapping[str, str] = {"winrm": "http"}
"""Names of what another name already asks for."""


def can_be_asked(name: str) -> bool:
    return name in LANGUAGES or name in INSIDE_TLS


def title(name: str) -> str:
    return PROTOCOLS[name].title
