"""Fixtures: a real `troupe up`, driven by unmodified kubectl."""
import base64
import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time
import http.client

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TROUPE = ROOT / "build" / "troupe"
KUBECTLS = ["v32", "v35"]


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(check, seconds=20, every=0.05):
    """Waits until check() returns something true, and returns it; the last exception or value tells why it never did."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = check()
            if last:
                return last
        except (AssertionError, OSError, KeyError, IndexError, subprocess.CalledProcessError) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"not so after {seconds} s: {last!r}")


def said(log, event):
    """The lines of a log file that tell of the event."""
    return [line for line in log.read_text().splitlines() if f" {event} " in line]


def bound(command, how="TERM"):
    """The command as a process that hears of this one's end, however that comes. To be started by the main thread."""
    return ["setpriv", "--pdeathsig", how, *map(str, command)]


class Holder:
    """A process that keeps namespaces of its own alive. It ends with its input, and so with this process at the latest."""

    def __init__(self, *flags, prepare="true"):
        self.process = subprocess.Popen(
            ["unshare", *flags, "sh", "-c", f"ip link set lo up && {prepare} && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if self.process.stdout.readline() != "ready\n":
            self.close()
            raise OSError(f"no namespaces: unshare {' '.join(flags)}: {self.process.returncode}")

    def close(self):
        self.process.kill()
        self.process.communicate()


class Sandbox:
    """A machine within this one: a network and mounts of its own, so that nothing a test does reaches the host."""

    def __init__(self):
        # /run is private; cgroups are the host's, each cluster has its own parent there.
        self.holder = Holder("--net", "--mount", "--propagation", "private", prepare="mount -t tmpfs tmpfs /run")

    def wrap(self, command):
        """The command as it runs in here; the process is the command itself."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", *map(str, command)]

    def run(self, *command, check=True, timeout=60, **options):
        done = subprocess.run(self.wrap(command), capture_output=True, text=True, timeout=timeout, **options)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def connect(self, host, port, timeout=30):
        """A socket of this network, for use anywhere: a socket stays where it was made."""
        made = []

        def within():
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                with open(f"/proc/{self.holder.pid}/ns/net") as network:
                    if libc.setns(network.fileno(), 0x40000000) != 0:  # of this thread only
                        raise OSError(ctypes.get_errno(), "setns")
                made.append(socket.create_connection((host, port), timeout))
                made[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as http.client does
            except OSError as error:
                made.append(error)
        thread = threading.Thread(target=within)
        thread.start()
        thread.join()
        if isinstance(made[-1], Exception):
            raise made[-1]
        return made[0]

    def http(self, host, port, path="/"):
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.sock = self.connect(host, port, 5)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def close(self):
        self.holder.close()


def may_skip_root_tests():
    """Without root the tests with real containers are left out, but never where their result is counted on."""
    return os.geteuid() != 0 and not os.environ.get("CI") and not os.environ.get("TROUPE_REQUIRE_ROOT")


class Cluster:
    """One `troupe up` process with its data directory; in a Sandbox when one is given."""

    def __init__(self, directory, runtime="hollow", nodes=1, extra=(), sandbox=None, port=None):
        self.sandbox = sandbox
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.kubeconfig = self.directory / "kubeconfig"
        self.port = port or (6443 if sandbox else free_port())
        self.arguments = [
            str(TROUPE), "up", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}",
            "--kubeconfig", str(self.kubeconfig), "--runtime", runtime, "--nodes", str(nodes),
            "--set", "debug.allow_crash=true", *extra]
        self.process = None
        self.log = self.directory / "troupe.log"

    def start(self, wait=True):
        self.log_file = open(self.log, "ab")
        self.process = subprocess.Popen(bound(self.wrap(self.arguments)), stdout=self.log_file, stderr=self.log_file, cwd=self.directory)
        try:
            if wait:
                eventually(self.ready, 60)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def wrap(self, command):
        return self.sandbox.wrap(command) if self.sandbox else [str(word) for word in command]

    def certify(self, out, *names, what="node"):
        """Makes certificates of nodes or components."""
        subprocess.run([TROUPE, "certs", what, *names, "--data-dir", self.data, "--out", out], check=True, timeout=30)

    def node_ready(self, name, wanted="True"):
        node = self.get(f"/api/v1/nodes/{name}")
        return node if any(c["type"] == "Ready" and c["status"] == wanted for c in node["status"]["conditions"]) else None

    def logged(self, text):
        return text in self.log.read_text()

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"troupe ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
        status, _ = self.http("GET", "/readyz")
        return status == 200

    def stop(self, how=signal.SIGTERM, seconds=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(seconds)
        if not self.process:
            return None
        self.log_file.close()
        return self.process.returncode

    def credentials(self):
        config = yaml.safe_load(self.kubeconfig.read_text())
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        paths = []
        for name, text in (("client.crt", user["client-certificate-data"]), ("client.key", user["client-key-data"]),
                           ("ca.crt", cluster["certificate-authority-data"])):
            path = self.directory / name
            content = base64.b64decode(text)
            # Threads ask at the same time: none may find half a file.
            if not path.exists() or path.read_bytes() != content:
                written = path.with_name(f"{name}.{threading.get_ident()}")
                written.write_bytes(content)
                written.replace(path)
            paths.append(path)
        return paths

    def tls(self, certificate=None, key=None):
        own_certificate, own_key, authority = self.credentials()
        context = ssl.create_default_context(cafile=authority)
        if certificate is not False:
            context.load_cert_chain(certificate or own_certificate, key or own_key)
        return context

    def https(self, context=None):
        """A connection, made already, with the administrator's certificate or another context."""
        context = context or self.tls()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
        if self.sandbox:
            connection.sock = context.wrap_socket(self.sandbox.connect("127.0.0.1", self.port), server_hostname="127.0.0.1")
        else:
            connection.connect()
        return connection

    def http(self, method, path, body=None, content_type="application/json", context=None, headers=None):
        """One request over HTTP/1.1 with the administrator's certificate: (status, text)."""
        connection = self.https(context)
        try:
            connection.request(method, path, body, {"Content-Type": content_type, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def headers(self, method, path, body=None, headers=None):
        """The answer's headers by lower-case name, each a list."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls(), timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            found = {}
            for name, value in connection.getresponse().getheaders():
                found.setdefault(name.lower(), []).append(value)
            return found
        finally:
            connection.close()

    def watch(self, path, count):
        """The first events of a watch."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls(), timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return [json.loads(answer.readline()) for _ in range(count)]
        finally:
            connection.close()

    def get(self, path):
        status, text = self.http("GET", path)
        assert status == 200, f"{path}: {status} {text}"
        return json.loads(text)

    def kubectl(self, *arguments, version="v35", check=True, stdin=None, timeout=60):
        """Runs a real kubectl and returns what it printed (standard output, or both when it failed and check is off)."""
        tool = ROOT / "build" / "tools" / version / "kubectl"
        done = subprocess.run(self.wrap([tool, "--kubeconfig", self.kubeconfig, "--cache-dir", self.directory / "cache" / version,
                                         *arguments]), input=stdin, capture_output=True, text=True, timeout=timeout, cwd=self.directory)
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            return done.stdout
        return done

    def start_kubectl(self, *arguments, version="v35"):
        """A kubectl that goes on until it is ended."""
        tool = ROOT / "build" / "tools" / version / "kubectl"
        return subprocess.Popen(bound(self.wrap([tool, "--kubeconfig", self.kubeconfig, *arguments])), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.directory)

    def pod(self, name, namespace="default"):
        return self.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def pod_running(self, name, namespace="default"):
        pod = self.pod(name, namespace)
        return pod if pod["status"].get("phase") == "Running" and all(
            c["ready"] for c in pod["status"]["containerStatuses"]) else None


@pytest.fixture(scope="module")
def hollow(tmp_path_factory):
    """A cluster with three simulated nodes, shared by the tests of a file."""
    cluster = Cluster(tmp_path_factory.mktemp("hollow"), nodes=3).start()
    yield cluster
    assert cluster.stop() == 0, cluster.log.read_text()[-2000:]


@pytest.fixture
def own_cluster(tmp_path):
    """Makes clusters that the test starts and stops itself."""
    made = []

    def make(**options):
        directory = tmp_path / str(len(made))
        directory.mkdir()
        cluster = Cluster(directory, **options)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        if cluster.process and cluster.process.poll() is None:
            cluster.stop(signal.SIGKILL)


@pytest.fixture(params=KUBECTLS)
def kubectl(request, hollow):
    """kubectl of each tested version against the shared cluster."""
    def run(*arguments, **options):
        return hollow.kubectl(*arguments, version=request.param, **options)
    run.version = request.param
    return run


@pytest.fixture
def namespace(hollow, request):
    """A namespace of the test's own."""
    name = "t-" + base64.b32encode(os.urandom(5)).decode().lower().rstrip("=")
    hollow.kubectl("create", "namespace", name)
    yield name
    hollow.kubectl("delete", "namespace", name, "--wait=false")
