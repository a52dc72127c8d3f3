"""What strangers and a node that was taken over try at the open ports of a cluster."""
import contextlib
import json
import re
import socket
import ssl
import subprocess
import time

import pytest

from cluster import Maker
from conftest import TROUPE, eventually
from link_peer import LOG_CHUNK, REQUEST, STREAM_OUTPUT, WATCH_STOP, LinkPeer, pack
from test_cluster import cpu_seconds, pod, resident_kib


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A control plane with the node good-0, on which the pod p runs."""
    maker = Maker(tmp_path_factory.mktemp("hostile"))
    try:
        made = maker.plane()
        maker.node(made, "good")
        eventually(lambda: made.node_ready("good-0"))
        made.kubectl("create", "-f", "-", stdin=pod("p", node="good-0"))
        made.kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
        eventually(lambda: made.pod_running("p"))
        made.certify(made.directory / "evil", "evil")
        yield made
        assert made.stop() == 0, made.log.read_text()[-3000:]
    finally:
        maker.close()


def refusals(plane):
    """The link's counters by reason."""
    text = plane.http("GET", "/metrics")[1]
    return {reason: int(float(count)) for reason, count in re.findall(r'troupe_link_refused_total\{reason="(\w+)"\} (\S+)', text)}


def certificate(directory, name, subject, days, authority=None):
    """(certificate, key) by openssl, signed by the authority or by itself."""
    files = [str(directory / f"{name}.{kind}") for kind in ("crt", "key", "csr")]
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)  # noqa: E731
    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", files[1])
    run("req", "-new", "-key", files[1], "-subj", subject, "-out", files[2])
    extensions = directory / "extensions"
    extensions.write_text("keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n")
    signer = ["-CA", f"{authority}/ca.crt", "-CAkey", f"{authority}/ca.key", "-CAcreateserial"] if authority else ["-signkey", files[1]]
    run("x509", "-req", "-in", files[2], *signer, "-days", str(days), "-extfile", str(extensions), "-out", files[0])
    return files[0], files[1]


def drained(one, seconds):
    """Seconds until the other end closes the socket, at most."""
    begun = time.monotonic()
    one.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        while one.recv(4096):
            pass
    return time.monotonic() - begun


def test_clients_that_never_begin_cost_nothing_and_are_gone_at_the_deadline(plane):
    """Nothing, the beginning of a ClientHello, garbage, and CAF's header that announces 4 GiB, on both ports at once."""
    memory, spent, begun = resident_kib(plane.process.pid), cpu_seconds(plane.process.pid), time.monotonic()
    sent = [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01", b"\x01\0\0\0\xff\xff\xff\xff" + b"\xff" * 2000, b"GET / HTTP/1.1\r\n\r\n"]
    sockets = []
    for port in (plane.port, plane.link_port):
        for i in range(40):
            one = socket.create_connection(("127.0.0.1", port), 5)
            one.sendall(sent[i % len(sent)])
            sockets.append(one)
    slow = plane.tls().wrap_socket(socket.create_connection(("127.0.0.1", plane.port), 5), server_hostname="127.0.0.1")
    slow.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n")
    while time.monotonic() - begun < 4:  # slow-loris: a header line now and then
        slow.sendall(b"X-A: b\r\n")
        time.sleep(0.5)
    assert cpu_seconds(plane.process.pid) - spent < 1
    assert resident_kib(plane.process.pid) - memory < 16_000
    for one in sockets:
        drained(one, 15)
        one.close()
    assert time.monotonic() - begun < 14
    assert b"408" in slow.recv(4096)
    slow.close()
    log = plane.log.read_text()
    for reason in ("no_client_hello", "handshake_timeout", "not_tls"):
        assert re.search(rf"link.refused .*reason={reason} ", log), reason
    for reason in ("no_client_hello", "handshake_timeout", "tls", "plain_http", "slow_request"):
        assert re.search(rf"gateway.refused .*reason={reason} ", log), reason
    assert refusals(plane)["no_client_hello"] >= 8


def test_huge_headers_are_refused(plane):
    memory = resident_kib(plane.process.pid)
    with plane.tls().wrap_socket(socket.create_connection(("127.0.0.1", plane.port), 5), server_hostname="127.0.0.1") as one:
        with contextlib.suppress(OSError):  # it is cut off in the middle
            one.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * (8 << 20))
        one.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert b" 431 " in one.recv(4096)
    assert re.search(r"gateway.refused .*reason=request ", plane.log.read_text())
    evil = LinkPeer(plane.link_port, plane.directory / "evil/evil.crt", plane.directory / "evil/evil.key")
    evil.socket.sendall(b"\xff\xff\xff\xff" + bytes([REQUEST]))  # a frame of 4 GiB is refused by its header
    assert evil.closed()
    assert eventually(lambda: refusals(plane).get("frame_too_large", 0)) == 1
    assert resident_kib(plane.process.pid) - memory < 16_000


