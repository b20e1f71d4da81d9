"""Which real servers the lab can start, on which machine each stands, and what portcheck must say of its ports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portcheck.engine.probe import Transport
from portcheck.model import Family
from tests.lab.servers import SILENT, Server
from tests.lab.topology import Link, Net, Node, Topology

IPV4 = Family.IPV4

STUB = ""
"""The package of what Debian does not have."""
KERNEL = "linux"
"""The package of what the kernel does itself."""

CLIENT, DC, BOX, MUTE, OTHER, THIRD = "client", "dc", "box", "mute", "other", "third"

REAL = Topology(
    "real",
    "real servers from Debian's packages",
    nets=(Net("lan", "10.86.1.0/24", "fd86:1::/64"),),
    nodes=(
        Node(CLIENT, (Link("lan", 2),)),
        Node(DC, (Link("lan", 10),)),
        Node(BOX, (Link("lan", 20),)),
        Node(MUTE, (Link("lan", 30),)),
        Node(OTHER, (Link("lan", 40),)),
        Node(THIRD, (Link("lan", 50),)),
    ),
)

# What a server may want to see before it answers.
SECRETS = "secrets"
PORT_68 = "source port 68"

TELNET = 23
"""Where something else listens."""

COMMUNITY = "inner-circle"
RADIUS_SECRET = "between-us"
ENVIRONMENT = {"PORTCHECK_SNMP_COMMUNITY": COMMUNITY, "PORTCHECK_RADIUS_SECRET": RADIUS_SECRET}

_INETD = "exec inetutils-inetd -d --pidfile=/run/inetd.pid {folder}/inetd.conf"
_SNMPD = "export SNMP_PERSISTENT_DIR={folder}\nexec snmpd -f -Lo -C -c snmpd.conf"
_CHRONYD = "exec chronyd -d -x -u root -f chrony.conf"
_DNSMASQ = "exec dnsmasq -k -C dnsmasq.conf"
_FREERADIUS = "exec freeradius -f -l stdout -d {folder}"
_CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} -keyout key -out certificate\n"
_FRR = (
    "mkdir -m 777 /run/frr\n"
    "/usr/lib/frr/zebra -u frr -g frr -f zebra.conf -i /run/frr/zebra.pid -z /run/frr/zserv.api -P 0 &\n"
    # A daemon that does not find zebra asks again after ten seconds.
    "until [ -S /run/frr/zserv.api ]; do sleep 0.05; done\n"
    "exec /usr/lib/frr/{daemon} -u frr -g frr -f {daemon}.conf -i /run/frr/{daemon}.pid -z /run/frr/zserv.api -P 0"
)
_KERBEROS = (
    "export KRB5_CONFIG={folder}/krb5.conf KRB5_KDC_PROFILE={folder}/kdc.conf\n"
    "kdb5_util create -r LAB.EXAMPLE -s -P master\n"
)


def _inetd(*services: str) -> Mapping[str, str]:
    rows = (f"{service} dgram {family} wait root internal\n" for service in services for family in ("udp4", "udp6"))
    return {"inetd.conf": "".join(rows)}


def _snmpd_conf(*more: str) -> Mapping[str, str]:
    lines = ("agentAddress udp:161,udp6:161", f"rocommunity {COMMUNITY}", f"rocommunity6 {COMMUNITY}", *more)
    return {"snmpd.conf": "\n".join((*lines, ""))}


def _chrony_conf(*allowed: str) -> Mapping[str, str]:
    allow = (f"allow {network}" for network in allowed)
    return {"chrony.conf": "\n".join(("local stratum 10", "cmdport 0", "pidfile /run/chronyd.pid", *allow, ""))}


def _dnsmasq_conf(*more: str) -> Mapping[str, str]:
    return {"dnsmasq.conf": "\n".join(("user=root", "pid-file=", "no-resolv", "no-hosts", "log-facility=-", *more, ""))}


def _radiusd_conf(client4: str, client6: str) -> Mapping[str, str]:
    """A server of one client, at these addresses, that knows no users."""
    listen = "\n".join(
        f"  listen {{\n    type = {kind}\n    {address}\n    port = {port}\n  }}"
        for kind, port in (("auth", 1812), ("acct", 1813))
        for address in ("ipaddr = *", "ipv6addr = ::")
    )
    text = f"""\
