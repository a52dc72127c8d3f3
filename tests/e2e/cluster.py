"""A control plane and nodes in processes of their own, joined by the cluster link; machines made of network namespaces."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

from conftest import TROUPE, Cluster, Sandbox, free_port


class ControlPlane(Cluster):
    """A `troupe control-plane` process."""

    def __init__(self, directory, address="127.0.0.1", extra=(), sandbox=None):
        super().__init__(directory, sandbox=sandbox)
        self.address = address
        self.link_port = 6444 if sandbox else free_port()
        listen = "0.0.0.0" if sandbox else "127.0.0.1"
        self.arguments = [
            str(TROUPE), "control-plane", "--data-dir", str(self.data), "--listen", f"{listen}:{self.port}",
            "--link", f"{listen}:{self.link_port}", "--kubeconfig", str(self.kubeconfig),
            "--set", "debug.allow_crash=true", "--set", "controllers.node_grace_seconds=6",
            "--set", f"api_server.extra_names={address}", *extra]


class Process:
    """A process that has links to a control plane."""

    def __init__(self, directory, sandbox, log):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.sandbox, self.process, self.arguments = sandbox, None, []
        self.data, self.log = self.directory / "data", self.directory / log

    def wrap(self, command):
        return self.sandbox.wrap(command) if self.sandbox else [str(word) for word in command]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.wrap(self.arguments), stdout=log, stderr=log, cwd=self.directory)
        return self

    def stop(self, how=signal.SIGTERM, seconds=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(seconds)
        return self.process.returncode if self.process else None

    def logged(self, text):
        return text in self.log.read_text()


class Component(Process):
    """A `troupe component` process with components of these names."""

    def __init__(self, directory, plane, *names, sandbox=None, extra=()):
        super().__init__(directory, sandbox, "component.log")
        plane.certify(self.directory / "pki", *names, what="component")
        self.arguments = [
            str(TROUPE), "component", "--data-dir", str(self.data), "--server", f"{plane.address}:{plane.link_port}",
            "--set", f"link.credentials={self.directory / 'pki'}", "--set", "controllers.leader_lease_seconds=3",
            *(word for name in names for word in ("--set", f"components={name}")), *extra]


class Node(Process):
    """A `troupe node` process. Its simulated nodes are NAME-0, NAME-1, ...; one with containers is NAME."""

    def __init__(self, directory, plane, name, count=1, runtime="hollow", sandbox=None, extra=()):
        super().__init__(directory, sandbox, "node.log")
        self.name = name
        self.names = [name] if runtime == "cri" else [f"{name}-{i}" for i in range(count)]
        plane.certify(self.directory / "pki", *self.names)
        prefix = name if runtime == "cri" else f"{name}-"
        self.arguments = [
            str(TROUPE), "node", "--data-dir", str(self.data), "--server", f"{plane.address}:{plane.link_port}",
            "--runtime", runtime, "--nodes", str(count), "--set", f"link.credentials={self.directory / 'pki'}",
            "--set", f"nodes.name_prefix={prefix}", "--set", "nodes.heartbeat_seconds=2", "--set", "debug.allow_crash=true", *extra]

    def socket(self):
        return (self.data / "containerd" / "address").read_text().strip()

    def containerd_pid(self):
        return int(self.sandbox.run("cat", str(pathlib.Path(self.socket()).parent / "containerd.pid")))

    def scrub(self):
        """Ends what a killed node leaves: its containers and their shims, known by the tag that is in all their names."""
        if not (self.data / "containerd" / "address").exists():
            return
        tag = pathlib.Path(self.socket()).parent.name.encode()  # troupe-0123abcd
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if tag in (entry / "cmdline").read_bytes() or tag in (entry / "cgroup").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)

    def containers(self, name="main"):
        """Names of the pods whose container of that name runs, as the machine's containerd says."""
        socket = self.socket()
        tasks = {line.split()[0] for line in self.sandbox.run("ctr", "-a", socket, "-n", "k8s.io", "tasks", "list").splitlines()[1:]
                 if "RUNNING" in line}
        found = []
        for one in tasks:
            labels = json.loads(self.sandbox.run("ctr", "-a", socket, "-n", "k8s.io", "containers", "info", one))["Labels"]
            if labels.get("io.kubernetes.container.name") == name:
                found.append(labels["io.kubernetes.pod.name"])
        return sorted(found)


