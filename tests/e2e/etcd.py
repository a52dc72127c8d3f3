"""A real etcd: one member on loopback, or several, each in a network namespace of its own, with TLS."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

from conftest import Cluster, Holder, Sandbox, bound, eventually, free_port


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Authority:
    """Makes certificates, by openssl."""

    def __init__(self, directory, name="etcd-ca"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, addresses=()):
        """(certificate, key) for servers at the addresses and for clients."""
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "crt"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
        more = self.directory / f"{name}.ext"
        names = ",".join([f"IP:{a}" for a in addresses] or [f"DNS:{name}"])
        more.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-days", "2", "-extfile", more, "-out", certificate)
        return certificate, key


class Member:
    """One etcd process, in a network of its own (see Network) where one is given."""

    def __init__(self, directory, name, client, peer, network=None, tls=None):
        self.directory, self.name, self.client, self.peer, self.network = pathlib.Path(directory), name, client, peer, network
        self.tls = tls  # (authority, certificate, key)
        self.process = None
        self.log = self.directory / f"{name}.log"

    def start(self, cluster):
        self.directory.mkdir(parents=True, exist_ok=True)
        # A machine's own /run is in memory: kill -9 spares it, and nobody waits for a disk.
        data = pathlib.Path("/run/etcd") if self.network else self.directory / self.name
        command = ["etcd", "--name", self.name, "--data-dir", str(data),
                   "--listen-client-urls", self.client, "--advertise-client-urls", self.client,
                   "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                   "--initial-cluster", cluster, "--initial-cluster-state", "new"]
        if self.tls:
            authority, certificate, key = self.tls
            for kind in ("", "peer-"):
                command += [f"--{kind}cert-file", str(certificate), f"--{kind}key-file", str(key),
                            f"--{kind}trusted-ca-file", str(authority.certificate), f"--{kind}client-cert-auth"]
        if self.network:
            command = self.network.wrap(command)
        environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine}
        with open(self.log, "ab") as log:
            # A member that is told to end waits for others that have ended.
            self.process = subprocess.Popen(bound(command, "KILL"), stdout=log, stderr=log, env=environment)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        if self.alive():
            self.process.send_signal(how)
            self.process.wait(30)


class Network:
    """The network of one machine, by a cable to the bridge of a hub (a Sandbox); what is in its /run goes with it."""

    def __init__(self, hub, number):
        self.hub, self.cable, self.address = hub, f"cable{number}", f"10.77.0.{number + 11}"
        self.holder = Holder("--net", "--mount", "--propagation", "private", prepare="mount -t tmpfs tmpfs /run")
        hub.run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        hub.run("ip", "link", "set", self.cable, "master", "bridge", "up")
        for command in (("ip", "address", "add", f"{self.address}/24", "dev", "eth0"), ("ip", "link", "set", "eth0", "up")):
            run(*self.wrap(command))

    def wrap(self, command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", *map(str, command)]

    def cut(self):
        self.hub.run("ip", "link", "set", self.cable, "down")

    def heal(self):
        self.hub.run("ip", "link", "set", self.cable, "up")

    def isolate(self, port):
        """Nothing passes to and from the port of any machine; other ports go on."""
        run(*self.wrap(["nft", f"""table inet isolation {{
            chain in {{ type filter hook input priority 0; tcp dport {port} drop; tcp sport {port} drop; }}
            chain out {{ type filter hook output priority 0; tcp dport {port} drop; tcp sport {port} drop; }}
        }}"""]))

    def rejoin(self):
        run(*self.wrap(["nft", "delete table inet isolation"]))

    def close(self):
        self.holder.close()


class Etcd:
    """A cluster of members."""

    def __init__(self, members, credentials=None, hub=None):
        self.members = members
        self.credentials = credentials  # (authority's certificate, certificate, key) of a client
        self.hub = hub  # where clients run
        self.initial = ",".join(f"{m.name}={m.peer}" for m in members)

    def start(self):
        for member in self.members:
            self.start_member(member)
        self.wait_until_healthy()

    def start_member(self, member):
        member.start(self.initial)

    def wait_until_healthy(self):
        """Every member has taken a write."""
        eventually(self.healthy, 30)

    def healthy(self):
        """etcdctl 3.4 says it on standard error; its exit code is the same in all versions."""
        for member in self.members:
            assert member.alive(), f"{member.name} has ended:\n{member.log.read_text()[-2000:]}"
        self.ctl("endpoint", "health")
        return True

    def stop(self):
        for member in self.members:
            member.stop(signal.SIGKILL)

    def settings(self):
        """Flags of `troupe up`."""
        out = ["--set", "store.backend=etcd"]
        for member in self.members:
            out += ["--set", f"store.endpoints={member.client}"]
        for key, path in zip(("ca", "cert", "key"), self.credentials or ()):
            out += ["--set", f"store.{key}={path}"]
        return out

    def ctl(self, *arguments, endpoints=None):
        command = ["etcdctl", "--endpoints", ",".join(endpoints or [m.client for m in self.members]), *arguments]
        for key, path in zip(("cacert", "cert", "key"), self.credentials or ()):
            command += [f"--{key}", str(path)]
        if self.hub:
            command = self.hub.wrap(command)
        return run(*command, env={**os.environ, "ETCDCTL_API": "3"})

    def keys(self, prefix="/registry/"):
        return self.ctl("get", prefix, "--prefix", "--keys-only").split()

    def value(self, key):
        return json.loads(self.ctl("get", key, "--print-value-only"))

    def revision(self):
        return json.loads(self.ctl("get", "x", "-w", "json"))["header"]["revision"]

    def lead(self, member):
        """Makes the member the leader."""
        leader = self.leader()
        if leader is not member:
            own = json.loads(self.ctl("endpoint", "status", "-w", "json", endpoints=[member.client]))[0]["Status"]["header"]
            self.ctl("move-leader", f"{own['member_id']:x}", endpoints=[leader.client])

    def leader(self):
        """The member that leads."""
        for status in json.loads(self.ctl("endpoint", "status", "-w", "json",
                                          endpoints=[m.client for m in self.members if m.alive()])):
            if status["Status"]["leader"] == status["Status"]["header"]["member_id"]:
                return next(m for m in self.members if m.client == status["Endpoint"])
        return None


@contextlib.contextmanager
def three_machines(directory):
    """Three members that run on machines of their own, with TLS for clients and among themselves; clients are in its hub."""
    with contextlib.ExitStack() as at_the_end:
        hub = Sandbox()
        at_the_end.callback(hub.close)
        for command in (("ip", "link", "add", "bridge", "type", "bridge"), ("ip", "address", "add", "10.77.0.1/24", "dev", "bridge"),
                        ("ip", "link", "set", "bridge", "up")):
            hub.run(*command)
        authority = Authority(directory)
        members = []
        for number in range(3):
            network = Network(hub, number)
            at_the_end.callback(network.close)
            tls = (authority, *authority.issue(f"m{number}", [network.address]))
            members.append(Member(directory, f"m{number}", f"https://{network.address}:2379", f"https://{network.address}:2380", network, tls))
        etcd = Etcd(members, (authority.certificate, *authority.issue("troupe")), hub)
        at_the_end.callback(etcd.stop)
        etcd.start()
        yield etcd


@contextlib.contextmanager
def single(directory):
    """One member that runs on loopback, without TLS."""
    etcd = Etcd([Member(directory, "m0", f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")])
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.stop()


@contextlib.contextmanager
def processes(etcd, directory):
    """Makes Troupe processes, where the clients of an etcd are: they share it, and the certificates of the first one."""
    made = []

    def make(*extra, nodes=0, settings=None):
        cluster = Cluster(directory / f"troupe{len(made)}", nodes=nodes, extra=[*(settings or etcd.settings()), *extra])
        cluster.sandbox, cluster.address = etcd.hub, "127.0.0.1"
        cluster.data.mkdir(parents=True)
        if made:
            shutil.copytree(made[0].data / "pki", cluster.data / "pki")
        made.append(cluster)
        return cluster
    try:
        yield make
    finally:
        for cluster in made:
            cluster.stop(signal.SIGKILL)