prefix = /usr
logdir = {{folder}}
raddbdir = {{folder}}
run_dir = /run
libdir = /usr/lib/freeradius
security {{
  status_server = yes
}}
thread pool {{
  start_servers = 1
  max_servers = 1
  min_spare_servers = 1
  max_spare_servers = 1
}}
client asking4 {{
  ipaddr = {client4}
  secret = {RADIUS_SECRET}
}}
client asking6 {{
  ipv6addr = {client6}
  secret = {RADIUS_SECRET}
}}
server lab {{
{listen}
  authorize {{
  }}
  accounting {{
  }}
}}
"""
    return {"radiusd.conf": text}


def _krb5_conf(*realm: str) -> Mapping[str, str]:
    stored = ("database_name = {folder}/principal", "key_stash_file = {folder}/stash", *realm)
    return {
        "krb5.conf": "[libdefaults]\ndefault_realm = LAB.EXAMPLE\n[logging]\nkdc = STDERR\n",
        "kdc.conf": "\n".join(("[realms]", "LAB.EXAMPLE = {", *stored, "}", "")),
        "acl": "",
    }


# ------------------------------------------------------------------------------------------------- on each node

_DC = (
    Server(
        "samba",
        "samba-ad-dc",
        "samba",
        # Its DNS server would ask the machine's own one for names that it does not know.
        """\
samba-tool domain provision --targetdir={folder}/dc --realm=LAB.EXAMPLE --domain=LAB --server-role=dc \\
    --dns-backend=SAMBA_INTERNAL --adminpass=Pass-word-1 --host-name=dc1 --host-ip={ipv4} --host-ip6={ipv6} \\
    --option='interfaces=lo lan' --option='bind interfaces only=yes'
