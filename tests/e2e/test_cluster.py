"""A control plane and nodes in processes of their own, joined by the cluster link."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from cluster import Maker, Node
from conftest import TROUPE, eventually


def pod(name, node=None, **annotations):
    spec = {"containers": [{"name": "main", "image": "example.com/none:1"}], "terminationGracePeriodSeconds": 1}
    if node:
        spec["nodeName"] = node
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations}, "spec": spec})


@pytest.fixture
def machines(tmp_path):
    maker = Maker(tmp_path)
    yield maker
    maker.close()


def test_a_node_in_another_process(machines):
    plane = machines.plane()
    assert plane.get("/api/v1/nodes")["items"] == []
    node = machines.node(plane, "worker")
    eventually(lambda: plane.node_ready("worker-0"))
    plane.kubectl("create", "-f", "-", stdin=pod("a"))
    eventually(lambda: plane.pod_running("a"))
    assert plane.pod("a")["spec"]["nodeName"] == "worker-0"
    assert plane.kubectl("get", "nodes", "-o", "wide").count("worker") == 1
    assert "hollow container main" in plane.kubectl("logs", "a")
    plane.kubectl("delete", "pod", "a", "--wait=true")
    assert node.stop() == 0, node.log.read_text()[-3000:]
    assert plane.stop() == 0, plane.log.read_text()[-3000:]


def test_either_side_is_killed_and_returns(machines):
    plane = machines.plane()
    node = machines.node(plane, "worker")
    eventually(lambda: plane.node_ready("worker-0"))
    plane.kubectl("create", "-f", "-", stdin=pod("before"))
    eventually(lambda: plane.pod_running("before"))

    node.stop(signal.SIGKILL)
    eventually(lambda: plane.node_ready("worker-0", "Unknown"), 30)
    node.start()
    eventually(lambda: plane.node_ready("worker-0"), 30)
    eventually(lambda: plane.pod_running("before"), 30)

    plane.stop(signal.SIGKILL)
    plane.start()
    begun = time.monotonic()
    plane.kubectl("create", "-f", "-", stdin=pod("after", node="worker-0"))
    eventually(lambda: plane.pod_running("after"), 30)
    assert time.monotonic() - begun < 15
    plane.kubectl("logs", "after")
    assert "link.up" in node.log.read_text()


def test_logs_end_with_the_link_and_say_so(machines):
    plane = machines.plane()
    node = machines.node(plane, "worker")
    eventually(lambda: plane.node_ready("worker-0"))
    plane.kubectl("create", "-f", "-", stdin=pod("a"))
    eventually(lambda: plane.pod_running("a"))
    node.stop(signal.SIGKILL)
    eventually(lambda: plane.logged("link.down node=worker-0") or plane.logged("node=worker-0 reason=closed"))
    status, text = plane.http("GET", "/api/v1/namespaces/default/pods/a/log")
    assert status == 503 and "worker-0 cannot be asked" in json.loads(text)["message"]


def test_many_hollow_nodes_of_one_process(machines):
    plane = machines.plane()
    node = machines.node(plane, "many", count=20)
    for name in node.names:
        eventually(lambda: plane.node_ready(name))
    plane.kubectl("create", "deployment", "d", "--image=example.com/none:1", "--replicas=40")
    eventually(lambda: plane.get("/apis/apps/v1/namespaces/default/deployments/d")["status"].get("readyReplicas") == 40, 60)
    spread = {p["spec"]["nodeName"] for p in plane.get("/api/v1/namespaces/default/pods")["items"]}
    assert len(spread) == 20


def test_a_node_without_its_certificate_says_so(machines, tmp_path):
    plane = machines.plane()
    node = Node(tmp_path / "n", plane, "worker")
    (tmp_path / "n" / "pki" / "worker-0.key").unlink()
    done = subprocess.run(node.arguments, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "worker-0.key" in done.stderr


def test_a_machine_joins_by_token(machines, tmp_path):
    plane = machines.plane()
    command = subprocess.run([TROUPE, "token", "--kubeconfig", plane.kubeconfig, "create"], capture_output=True, text=True,
                             check=True, timeout=30).stdout.split()
    assert command[:2] == ["troupe", "node"] and "--join" in command
    joined = [TROUPE, *command[1:], "--server", f"127.0.0.1:{plane.link_port}", "--runtime", "hollow", "--set",
              "nodes.name_prefix=new-", "--data-dir"]
    wrong = joined.copy()
    wrong[wrong.index("--ca-hash") + 1] = "sha256:" + "0" * 64
    done = subprocess.run([*wrong, tmp_path / "wrong"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "this is not the cluster that was meant" in done.stderr
    wrong = joined.copy()
    wrong[wrong.index("--token") + 1] = "aaaaaa.0123456789abcdef"
    done = subprocess.run([*wrong, tmp_path / "wrong"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "the token is not accepted" in done.stderr

    data, token = tmp_path / "joined", command[command.index("--token") + 1]
    for again in range(2):  # the second start needs no token
        with open(tmp_path / "joined.log", "ab") as log:
            process = subprocess.Popen([*joined, data], stdout=log, stderr=log)
        try:
            eventually(lambda: plane.node_ready("new-0"), 30)
            assert token.encode() not in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
            if again == 0:  # the name is taken: a token is for new machines
                theft = joined.copy()
                theft[theft.index("--token"):theft.index("--token") + 2] = ["--token-file", str(tmp_path / "token")]
                theft[2:2] = ["--join-timeout", "3"]
                (tmp_path / "token").write_text(token + "\n")
                done = subprocess.run([*theft, tmp_path / "thief"], capture_output=True, text=True, timeout=120)
                assert done.returncode == 1 and "nobody approved the request" in done.stderr
                assert plane.logged("there is a Node of this name")
        finally:
            process.terminate()
            process.wait(30)
        subprocess.run([TROUPE, "token", "--kubeconfig", plane.kubeconfig, "delete", command[command.index("--token") + 1]],
                       check=again == 0, timeout=30, capture_output=True)
        plane.kubectl("delete", "node", "new-0")
    assert (data / "pki" / "new-0.key").stat().st_mode & 0o777 == 0o600
    requests = plane.get("/apis/certificates.k8s.io/v1/certificatesigningrequests")["items"]
    assert len(requests) == 2
    assert all(one["spec"]["username"].startswith("system:bootstrap:") for one in requests)
    approved = [one for one in requests if one.get("status", {}).get("conditions")]
    assert len(approved) == 1 and approved[0]["status"]["conditions"][0]["reason"] == "AutoApproved"
    done = subprocess.run([*joined, tmp_path / "late"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "the token is not accepted" in done.stderr  # a token that was deleted


def test_a_compromised_node_is_kept_in_its_place(machines):
    """A peer with a valid node certificate, over HTTPS; over the link the same rules hold (tests/actors/link)."""
    plane = machines.plane()
    machines.node(plane, "good")
    eventually(lambda: plane.node_ready("good-0"))
    plane.certify(plane.directory / "evil", "evil")
    folder = plane.directory / "evil"
    context = plane.tls(folder / "evil.crt", folder / "evil.key")
    plane.kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
    plane.kubectl("create", "-f", "-", stdin=pod("p", node="good-0"))
    eventually(lambda: plane.pod_running("p"))

    def ask(method, path, body=None, kind="application/merge-patch+json"):
        status, text = plane.http(method, path, json.dumps(body) if body else None, kind, context)
        return status, json.loads(text).get("message", "")
    assert ask("GET", "/api/v1/namespaces/default/secrets/s")[0] == 403
    assert ask("GET", "/api/v1/secrets")[0] == 403
    refused = ask("PATCH", "/api/v1/nodes/good-0/status", {"status": {"phase": "x"}})
    assert refused == (403, 'nodes "good-0" is forbidden: node "evil" is not allowed to modify node "good-0"')
    refused = ask("PATCH", "/api/v1/namespaces/default/pods/p/status", {"status": {"reason": "x"}})
    assert refused == (403, 'pods "p" is forbidden: node "evil" can only update pod status for pods with spec.nodeName set to itself')
    refused = ask("DELETE", "/api/v1/namespaces/default/pods/p")
    assert refused == (403, 'pods "p" is forbidden: node "evil" can only delete pods with spec.nodeName set to itself')
    refused = ask("POST", "/api/v1/nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {
        "name": "evil", "labels": {"node-restriction.kubernetes.io/x": "y"}}}, "application/json")
    assert refused == (403, 'nodes "evil" is forbidden: node "evil" is not allowed to set the following labels: '
                            'node-restriction.kubernetes.io/x')


def listening_ports(pid):
    """TCP ports that the process listens on."""
    inodes = set()
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def test_no_port_but_ours_is_open(machines):
    """CAF's network is not there at all: no port of its middleman, no library of it."""
    plane = machines.plane()
    node = machines.node(plane, "worker")
    eventually(lambda: plane.node_ready("worker-0"))
    assert listening_ports(plane.process.pid) == {plane.port, plane.link_port}
    assert listening_ports(node.process.pid) == set()
    for process in (plane.process, node.process):
        assert "libcaf_io" not in pathlib.Path(f"/proc/{process.pid}/maps").read_text()


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def short_lived(plane, folder, name, seconds):
    """Replaces the node's certificate by one that began ten minutes ago and ends soon."""
    pki, key = plane.data / "pki", folder / f"{name}.key"
    stamp = lambda at: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at))  # noqa: E731
    (folder / "index").write_text("")
    (folder / "serial").write_text("1001\n")
    (folder / "ca.conf").write_text(f"""[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}
default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\norganizationName=optional\ncommonName=supplied\n[x]
keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n""")
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)  # noqa: E731
    run("req", "-new", "-key", key, "-subj", f"/O=system:nodes/CN=system:node:{name}", "-out", folder / "csr")
    run("ca", "-batch", "-config", folder / "ca.conf", "-in", folder / "csr", "-cert", pki / "ca.crt", "-keyfile", pki / "ca.key",
        "-notext", "-startdate", stamp(time.time() - 600), "-enddate", stamp(time.time() + seconds), "-out", folder / f"{name}.crt")


