"""exec, attach, port-forward and cp by real kubectl against real containers, and what is left of them when somebody goes."""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import tty

import pytest

from conftest import KUBECTLS, ROOT, eventually, may_skip_root_tests
from test_containers import create, images, phase, pod, real, running, sandbox  # noqa: F401: fixtures

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="real containers take root")
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


@pytest.fixture(scope="module")
def box(real):
    """A pod with a shell to run commands in."""
    create(real, pod("box", "echo from the box; exec sleep 100000"))
    running(real, "box")
    return real


@pytest.fixture(params=[*KUBECTLS, "spdy"])
def how(request):
    """Versions of kubectl, which speak WebSocket, and one that is told to speak SPDY as older ones do."""
    return ("v35", SPDY) if request.param == "spdy" else (request.param, {})


def command_of(cluster, *arguments, version="v35"):
    tool = ROOT / "build" / "tools" / version / "kubectl"
    return cluster.wrap([tool, "--kubeconfig", cluster.kubeconfig, "--cache-dir", cluster.directory / "cache" / version, *arguments])


def kubectl(cluster, how, *arguments, stdin=b"", timeout=60):
    """(exit code, standard output, standard error) of kubectl, as bytes."""
    version, environment = how
    done = subprocess.run(command_of(cluster, *arguments, version=version), input=stdin, capture_output=True, timeout=timeout,
                          env={**os.environ, **environment}, cwd=cluster.directory)
    return done.returncode, done.stdout, done.stderr


class Terminal:
    """kubectl on a terminal of its own."""

    def __init__(self, cluster, *arguments, version="v35", rows=33, columns=101):
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.process = subprocess.Popen(command_of(cluster, *arguments, version=version), stdin=slave, stdout=slave, stderr=slave,
                                        close_fds=True, start_new_session=True, cwd=cluster.directory,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = ""

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=20):
        until = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < until, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    break
        assert re.search(pattern, self.seen), self.seen
        self.seen = self.seen[re.search(pattern, self.seen).end():]

    def ended(self, seconds=20):
        return self.process.wait(seconds)


# -- exec