def short_lived(plane, folder, name, seconds, subject=None):
    """Replaces the certificate of a node, or of that subject, by one that began ten minutes ago and ends soon."""
    pki, key = plane.data / "pki", folder / f"{name}.key"
    stamp = lambda at: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at))  # noqa: E731
    (folder / "index").write_text("")
    (folder / "serial").write_text("1001\n")
    (folder / "ca.conf").write_text(f"""[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}
default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\norganizationName=optional\ncommonName=supplied\n[x]
keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n""")
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)  # noqa: E731
    run("req", "-new", "-key", key, "-subj", subject or f"/O=system:nodes/CN=system:node:{name}", "-out", folder / "csr")
    run("ca", "-batch", "-config", folder / "ca.conf", "-in", folder / "csr", "-cert", pki / "ca.crt", "-keyfile", pki / "ca.key",
        "-notext", "-startdate", stamp(time.time() - 600), "-enddate", stamp(time.time() + seconds), "-out", folder / f"{name}.crt")


class Machine(Sandbox):
    """A sandbox with an address on a shared wire."""

    def __init__(self, address):
        super().__init__()
        self.address = address

    def join(self, bridge_of):
        """A wire to the machine that has the bridge."""
        name = "v" + self.address.rsplit(".", 1)[1]
        bridge_of.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        bridge_of.run("ip", "link", "set", name, "master", "br0", "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", "10.99.0.254")

    def cut(self):
        """Everything from and to the outside is dropped, silently."""
        self.run("nft", "-f", "-", input="".join(
            f"add table inet cut\nadd chain inet cut {hook} {{ type filter hook {hook} priority -300; }}\n"
            f"add rule inet cut {hook} {way} eth0 drop\n"
            for hook, way in (("prerouting", "iifname"), ("postrouting", "oifname"))) + "".join(
            f"add table arp cut\nadd chain arp cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n"
            for hook in ("input", "output")))

    def heal(self):
        self.run("nft", "delete", "table", "inet", "cut")
        self.run("nft", "delete", "table", "arp", "cut")

    def announced(self):
        """Balancers' addresses for which it answers ARP."""
        lines = self.run("ip", "-4", "-o", "addr", "show", "dev", "lo").splitlines()
        return [line.split()[3].removesuffix("/32") for line in lines if "lo:troupe" in line]


class Wire:
    """Machines 10.99.0.1, 10.99.0.2, ... joined by a bridge in a namespace of its own."""

    def __init__(self, count):
        self.bridge = Machine("10.99.0.254")
        self.bridge.run("ip", "link", "add", "br0", "type", "bridge")
        self.bridge.run("ip", "link", "set", "br0", "up")
        self.machines = [Machine(f"10.99.0.{i + 1}") for i in range(count)]
        for one in self.machines:
            one.join(self.bridge)

    def close(self):
        for one in (*self.machines, self.bridge):
            one.close()


class Maker:
    """Makes control planes and nodes, and kills at the end what still runs."""

    def __init__(self, directory):
        self.directory, self.made = pathlib.Path(directory), []

    def plane(self, **options):
        directory = self.directory / "plane"
        directory.mkdir(exist_ok=True)
        self.made.append(ControlPlane(directory, **options))
        return self.made[-1].start()

    def node(self, plane, name, **options):
        self.made.append(Node(self.directory / name, plane, name, **options))
        return self.made[-1].start()

    def component(self, plane, *names, directory=None, **options):
        self.made.append(Component(self.directory / (directory or names[0]), plane, *names, **options))
        return self.made[-1].start()

    def close(self):
        for one in reversed(self.made):
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.stop(signal.SIGTERM, 30)
            one.stop(signal.SIGKILL)
            if isinstance(one, Node):
                one.scrub()
