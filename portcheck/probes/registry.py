"""Which module asks which protocol: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portcheck.probes import (
    ah,
    cldap,
    dhcp,
    dns,
    dtls,
    esp,
    game_servers,
    gre,
    iax2,
    icmp,
    icp,
    ike,
    ipmi,
    kerberos,
    l2tp,
    madcap,
    mdns,
    memcached,
    msmq_ping,
    nat_pmp,
    netbios_ns,
    ntp,
    quic,
    radius,
    rip,
    rpc,
    sip,
    slp,
    small_services,
    snmp,
    sql_browser,
    ssdp,
    stun,
    tftp,
    ws_discovery,
    xdmcp,
)
from portcheck.probes.target import Target


@dataclass(frozen=True, slots=True)
class Codec:
    """How one protocol is asked, and how its answer is read.

    Attributes:
        payloads: the first request, then those that take its place in repetitions. At least one.
        interpret: what answered, from the requests and the reply; None for bytes that answer none of the requests.
        private, source_port: as in Question.
    """

    payloads: Callable[[Target], tuple[bytes, ...]]
    interpret: Callable[[tuple[bytes, ...], bytes], str | None]
    private: bool = False
    source_port: int | None = None


CODECS: Mapping[str, Codec] = {
    "dns": Codec(dns.payloads, dns.interpret),
    "mdns": Codec(mdns.payloads, mdns.interpret),
    "dhcp": Codec(dhcp.payloads, dhcp.interpret, source_port=dhcp.CLIENT_PORT),
    "pxe": Codec(dhcp.pxe_payloads, dhcp.pxe_interpret),
    "tftp": Codec(tftp.payloads, tftp.interpret, private=True),
    "kerberos": Codec(kerberos.payloads, kerberos.interpret),
    "kpasswd": Codec(kerberos.password_payloads, kerberos.password_interpret),
    "rpcbind": Codec(rpc.RPCBIND.payloads, rpc.RPCBIND.interpret),
    "nfs": Codec(rpc.NFS.payloads, rpc.NFS.interpret),
    "mount": Codec(rpc.MOUNT.payloads, rpc.MOUNT.interpret),
    "ntp": Codec(ntp.payloads, ntp.interpret),
    "netbios-ns": Codec(netbios_ns.payloads, netbios_ns.interpret),
    "snmp": Codec(snmp.payloads, snmp.interpret),
    "snmp-trap": Codec(snmp.discovery, snmp.interpret),
    "cldap": Codec(cldap.payloads, cldap.interpret),
    "sql-browser": Codec(sql_browser.payloads, sql_browser.interpret),
    "radius": Codec(radius.payloads, radius.interpret),
    "radius-accounting": Codec(radius.payloads, radius.accounting_interpret),
    "msmq-ping": Codec(msmq_ping.payloads, msmq_ping.interpret),
    "madcap": Codec(madcap.payloads, madcap.interpret),
    "isakmp": Codec(ike.payloads, ike.interpret),
    "isakmp-nat-t": Codec(ike.nat_t_payloads, ike.nat_t_interpret),
    "l2tp": Codec(l2tp.payloads, l2tp.interpret, private=True),
    "ssdp": Codec(ssdp.payloads, ssdp.interpret),
    "ws-discovery": Codec(ws_discovery.payloads, ws_discovery.interpret),
    "sip": Codec(sip.payloads, sip.interpret),
    "stun": Codec(stun.payloads, stun.interpret),
    "nat-pmp": Codec(nat_pmp.payloads, nat_pmp.interpret),
    "dtls": Codec(dtls.payloads, dtls.interpret),
    "ms-cluster": Codec(dtls.payloads, dtls.interpret),
    "quic": Codec(quic.payloads, quic.interpret),
    "ipmi": Codec(ipmi.payloads, ipmi.interpret),
    "slp": Codec(slp.payloads, slp.interpret),
    "icp": Codec(icp.payloads, icp.interpret),
    "iax2": Codec(iax2.payloads, iax2.interpret),
    "echo": Codec(small_services.nonce, small_services.echo_interpret),
    "systat": Codec(small_services.any_byte, small_services.systat_interpret),
    "daytime": Codec(small_services.any_byte, small_services.daytime_interpret),
    "qotd": Codec(small_services.any_byte, small_services.qotd_interpret),
    "chargen": Codec(small_services.any_byte, small_services.chargen_interpret),
    "time": Codec(small_services.nothing, small_services.time_interpret),
    "memcached": Codec(memcached.payloads, memcached.interpret),
    "rip": Codec(rip.payloads, rip.interpret),
    "ripng": Codec(rip.ripng_payloads, rip.ripng_interpret),
    "xdmcp": Codec(xdmcp.payloads, xdmcp.interpret),
    "quake": Codec(game_servers.quake_payloads, game_servers.quake_interpret),
    "source-query": Codec(game_servers.source_payloads, game_servers.source_interpret),
    "icmp": Codec(icmp.payloads, icmp.interpret),
    "gre": Codec(gre.payloads, gre.interpret),
    "esp": Codec(esp.payloads, esp.interpret),
    "ah": Codec(ah.payloads, ah.interpret),
}
"""By the names of portcheck.protocols; what has no ports is under its Transport's name."""