def test_a_certificate_is_renewed_before_it_ends(machines, tmp_path):
    plane = machines.plane()
    node = Node(tmp_path / "n", plane, "worker")
    machines.made.append(node)
    folder = tmp_path / "n" / "pki"
    short_lived(plane, folder, "worker-0", 12)
    old = (folder / "worker-0.crt").read_text(), (folder / "worker-0.key").read_text()
    ends = time.time() + 12
    node.start()
    eventually(lambda: "certificates.renewed" in node.log.read_text())
    assert plane.node_ready("worker-0") and time.time() < ends
    new = (folder / "worker-0.crt").read_text(), (folder / "worker-0.key").read_text()
    assert new[0] != old[0] and new[1] != old[1]
    assert not (folder / "worker-0.crt.new").exists()
    plane.kubectl("create", "-f", "-", stdin=pod("a"))
    eventually(lambda: plane.logged("expired while the link was open"), 20)  # the old one's end
    assert ends - 2 < time.time() < ends + 8
    eventually(lambda: plane.log.read_text().count("link.up") == 2)
    assert plane.pod_running("a") and plane.node_ready("worker-0")
    assert "hollow container main" in eventually(lambda: plane.kubectl("logs", "a"))
    requests = plane.get("/apis/certificates.k8s.io/v1/certificatesigningrequests")["items"]
    assert [r["spec"]["username"] for r in requests] == ["system:node:worker-0"]