def test_certificates_that_are_not_good_enough(plane, tmp_path):
    pki, node = plane.data / "pki", "/O=system:nodes/CN=system:node:evil"
    cases = [("wrong_authority", certificate(tmp_path, "own", node, 1), "unknown_authority"),
             ("expired", certificate(tmp_path, "old", node, -1, pki), "certificate_expired"),
             ("wrong_role", certificate(tmp_path, "role", "/CN=jane", 1, pki), "wrong_role"),
             ("scheduler", certificate(tmp_path, "scheduler", "/CN=system:kube-scheduler", 1, pki), "not_wanted"),
             ("administrator", certificate(tmp_path, "admin", "/O=system:masters/CN=me", 1, pki), "wrong_role")]
    for name, (shown, key), reason in cases:
        before = refusals(plane).get(reason, 0)
        with contextlib.suppress(EOFError, OSError, AssertionError):
            LinkPeer(plane.link_port, shown, key)
            pytest.fail(f"{name} was let in")
        assert eventually(lambda: refusals(plane).get(reason, 0) == before + 1), name
        assert plane.logged(f"reason={reason}")
    for name, (shown, key), _ in cases[:2]:  # at the API's port: 401, and the log says why
        status, text = plane.http("GET", "/api/v1/pods", context=plane.tls(shown, key))
        assert status == 401 and json.loads(text)["message"] == "Unauthorized", name
    assert re.search(r"gateway.refused .*reason=unauthorized why=\"[^\"]*(unknown|signed)", plane.log.read_text())
    assert re.search(r"gateway.refused .*reason=unauthorized why=\"[^\"]*expired", plane.log.read_text())


def test_a_token_is_of_no_use_after_its_end(plane):
    made = subprocess.run([TROUPE, "token", "--kubeconfig", plane.kubeconfig, "create"], capture_output=True, text=True, check=True,
                          timeout=30).stdout.split()
    token = made[made.index("--token") + 1]
    ask = lambda: plane.http("GET", "/api", context=plane.tls(False), headers={"Authorization": f"Bearer {token}"})[0]  # noqa: E731
    assert eventually(lambda: ask() == 200)
    subprocess.run([TROUPE, "token", "--kubeconfig", plane.kubeconfig, "delete", token], check=True, timeout=30, capture_output=True)
    assert eventually(lambda: ask() == 401)
    assert re.search(r"gateway.refused .*reason=unauthorized why=\"neither", plane.log.read_text())


