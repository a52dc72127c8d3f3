"""Network namespaces for tests that send packets: a node, its pods and a client outside, joined by veth pairs. Nothing
has a name in the machine's own namespace, and all of it goes with the processes that hold it."""
import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess
import sys

from conftest import Holder, bound

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(namespace):
    """Moves the calling thread."""
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network namespace of its own, held by a process that sleeps."""

    def __init__(self):
        self.holder = Holder("--net")
        self.namespace = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        self.processes = []

    @contextlib.contextmanager
    def inside(self):
        """The calling thread, and what it starts, is in the namespace."""
        enter(self.namespace)
        try:
            yield
        finally:
            enter(HOME)

    def run(self, *command, check=True):
        with self.inside():
            return subprocess.run(command, check=check, capture_output=True, text=True).stdout

    def start(self, *command, **options):
        with self.inside():
            self.processes.append(subprocess.Popen(bound(command), **options))
        return self.processes[-1]

    def link(self, name, other, other_name="eth0"):
        self.run("ip", "link", "add", name, "type", "veth", "peer", "name", other_name, "netns", str(other.holder.pid))
        self.run("ip", "link", "set", name, "up")
        other.run("ip", "link", "set", other_name, "up")

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.holder.close()
        os.close(self.namespace)


SERVER = """
import socket, sys, threading
name = sys.argv[1].encode()
def answer(client):
    connection, (address, _) = client
    connection.sendall(name + b" " + address.encode())
    connection.close()
stream = socket.create_server(("0.0.0.0", 8080), backlog=512)
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.bind(("0.0.0.0", 5353))
def echo():
    while True:
        data, client = packets.recvfrom(2048)
        packets.sendto(name + b" " + data, client)
threading.Thread(target=echo, daemon=True).start()
print("up", flush=True)
while True:
    answer(stream.accept())
"""


class Pods:
    """A node with a bridge, pods 10.244.0.2 and on that answer with their name and the client's address at TCP 8080,
    and with their name and the packet at UDP 5353; beyond the node a client, 192.0.2.2."""

    def __init__(self, count=3):
        self.node, self.client, self.pods = Namespace(), Namespace(), {}
        self.everyone = [self.node, self.client]
        with self.node.inside():
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.node.run("ip", "link", "add", "bridge0", "type", "bridge")
        self.node.run("ip", "addr", "add", "10.244.0.1/24", "dev", "bridge0")
        self.node.run("ip", "link", "set", "bridge0", "up")
        self.node.link("uplink", self.client)
        self.node.run("ip", "addr", "add", "192.0.2.1/24", "dev", "uplink")
        self.node.run("ip", "route", "add", "default", "via", "192.0.2.2")
        self.client.run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        self.client.run("ip", "route", "add", "default", "via", "192.0.2.1")
        for number in range(2, 2 + count):
            self.add_pod(number)

    def add_pod(self, number):
        pod = Namespace()
        self.everyone.append(pod)
        self.pods[f"10.244.0.{number}"] = pod
        self.node.link(f"pod{number}", pod)
        self.node.run("ip", "link", "set", f"pod{number}", "master", "bridge0")
        self.node.run("bridge", "link", "set", "dev", f"pod{number}", "hairpin", "on")
        pod.run("ip", "addr", "add", f"10.244.0.{number}/24", "dev", "eth0")
        pod.run("ip", "route", "add", "default", "via", "10.244.0.1")
        server = pod.start(sys.executable, "-c", SERVER, f"pod{number}", stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "up\n"

    def close(self):
        for one in self.everyone:
            one.close()


def ask(source, address, port, timeout=3):
    """One TCP connection: (name of the pod, the client's address as the pod saw it)."""
    with source.inside():
        connection = socket.create_connection((address, port), timeout)
    with connection:
        connection.settimeout(timeout)
        name, seen = connection.recv(100).decode().split()
        return name, seen
