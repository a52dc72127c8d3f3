"""A real etcd: one member on loopback, or several, each in a network namespace of its own, with TLS."""
import json
import os
import pathlib
import signal
import subprocess

from conftest import eventually, free_port


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

    def start(self, cluster, more=()):
        self.directory.mkdir(parents=True, exist_ok=True)
        command = ["etcd", "--name", self.name, "--data-dir", str(self.directory / self.name),
                   "--listen-client-urls", self.client, "--advertise-client-urls", self.client,
                   "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                   "--initial-cluster", cluster, "--initial-cluster-state", "new", *more]
        if self.tls:
            authority, certificate, key = self.tls
            for kind in ("", "peer-"):
                command += [f"--{kind}cert-file", str(certificate), f"--{kind}key-file", str(key),
                            f"--{kind}trusted-ca-file", str(authority.certificate), f"--{kind}client-cert-auth"]
        if self.network:
            command = self.network.wrap(command)
        environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)


class Network:
    """The network of one machine, by a cable to the bridge of a hub (a Sandbox)."""

    def __init__(self, hub, number):
        self.hub, self.cable, self.address = hub, f"cable{number}", f"10.77.0.{number + 11}"
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep 3600"],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        hub.run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        hub.run("ip", "link", "set", self.cable, "master", "bridge", "up")
        for command in (("ip", "address", "add", f"{self.address}/24", "dev", "eth0"), ("ip", "link", "set", "eth0", "up")):
            run(*self.wrap(command))

    def wrap(self, command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *map(str, command)]

    def cut(self):
        self.hub.run("ip", "link", "set", self.cable, "down")

    def heal(self):
        self.hub.run("ip", "link", "set", self.cable, "up")

    def close(self):
        self.holder.kill()
        self.holder.wait()


class Etcd:
    """A cluster of members."""

    def __init__(self, members, credentials=None, hub=None):
        self.members = members
        self.credentials = credentials  # (authority's certificate, certificate, key) of a client
        self.hub = hub  # where clients run
        self.initial = ",".join(f"{m.name}={m.peer}" for m in members)

    def start(self, more=()):
        for member in self.members:
            member.start(self.initial, more)
        eventually(lambda: self.ctl("endpoint", "health"), 30)
        return self

    def stop(self):
        for member in self.members:
            member.stop(signal.SIGKILL)
            if member.network:
                member.network.close()

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

    def leader(self):
        """The member that leads."""
        for status in json.loads(self.ctl("endpoint", "status", "-w", "json",
                                          endpoints=[m.client for m in self.members if m.process.poll() is None])):
            if status["Status"]["leader"] == status["Status"]["header"]["member_id"]:
                return next(m for m in self.members if m.client == status["Endpoint"])
        return None


def three_machines(hub, directory):
    """Three members on machines of their own, with TLS for clients and among themselves."""
    for command in (("ip", "link", "add", "bridge", "type", "bridge"), ("ip", "address", "add", "10.77.0.1/24", "dev", "bridge"),
                    ("ip", "link", "set", "bridge", "up")):
        hub.run(*command)
    authority = Authority(directory)
    members = []
    for number in range(3):
        network = Network(hub, number)
        tls = (authority, *authority.issue(f"m{number}", [network.address]))
        members.append(Member(directory, f"m{number}", f"https://{network.address}:2379", f"https://{network.address}:2380", network, tls))
    return Etcd(members, (authority.certificate, *authority.issue("troupe")), hub)


def single(directory):
    """One member on loopback, without TLS."""
    return Etcd([Member(directory, "m0", f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")])