sed -i '/dns forwarder/d' {folder}/dc/etc/smb.conf
exec samba -F --no-process-group -M single -s {folder}/dc/etc/smb.conf --debug-stdout
""",
        udp={
            53: "DNS server",
            88: "Kerberos: principal unknown",
            137: 'NetBIOS machine "DC1" of "LAB"|NetBIOS of "__SAMBA__"',
            138: SILENT,
            389: r"domain controller of LAB\.EXAMPLE",
            464: "Kerberos password change server",
        },
        tcp={
            53: "DNS server",
            88: "Kerberos: principal unknown",
            135: "Microsoft RPC endpoint mapper",
            139: "NetBIOS session service",
            389: r"LDAP, dc1\.lab\.example, Samba .*",
            445: r"SMB 3\.1\.1, signing required",
            464: "Kerberos password change server",
            636: r"TLS 1\.3, certificate for DC1\.lab\.example, expires 20[0-9-]+, LDAP, dc1\.lab\.example.*",
            3268: r"LDAP, dc1\.lab\.example, Samba .*",
        },
        needs=("samba", "samba-ad-provision", "samba-dsdb-modules"),
        only={137: IPV4, 138: IPV4},
        why="NetBIOS datagrams have no answer",
    ),
    Server(
        "pxe",
        "dnsmasq-base",
        "dnsmasq",
        _DNSMASQ,
        udp={4011: "PXE boot server"},
        files=_dnsmasq_conf(
            "port=0", "dhcp-range={ipv4},proxy", "pxe-service=x86PC,lab,lab", "dhcp-leasefile={folder}/leases"
        ),
        only={4011: IPV4},
    ),
)

_BOX = (
    Server(
        "dnsmasq",
        "dnsmasq-base",
        "dnsmasq",
        _DNSMASQ,
        udp={53: "DNS: refused"},
        tcp={53: "DNS: refused"},
        files=_dnsmasq_conf(),
    ),
    Server(
        "chrony",
        "chrony",
        "chronyd",
        _CHRONYD,
        udp={123: "NTP server, stratum 10"},
        files=_chrony_conf("all"),
    ),
    # Of a community that we do not know: version 3 answers all the same.
    Server("snmpd", "snmpd", "snmpd", _SNMPD, udp={161: "SNMP engine of Net-SNMP"}, files=_snmpd_conf()),
    Server(
        "snmptrapd",
        "snmptrapd",
        "snmptrapd",
        "export SNMP_PERSISTENT_DIR={folder}\nexec snmptrapd -f -Lo -C -c snmptrapd.conf",
        udp={162: "SNMP engine of Net-SNMP"},
        files={"snmptrapd.conf": "snmpTrapdAddr udp:162,udp6:162\n"},
    ),
    Server("tftpd", "tftpd-hpa", "in.tftpd", "exec in.tftpd -L -a :69 -u root -s {folder}", udp={69: "TFTP server"}),
    Server(
        "rpcbind",
        "rpcbind",
        "rpcbind",
        "mkdir -m 777 /run/rpcbind\nexec rpcbind -f",
        udp={111: "rpcbind version 2"},
        tcp={111: "rpcbind version 2"},
    ),
    Server(
        "charon",
        "strongswan-charon",
        "/usr/lib/ipsec/charon",
        "export STRONGSWAN_CONF={folder}/strongswan.conf\nexec /usr/lib/ipsec/charon --use-syslog no",
        udp={500: "IKEv2: invalid major version", 4500: "IKEv2: invalid major version"},
        files={"strongswan.conf": "charon {\n  filelog {\n    stderr {\n      default = 1\n    }\n  }\n}\n"},
    ),
    Server(
        "xl2tpd",
        "xl2tpd",
        "xl2tpd",
        "mkdir /run/xl2tpd\nexec xl2tpd -D -c xl2tpd.conf -s secrets -p /run/xl2tpd.pid -C /run/xl2tpd/control",
        udp={1701: "L2TP server"},
        files={
            "xl2tpd.conf": "[global]\n[lns default]\nip range = 10.86.9.2-10.86.9.9\nlocal ip = 10.86.9.1\n",
            "secrets": "",
        },
        only={1701: IPV4},
    ),
    Server(
        "inetd",
        "inetutils-inetd",
        "inetutils-inetd",
        _INETD,
        udp={
            7: "echo server",
            13: r"daytime server, \w{3} \w{3} [ 0-9]+ [0-9:]+ 20[0-9]+",
            19: "character generator, 74 bytes",
            37: r"time server, 20[0-9-]+ [0-9:]+ UTC",
        },
        files=_inetd("echo", "daytime", "chargen", "time"),
    ),
    Server(
        "stund",
        "stun-server",
        "stund",
        "exec stund -h {ipv4} -p 3478",
        udp={3478: r"STUN server, Vovida\.org 0\.[0-9]+"},
        only={3478: IPV4},
    ),
    Server(
        "memcached",
        "memcached",
        "memcached",
        "exec memcached -u root -U 11211",
        udp={11211: r"memcached 1\.[0-9.]+"},
        tcp={11211: r"memcached 1\.[0-9.]+"},
    ),
    Server(
        "avahi",
        "avahi-daemon",
        "avahi-daemon",
        "exec avahi-daemon -f avahi.conf --no-drop-root --no-chroot --no-rlimits",
        udp={5353: r"multicast DNS responder box\.local"},
        files={"avahi.conf": "[server]\nenable-dbus=no\nhost-name=box\nuse-ipv6=yes\n"},
    ),
    Server(
        "miniupnpd",
        "miniupnpd",
        "miniupnpd",
        "exec miniupnpd -d -f miniupnpd.conf",
        udp={1900: r"UPnP device, Debian/.* MiniUPnPd/2\.[0-9.]+", 5351: r"NAT-PMP gateway.*|PCP server"},
        files={
            # It starts with a public outer address only; this one is told to whoever asks, and never used.
            "miniupnpd.conf": "ext_ifname=lo\next_ip=1.2.3.4\nlistening_ip=lan\nport=0\nsecure_mode=yes\n"
            "enable_natpmp=yes\nenable_upnp=yes\nuuid=00000000-0000-0000-0000-000000000001\n"
        },
    ),
    Server(
        "kamailio",
        "kamailio",
        "kamailio",
        "exec kamailio -DD -E -Y /run -f kamailio.cfg",
        udp={5060: r"SIP: 200 OK, kamailio \(5\..*\)"},
        files={
            "kamailio.cfg": 'mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"\nchildren=1\ndisable_tcp=yes\n'
            'listen=udp:{ipv4}:5060\nlisten=udp:[{ipv6}]:5060\nloadmodule "sl.so"\n'
            'request_route {\n  sl_send_reply("200", "OK");\n}\n'
        },
    ),
    Server(
        "ganesha",
        "nfs-ganesha",
        "ganesha.nfsd",
        # It ends at once where it cannot register itself with rpcbind.
        """\