def test_exec_tells_outputs_apart_and_gives_the_exit_code(box, how):
    code, out, err = kubectl(box, how, "exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (code, out) == (3, b"out\n")
    assert err == b"err\ncommand terminated with exit code 3\n"
    assert kubectl(box, how, "exec", "box", "-c", "main", "--", "true")[:2] == (0, b"")


def test_exec_passes_input_to_its_end(box, how):
    assert kubectl(box, how, "exec", "-i", "box", "--", "cat", stdin=b"a line\nand no end") == (0, b"a line\nand no end", b"")
    assert kubectl(box, how, "exec", "-i", "box", "--", "wc", "-c", stdin=b"")[1].strip() == b"0"
    block = os.urandom(1 << 16) * 200  # 13 MB, more than all buffers together
    code, out, err = kubectl(box, how, "exec", "-i", "box", "--", "sh", "-c", "tee /dev/stderr | sha256sum", stdin=block)
    assert code == 0 and out.split()[0].decode() == hashlib.sha256(block).hexdigest()
    assert err == block
    # Input that nobody reads does not hold up the command's end. (No more than a pipe holds: containerd 1.6 itself waits for
    # the rest to be read, for ever.)
    assert kubectl(box, how, "exec", "-i", "box", "--", "echo", "done", stdin=block[:1 << 15])[:2] == (0, b"done\n")


def test_exec_says_what_is_wrong(box, how):
    code, _, err = kubectl(box, how, "exec", "box", "--", "no-such-program")
    assert code == 1 and b'exec: "no-such-program": executable file not found in $PATH' in err, err
    code, _, err = kubectl(box, how, "exec", "box", "-c", "other", "--", "true")
    assert code == 1 and err == b"Error from server (BadRequest): container other is not valid for pod box\n"
    code, _, err = kubectl(box, how, "exec", "nobody", "--", "true")
    assert code == 1 and err == b'Error from server (NotFound): pods "nobody" not found\n'


def test_exec_in_a_container_that_is_over(box, how):
    create(box, pod(f"over-{how[0]}{len(how[1])}", "exit 0", restartPolicy="Never"))
    name = f"over-{how[0]}{len(how[1])}"
    eventually(lambda: phase(box, name) == "Succeeded", 30)
    # kubectl looks at the pod itself first; the server is asked directly.
    assert kubectl(box, how, "exec", name, "--", "true")[0] == 1
    status, text = box.http("GET", f"/api/v1/namespaces/default/pods/{name}/exec?command=true&stdout=true", headers=handshake())
    assert status == 404 and json.loads(text)["message"] == 'container not found ("main")'


@pytest.mark.parametrize("version", KUBECTLS)
def test_exec_on_a_terminal(box, version):
    shell = Terminal(box, "exec", "-it", "box", "--", "sh", version=version)
    shell.expect(r"/ # ")
    shell.type("echo $((6*7))\n")
    shell.expect(r"\r\n42\r\n")
    shell.type("stty size\n")
    shell.expect(r"33 101")
    shell.size(44, 88)
    shell.process.send_signal(signal.SIGWINCH)
    shell.expect(r"/ # ")
    def resized():
        shell.type("stty size\n")
        try:
            shell.expect(r"44 88", 1)
            return True
        except AssertionError:
            return False
    eventually(resized)
    shell.type("sleep 1000\n")
    time.sleep(0.5)
    shell.type("\x03")  # interrupts the sleep, not kubectl
    shell.expect(r"/ # ")
    shell.type("exit 5\n")
    shell.expect(r"exit code 5")
    assert shell.ended() == 5


# -- attach

def test_attach_reads_and_writes_a_running_container(box, how):
    name = f"reader-{how[0]}{len(how[1])}"
    create(box, pod(name, "while read line; do echo \"got $line\"; done; echo over", stdin=True, stdinOnce=True, restartPolicy="Never"))
    running(box, name)
    code, out, err = kubectl(box, how, "attach", "-i", name, stdin=b"one\ntwo\n")
    assert code == 0, err
    assert b"got one\n" in out and b"got two\n" in out
    eventually(lambda: phase(box, name) == "Succeeded", 30)
    assert "over" in box.kubectl("logs", name)


@pytest.mark.parametrize("version", KUBECTLS)
def test_run_with_a_terminal_and_its_exit_code(box, version):
    shell = Terminal(box, "run", f"term-{version}", "-it", "--rm", "--restart=Never", "--image=localhost/busybox:1",
                     "--image-pull-policy=Never", "--", "sh", version=version)
    time.sleep(2)
    shell.type("\necho $((6*7)); exit 4\n")
    shell.expect(r"42\r\n", 40)
    shell.expect(r"deleted", 60)
    assert shell.ended() == 4


def test_leaving_an_attached_container_leaves_it_running(box):
    process = subprocess.Popen(command_of(box, "attach", "box"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    process.kill()
    process.wait()
    assert box.pod_running("box") and box.pod("box")["status"]["containerStatuses"][0]["restartCount"] == 0


# -- port-forward

class Forward:
    """kubectl port-forward in the cluster's network."""

    def __init__(self, cluster, how, target, ports):
        version, environment = how
        self.process = subprocess.Popen(command_of(cluster, "port-forward", target, ports, version=version), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.port = int(re.match(r"Forwarding from 127.0.0.1:(\d+) -> \d+", self.process.stdout.readline()).group(1))
        self.cluster = cluster

    def connect(self):
        return self.cluster.sandbox.connect("127.0.0.1", self.port, 20)

    def get(self, path="/"):
        return self.cluster.sandbox.http("127.0.0.1", self.port, path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def web(real):
    create(real, pod("web", image="localhost/nginx:1"))
    running(real, "web")
    return real


def test_port_forward_serves_many_connections(web, how):
    with Forward(web, how, "pod/web", ":80") as forward:
        for _ in range(20):
            assert forward.get()[0] == 200
        # Several at once, open for a while.
        sockets = [forward.connect() for _ in range(10)]
        for one in sockets:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for one in sockets:
            assert one.recv(4096).startswith(b"HTTP/1.1 200 OK")
        for one in sockets:
            one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for one in sockets:
            text = b""
            while piece := one.recv(4096):
                text += piece
            assert b"200 OK" in text
            one.close()
        assert forward.process.poll() is None


def test_port_forward_moves_much_and_bears_a_slow_reader(web, how):
    name = f"source-{how[0]}{len(how[1])}"
    create(web, pod(name, "while true; do dd if=/dev/zero bs=1M count=40 2>/dev/null | nc -l -p 9000; done"))
    running(web, name)
    listens = ["exec", name, "--", "grep", "-qi", ":2328 0*:0000 0A", "/proc/net/tcp", "/proc/net/tcp6"]
    eventually(lambda: kubectl(web, how, *listens)[0] == 0)
    with Forward(web, how, f"pod/{name}", ":9000") as forward:
        one = forward.connect()
        time.sleep(2)  # everything on the way fills up and waits
        total = 0
        while total < 40 << 20 and (piece := one.recv(1 << 16)):
            total += len(piece)
        assert total == 40 << 20
        one.close()


def test_port_forward_to_nobody_says_so(web, how):
    with Forward(web, how, "pod/web", ":81") as forward:
        one = forward.connect()
        one.sendall(b"hello")
        try:
            assert one.recv(100) == b""
        except ConnectionResetError:
            pass
        line = forward.process.stderr.readline()
        while line and "error" not in line:
            line = forward.process.stderr.readline()
        assert re.search(r"an error occurred forwarding \d+ -> 81: .*refused", line), line


# -- cp

def test_cp_both_ways(box, how, tmp_path):
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    block = os.urandom(3_000_000)
    (tree / "below" / "block").write_bytes(block)
    (tree / "text").write_text("hello\n")
    there = f"/tmp/from-{how[0]}{len(how[1])}"
    code, _, err = kubectl(box, how, "cp", str(tree), f"default/box:{there}")
    assert code == 0, err
    code, out, _ = kubectl(box, how, "exec", "box", "--", "sha256sum", f"{there}/below/block")
    assert out.split()[0].decode() == hashlib.sha256(block).hexdigest()
    code, _, err = kubectl(box, how, "cp", f"default/box:{there}", str(tmp_path / "back"))
    assert code == 0, err
    assert (tmp_path / "back" / "below" / "block").read_bytes() == block
    assert (tmp_path / "back" / "text").read_text() == "hello\n"


# -- who may

def handshake(protocol="v4.channel.k8s.io"):
    return {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": protocol}


def test_get_alone_does_not_let_run_commands(box):
    """From Kubernetes 1.35 on, a WebSocket's GET needs the right to create, too."""
    for name, verbs in (("looker", "get"), ("runner", "get,create")):
        box.kubectl("create", "role", name, f"--verb={verbs}", "--resource=pods/exec")
        box.kubectl("create", "rolebinding", name, f"--role={name}", f"--user={name}")
    path = "/api/v1/namespaces/default/pods/box/exec?command=true&stdout=true"
    status, text = box.http("GET", path, headers={**handshake(), "Impersonate-User": "looker"})
    answer = json.loads(text)
    assert status == 403 and answer["reason"] == "Forbidden"
    assert 'User "looker" cannot create resource "pods/exec"' in answer["message"]
    status, _ = box.http("GET", path, headers={**handshake(), "Impersonate-User": "nobody"})
    assert status == 403
    assert web_socket(box, path, {"Impersonate-User": "runner"})[0] == b"HTTP/1.1 101 Switching Protocols"


def test_requests_without_a_known_upgrade(box):
    path = "/api/v1/namespaces/default/pods/box/exec?command=true&stdout=true"
    for method in ("GET", "POST"):
        status, text = box.http(method, path)
        assert status == 400 and json.loads(text)["message"] == "Upgrade request required"
    status, text = box.http("GET", path, headers=handshake("v99.channel.k8s.io"))
    assert status == 400 and "v99.channel.k8s.io" in json.loads(text)["message"]
    status, text = box.http("GET", path.replace("command=true&", ""), headers=handshake())
    assert status == 400 and "at least one command" in json.loads(text)["message"]
    assert box.http("DELETE", path)[0] == 405


# -- client libraries

PYTHON_CLIENT = """
import socket, sys, time
from kubernetes import client, config
from kubernetes.stream import stream, portforward
config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()
print(stream(core.connect_get_namespaced_pod_exec, "box", "default", command=["echo", "hello"], stdout=True, stderr=True), end="")
shell = stream(core.connect_get_namespaced_pod_exec, "box", "default", command=["sh"], stdin=True, stdout=True, stderr=True,
               _preload_content=False)
shell.write_stdin("echo out; echo err >&2\\n")
print(shell.readline_stdout(timeout=10), shell.readline_stderr(timeout=10))
shell.write_stdin("exit 7\\n")
shell.run_forever(timeout=10)
print(shell.returncode)
way = portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="80")
one = way.socket(80)
one.setblocking(True)
one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
text = b""
while piece := one.recv(4096):
    text += piece
print(text.split(b"\\r\\n")[0].decode(), way.error(80))
"""


def test_pythons_client_library(box, web):
    done = subprocess.run(box.wrap(["/usr/bin/python3", "-c", PYTHON_CLIENT, box.kubeconfig]), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "hello\nout err\n7\nHTTP/1.1 200 OK None\n"


# -- who goes, and what is left

def web_socket(cluster, path, headers=None, protocol="v4.channel.k8s.io"):
    """The answer's first line, and the connection."""
    context = cluster.tls()
    context.set_alpn_protocols(["http/1.1"])
    one = context.wrap_socket(cluster.sandbox.connect("127.0.0.1", cluster.port), server_hostname="127.0.0.1")
    lines = [f"GET {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in {**handshake(protocol), **(headers or {})}.items())]
    one.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = one.recv(1)
        assert piece, answer
        answer += piece
    return answer.split(b"\r\n")[0], one


def descriptors(cluster):
    return len(os.listdir(f"/proc/{cluster.process.pid}/fd"))


def resident(cluster):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{cluster.process.pid}/status").read_text()).group(1)) << 10


def processes_in(cluster, word):
    return [line for line in cluster.kubectl("exec", "box", "--", "ps").splitlines() if word in line]


def test_clients_that_vanish_leave_nothing(box):
    path = "/api/v1/namespaces/default/pods/box/exec?command=cat&stdin=true&stdout=true"
    web_socket(box, path)[1].close()
    eventually(lambda: not processes_in(box, " cat"), 20)
    before = descriptors(box)
    open_ones = [web_socket(box, path)[1] for _ in range(20)]
    # A client's and a runtime's connection each; what others had open may have been closed.
    eventually(lambda: descriptors(box) > before + 30)
    for number, one in enumerate(open_ones):
        if number % 2:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        one.close()
    eventually(lambda: descriptors(box) <= before + 1, 20)
    eventually(lambda: not processes_in(box, " cat"), 20)


def test_garbage_after_the_upgrade_ends_the_connection(box):
    path = "/api/v1/namespaces/default/pods/box/exec?command=cat&stdin=true&stdout=true"
    before = descriptors(box)
    for rubbish in (b"\x82\x05plain", b"\xff" * 100, b"\x82\xff\x7f" + b"\xff" * 20, b"\x89\xfe\x01\x00" + b"x" * 300):
        one = web_socket(box, path)[1]
        one.sendall(rubbish)
        one.settimeout(10)
        answer = b""
        try:
            while piece := one.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        assert answer[:1] == b"\x88" and struct.unpack(">H", answer[2:4])[0] in (1002, 1009), answer
        one.close()
    eventually(lambda: descriptors(box) <= before + 1, 20)


def test_a_client_that_does_not_read_costs_little(box):
    path = "/api/v1/namespaces/default/pods/box/exec?command=cat&command=/dev/zero&stdout=true"
    before, files = resident(box), descriptors(box)
    lazy = [web_socket(box, path)[1] for _ in range(8)]
    time.sleep(4)
    assert resident(box) - before < 48 << 20
    for one in lazy:
        one.close()
    eventually(lambda: descriptors(box) <= files + 1, 20)
    # Their processes hang in a full pipe: no runtime ends a command whose client has gone, in Kubernetes neither.
    box.kubectl("exec", "box", "--", "killall", "cat")


def test_a_deleted_pod_ends_its_streams(box):
    create(box, pod("brief", "exec sleep 100000"))
    running(box, "brief")
    command = subprocess.Popen(command_of(box, "exec", "-i", "brief", "--", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    time.sleep(1)
    assert command.poll() is None
    box.kubectl("delete", "pod", "brief", "--wait=false")
    assert command.wait(30) != 0
    assert b"137" in command.stderr.read()
    command.stdin.close()


def test_a_driver_that_crashes_ends_its_streams_and_serves_new_ones(box):
    one = web_socket(box, "/api/v1/namespaces/default/pods/box/exec?command=cat&stdin=true&stdout=true")[1]
    paths = [a["path"] for a in box.get("/debug/troupe/actors")["actors"]]
    holder, = [path for path in paths if "/streams" in path]
    status, text = box.http("POST", f"/debug/troupe/crash?path={holder}")
    assert status == 200, text
    one.settimeout(20)
    heard = b""
    while piece := one.recv(4096):
        heard += piece
    assert b"Failure" in heard and b"\x88" in heard
    eventually(lambda: kubectl(box, ("v35", {}), "exec", "box", "--", "echo", "again")[1] == b"again\n", 30)


# -- logs

def test_large_logs_arrive_whole(box):
    """More than the gateway keeps for a watch (16 MiB), to a client that takes its time."""
    lines = 4000
    create(box, pod("talker", f'yes "$(printf %09999d 0)" | head -n {lines}', restartPolicy="Never"))
    eventually(lambda: phase(box, "talker") == "Succeeded", 30)
    # While it ran its log may have been rotated, as Kubernetes does; then the last of it is what counts.
    uid = box.pod("talker")["metadata"]["uid"]
    files = sorted((box.data / "logs").glob(f"default_talker_{uid}/main/*.log"))
    expected = sum(1 for _ in open(files[0], "rb"))
    for one in ([], ["-f"]):
        reader = subprocess.Popen(command_of(box, "logs", "talker", *one), stdout=subprocess.PIPE)
        time.sleep(2)
        before = resident(box)
        total = 0
        while piece := reader.stdout.read(1 << 20):
            total += len(piece)
            assert resident(box) - before < 32 << 20
        assert reader.wait(30) == 0
        assert total == expected * 10000 and expected > 2000