def test_a_node_that_was_taken_over_is_kept_in_its_place(plane):
    """With a valid certificate, over the link: what it may not do is refused and counted."""
    evil = LinkPeer(plane.link_port, plane.directory / "evil/evil.crt", plane.directory / "evil/evil.key")
    before = refusals(plane)

    def refused(reason):
        return refusals(plane).get(reason, 0) - before.get(reason, 0)
    tries = [("get", "/api/v1/namespaces/default/secrets/s", ""), ("get", "/api/v1/secrets", ""),
             ("patch", "/api/v1/nodes/good-0/status", '{"status":{"phase":"x"}}'),
             ("patch", "/api/v1/namespaces/default/pods/p/status", '{"status":{"reason":"x"}}'),
             ("delete", "/api/v1/namespaces/default/pods/p", ""),
             ("patch", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/good-0", '{"spec":{"holderIdentity":"x"}}'),
             ("get", "/api/v1/nodes/good-0/proxy/", "")]
    for verb, target, body in tries:
        code, text = evil.ask(verb, target, body)
        assert code == 403, (verb, target, code, text)
    assert refused("forbidden") == len(tries)
    # Whoever it says it is, it is taken for what its certificate says.
    masters = ["kubernetes-admin", "", ["system:masters"], []]
    code, _ = evil.ask("get", "/api/v1/namespaces/default/secrets/s", user=masters,
                       headers=[("authorization", "Bearer x"), ("impersonate-user", "kubernetes-admin")])
    assert code == 403 and refused("forged_user") == 1
    # Answers to nobody's question: a log, a stream, the end of another node's watch.
    evil.send(LOG_CHUNK, pack([7, b"x", False, [0, ""]]))
    evil.send(STREAM_OUTPUT, pack([7, 1, b"x", False]))
    evil.send(WATCH_STOP, pack([1]))
    assert eventually(lambda: refused("not_asked") == 2)
    assert evil.ask("get", "/api")[0] == 200  # it is still a node
    # A verb or an urgency that there is not, and what would be an exit or spawn message of CAF's protocol.
    for frame in ([1, 99, "/", "", "", "", [], b"", None, "", 0, ""], [1, 0, "/", "", "", "", [], b"", None, "", 200, ""]):
        evil.send(REQUEST, pack(frame))
        assert evil.closed()
        evil = LinkPeer(plane.link_port, plane.directory / "evil/evil.crt", plane.directory / "evil/evil.key")
    for kind in (0, 5, 6, 7, 99, 255):
        evil.send(kind, b"\0" * 32)
        assert evil.closed()
        evil = LinkPeer(plane.link_port, plane.directory / "evil/evil.crt", plane.directory / "evil/evil.key")
    assert refused("bad_frame") == 8
    evil.close()
    assert plane.pod_running("p") and plane.node_ready("good-0")


def test_a_node_gives_itself_no_range_no_owner_and_no_secret(plane):
    evil = LinkPeer(plane.link_port, plane.directory / "evil/evil.crt", plane.directory / "evil/evil.key")
    owner = [{"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "name": "evil", "uid": "u"}]

    def post(target, what):
        return evil.ask("post", target, json.dumps(what), "application/json")

    def node(spec=None, **metadata):
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "evil", **metadata}, "spec": spec or {}}
    assert post("/api/v1/nodes", node({"podCIDR": "0.0.0.0/1", "podCIDRs": ["0.0.0.0/1"]}))[0] == 403
    assert post("/api/v1/nodes", node(ownerReferences=owner))[0] == 403
    assert post("/api/v1/nodes", node())[0] == 201
    for target, patch in (("", {"spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]}}),
                          ("", {"metadata": {"ownerReferences": owner}}), ("/status", {"metadata": {"ownerReferences": owner}})):
        code, text = evil.ask("patch", "/api/v1/nodes/evil" + target, json.dumps(patch))
        assert code == 403 and b"is not allowed to modify" in text, (target, patch, code, text)
    assert evil.ask("patch", "/api/v1/nodes/evil/status", '{"status":{"phase":"Running"}}')[0] == 200
    for volume in ({"rbd": {"monitors": ["m"], "image": "i", "secretRef": {"name": "s"}}},
                   {"csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}},
                   {"azureFile": {"secretName": "s", "shareName": "x"}}):
        mirror = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}},
                  "spec": {"nodeName": "evil", "containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", **volume}]}}
        code, text = post("/api/v1/namespaces/default/pods", mirror)
        assert code == 403 and b"secrets" in text, (volume, code, text)
    assert evil.ask("get", "/api/v1/namespaces/default/secrets/s")[0] == 403
    evil.close()
    plane.kubectl("delete", "node", "evil")