mkdir /run/ganesha
until rpcinfo -T udp 127.0.0.1 portmapper; do sleep 0.1; done
exec ganesha.nfsd -F -L /dev/stdout -p /run/ganesha.pid -f ganesha.conf
""",
        udp={2049: "NFS version 3", 20048: "MOUNT version 3"},
        files={
            "ganesha.conf": "NFS_CORE_PARAM {\n  Protocols = 3, 4;\n  Enable_UDP = true;\n  MNT_Port = 20048;\n"
            "  Enable_NLM = false;\n  Enable_RQUOTA = false;\n}\nNFSv4 {\n  RecoveryRoot = {folder};\n}\n"
        },
        needs=("nfs-ganesha-vfs",),
    ),
    Server(
        "dhcpd",
        "isc-dhcp-server",
        "dhcpd",
        "touch leases\nexec dhcpd -4 -f -d -cf dhcpd.conf -lf leases --no-pid lan",
        udp={67: r"DHCP server 10\.86\.1\.20"},
        files={
            "dhcpd.conf": "authoritative;\nsubnet 10.86.1.0 netmask 255.255.255.0 {\n"
            "  range 10.86.1.100 10.86.1.199;\n}\n"
        },
        only={67: IPV4},
        only_with=PORT_68,
    ),
    Server(
        "freeradius",
        "freeradius",
        "freeradius",
        _FREERADIUS,
        udp={1812: "RADIUS server", 1813: "RADIUS accounting server"},
        files=_radiusd_conf("{client4}", "{client6}"),
        only_with=SECRETS,
    ),
    Server(
        "openssl",
        "openssl",
        "openssl",
        _CERTIFICATE.replace("{name}", "box")
        + "exec openssl s_server -dtls -listen -accept 5684 -cert certificate -key key",
        udp={5684: "DTLS: asks for a cookie"},
    ),
    Server(
        "ipmi_sim",
        "openipmi",
        "ipmi_sim",
        "exec ipmi_sim -n -p -s {folder} -c lan.conf -f commands",
        udp={623: "RMCP, with IPMI"},
        files={
            "lan.conf": 'name "box"\nset_working_mc 0x20\nstartlan 1\n  addr :: 623\n  priv_limit admin\n'
            "  allowed_auths_callback md5\n  allowed_auths_user md5\n  allowed_auths_operator md5\n"
            "  allowed_auths_admin md5\n  guid a123456789abcdefa123456789abcdef\nendlan\n",
            "commands": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n",
        },
    ),
    Server(
        "wsdd2",
        "wsdd2",
        "wsdd2",
        "exec wsdd2 -w -i lan -H box -N box -G LAB",
        udp={3702: "WS-Discovery: wsdp:Device pub:Computer"},
    ),
    Server(
        "stub",
        STUB,
        sys.executable,
        f"exec {sys.executable} -I -S {Path(__file__).with_name('stubs.py')}",
        udp={
            11: "active users, 1 line.*",
            17: r"quote of the day.*Silence is not an answer\.",
            427: "SLP agent",
            1434: 'SQL Server Browser, instance "MSSQLSERVER"',
            1801: "MSMQ ping service",
            2535: "MADCAP server",
            26000: "Quake server a stub",
            27015: "Source game server",
        },
    ),
    Server(
        "sshd",
        "openssh-server",
        "/usr/sbin/sshd",
        """\
mkdir /run/sshd
ssh-keygen -q -t ed25519 -N '' -f key
exec /usr/sbin/sshd -D -e -f /dev/null -h {folder}/key -p 22 -p 23 -o PidFile=none
""",
        tcp={22: "SSH, OpenSSH_.*", TELNET: "SSH, OpenSSH_.*"},
    ),
    Server(
        "nginx",
        "nginx-light",
        "nginx",
        _CERTIFICATE.replace("{name}", "box.lab.example") + "exec nginx -p {folder} -c {folder}/nginx.conf -e stderr",
        tcp={
            80: r"HTTP 401, Server: nginx/1\.[0-9.]+",
            443: r"TLS 1\.[23], certificate for box\.lab\.example, expires 20[0-9-]+, HTTP 401, Server: nginx/.*",
        },
        files={
            "nginx.conf": "daemon off;\nuser root;\npid /run/nginx.pid;\nevents {}\nhttp {\n  access_log off;\n"
            "  server {\n    listen 80;\n    listen [::]:80;\n    listen 443 ssl;\n    listen [::]:443 ssl;\n"
            "    ssl_certificate {folder}/certificate;\n    ssl_certificate_key {folder}/key;\n"
            "    return 401;\n  }\n}\n"
        },
    ),
    Server(
        "redis",
        "redis-server",
        "redis-server",
        "exec redis-server --port 6379 --bind {ipv4} {ipv6} --protected-mode no --save '' --dir {folder}",
        tcp={6379: "Redis"},
    ),
)

_MUTE = (
    Server(
        "dnsmasq",
        "dnsmasq-base",
        "dnsmasq",
        _DNSMASQ,
        udp={53: SILENT},
        # Without bind-interfaces it hears everybody.
        files=_dnsmasq_conf("interface=lo"),
        why="set up to answer its own machine only",
    ),
    Server(
        "chrony",
        "chrony",
        "chronyd",
        _CHRONYD,
        udp={123: SILENT},
        files=_chrony_conf("192.0.2.0/24", "2001:db8::/32"),
        why="another network is allowed, ours is not",
    ),
    Server(
        "snmpd",
        "snmpd",
        "snmpd",
        _SNMPD,
        udp={161: "SNMP agent of Net-SNMP"},
        files=_snmpd_conf("[snmp] disableSNMPv3 yes"),
        only_with=SECRETS,
        why="without version 3, and of a community that we were not told",
    ),
    Server(
        "freeradius",
        "freeradius",
        "freeradius",
        _FREERADIUS,
        udp={1812: SILENT, 1813: SILENT},
        files=_radiusd_conf("192.0.2.1", "::1"),
        why="we are none of its clients",
    ),
    Server(
        "inetd",
        "inetutils-inetd",
        "inetutils-inetd",
        _INETD,
        udp={9: SILENT},
        files=_inetd("discard"),
        why="discard has no answer",
    ),
    Server(
        "syslogd",
        "inetutils-syslogd",
        "/usr/sbin/syslogd",
        "exec /usr/sbin/syslogd --no-detach --inet --ipany --no-klog --no-unixaf -f syslog.conf -P /run/syslogd.pid",
        udp={514: SILENT},
        files={"syslog.conf": "*.*\t{folder}/messages\n"},
        why="syslog has no answer",
    ),
    Server(
        "vxlan",
        KERNEL,
        "ip",
        "ip link add tunnel type vxlan id 1 dev lan dstport 4789\nip link set tunnel up\nexec sleep infinity",
        udp={4789: SILENT},
        only={4789: IPV4},
        why="a tunnel has no answer",
    ),
    Server(
        "minissdpd",
        "minissdpd",
        "minissdpd",
        "exec minissdpd -d -6 -i lan -s /run/minissdpd.sock",
        udp={1900: SILENT},
        why="no device has told it of itself",
    ),
)

MESOS_DNS = Server(
    "mesos-dns",
    "dnsmasq-base",
    "dnsmasq",
    _DNSMASQ,
    udp={61053: "DNS: refused"},
    files=_dnsmasq_conf("port=61053"),
)
"""DNS at a port that nobody else has: it takes a document to know what is spoken there."""

IN_CI: Mapping[str, Sequence[Server]] = {DC: _DC, BOX: _BOX, MUTE: _MUTE}
"""What CI installs and asks, by node: installed in half a minute, ready in ten seconds."""

BY_HAND: Mapping[str, Sequence[Server]] = {
    OTHER: (
        Server(
            "named",
            "bind9",
            "named",
            "exec named -g -u root -c named.conf",
            udp={53: "DNS server"},
            files={
                "named.conf": 'options {\n  directory "{folder}";\n  pid-file none;\n  session-keyfile none;\n'
                "  recursion no;\n  listen-on { any; };\n  listen-on-v6 { any; };\n};\ncontrols { };\n"
            },
        ),
        Server(
            "krb5kdc",
            "krb5-kdc",
            "krb5kdc",
            _KERBEROS + "exec krb5kdc -n -r LAB.EXAMPLE",
            udp={88: "Kerberos: principal unknown"},
            files=_krb5_conf(),
        ),
        Server(
            "kadmind",
            "krb5-admin-server",
            "kadmind",
            _KERBEROS + "exec kadmind -nofork -r LAB.EXAMPLE",
            udp={464: "Kerberos password change server"},
            files=_krb5_conf("acl_file = {folder}/acl"),
        ),
        Server(
            "kea",
            "kea-dhcp4-server",
            "kea-dhcp4",
            "mkdir /run/kea\nexport KEA_LOCKFILE_DIR=none\nexec kea-dhcp4 -c kea.conf",
            udp={67: r"DHCP server 10\.86\.1\.40"},
            files={
                "kea.conf": '{"Dhcp4": {"interfaces-config": {"interfaces": ["lan"], "dhcp-socket-type": "udp"},'
                ' "lease-database": {"type": "memfile", "persist": false},'
                ' "subnet4": [{"subnet": "10.86.1.0/24"}]}}\n'
            },
            only={67: IPV4},
            only_with=PORT_68,
        ),
        Server(
            "coturn",
            "coturn",
            "turnserver",
            "exec turnserver -n --no-tls --no-dtls --no-cli -L {ipv4} -L {ipv6} -l stdout --pidfile /run/turn.pid",
            udp={3478: r"STUN server, Coturn-4\.[0-9.]+ .*"},
        ),
        Server(
            "caddy",
            "caddy",
            "caddy",
            "exec caddy run --config Caddyfile --adapter caddyfile",
            udp={443: "QUIC server, versions .*"},
            files={
                "Caddyfile": "{\n  admin off\n  skip_install_trust\n  auto_https disable_redirects\n"
                "  storage file_system {folder}/store\n}\nhttps://box {\n  tls internal\n  respond lab\n}\n"
            },
        ),
        Server(
            "xdm",
            "xdm",
            "xdm",
            "exec xdm -nodaemon -config xdm-config -udpPort 177",
            udp={177: "XDMCP: .* is willing"},
            files={
                "xdm-config": "DisplayManager.servers: {folder}/Xservers\nDisplayManager.accessFile: {folder}/Xaccess\n"
                "DisplayManager.errorLogFile: /dev/stderr\nDisplayManager.pidFile: /run/xdm.pid\n"
                "DisplayManager.authDir: {folder}\nDisplayManager.keyFile: {folder}/keys\n",
                "Xservers": "",
                "Xaccess": "*\n",
                "keys": "",
            },
        ),
        Server(
            "ripd",
            "frr",
            "/usr/lib/frr/ripd",
            _FRR.replace("{daemon}", "ripd"),
            udp={520: "RIP version [12], no such route"},
            files={"zebra.conf": "", "ripd.conf": "router rip\n network 10.86.1.0/24\n redistribute connected\n"},
            only={520: IPV4},
        ),
        Server(
            "squid",
            "squid",
            "squid",
            "mount -t tmpfs shm /dev/shm\nexec squid -N -d 1 -f squid.conf",
            udp={3130: "ICP web cache: does not have it"},
            files={
                "squid.conf": "http_port 3128\nicp_port 3130\nicp_access allow all\ncache_effective_user proxy\n"
                "pid_filename none\naccess_log none\ncache_log /dev/null\npinger_enable off\n"
                "coredump_dir {folder}\nnetdb_filename none\nvisible_hostname other\n"
            },
        ),
    ),
    THIRD: (
        Server(
            "unbound",
            "unbound",
            "unbound",
            "exec unbound -d -c unbound.conf",
            udp={53: "DNS server"},
            files={
                "unbound.conf": 'server:\n  interface: {ipv4}\n  interface: {ipv6}\n  username: ""\n  chroot: ""\n'
                '  pidfile: ""\n  directory: "{folder}"\n  module-config: "iterator"\n  use-syslog: no\n'
                "  access-control: 0.0.0.0/0 allow\n  access-control: ::/0 allow\n"
            },
        ),
        Server(
            "ripngd",
            "frr",
            "/usr/lib/frr/ripngd",
            _FRR.replace("{daemon}", "ripngd"),
            udp={521: "RIPng version 1, no such route"},
            only={521: Family.IPV6},
            files={"zebra.conf": "", "ripngd.conf": "router ripng\n network lan\n redistribute connected\n"},
        ),
        Server(
            "wsdd",
            "wsdd",
            "wsdd",
            "exec wsdd -4 -i lan -n THIRD -w LAB",
            udp={3702: SILENT},
            only={3702: IPV4},
            why="it hears multicast only",
        ),
        Server(
            "iaxmodem",
            "iaxmodem",
            "iaxmodem",
            "mount --bind {folder} /etc/iaxmodem\nexec iaxmodem iax.conf",
            udp={4569: "IAX2 server.*"},
            files={
                "iax.conf": "device {folder}/tty\nowner root:root\nmode 660\nport 4569\nrefresh 0\nserver 127.0.0.1\n"
            },
            only={4569: IPV4},
        ),
    ),
}
"""Second opinions, and what CI would take too long to install. Asked by `python -m tests.lab.real_servers`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One port of one server, in one family; `said` as in Server.udp and Server.tcp."""

    node: str
    server: Server
    transport: Transport
    port: int
    family: Family
    said: str | None

    @property
    def address(self) -> str:
        return REAL.address(self.node, self.family)

    def agrees(self, answer: str | None) -> bool:
        """Whether this is what must be said of it."""
        if self.said is None or answer is None:
            return self.said is answer
        return re.fullmatch(self.said, answer) is not None

    def __str__(self) -> str:
        return f"{self.node}-{self.server.name}-{self.port}-{self.transport}-{self.family}"


def rows(servers: Mapping[str, Sequence[Server]], transport: Transport = Transport.UDP) -> Iterator[Row]:
    """Every port of these servers, in every family that it is bound in."""
    for node, several in servers.items():
        for server in several:
            for port, said in (server.udp if transport is Transport.UDP else server.tcp).items():
                for family in Family:
                    if server.only.get(port, family) is family:
                        yield Row(node, server, transport, port, family, said)
