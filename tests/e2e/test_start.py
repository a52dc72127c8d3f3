"""Starting and stopping: what is refused and how, who may start a cluster, signals at any time."""
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import ROOT, TROUPE, Cluster, eventually, may_skip_root_tests


def up(*arguments, seconds=30):
    """`troupe up` that is expected to end by itself: (exit code, standard error)."""
    done = subprocess.run([TROUPE, "up", *map(str, arguments)], capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stderr


# -- configuration


@pytest.mark.parametrize("text, line, says", [
    ("store:\n  backend: embedded\n  compact_secnds: 5\n", 3,
     'unknown key "store.compact_secnds"; did you mean "store.compact_seconds"?'),
    ("nodes:\n  count: three\n", 2, '"nodes.count" must be an integer, not "three"'),
    ("trace:\n  enabled: 1\n", 2, '"trace.enabled" must be a boolean, not "1"'),
    ("api_server:\n  extra_names: localhost\n", 2, '"api_server.extra_names" must be a list of strings, not "localhost"'),
    ("nodes:\n  runtime: docker\n", 2, '"nodes.runtime" must be one of auto, cri, hollow, not "docker"'),
    ("nodes:\n  count: 100001\n", 2, '"nodes.count" must be between 0 and 100000, not 100001'),
    ("log:\n  level: [\n", 3, None),
])
def test_a_wrong_configuration_names_file_and_line(tmp_path, text, line, says):
    config = tmp_path / "local.yaml"
    config.write_text(text)
    code, error = up("--config", config, "--data-dir", tmp_path / "data")
    assert code == 2
    if says:
        assert error == f"troupe up: {config}:{line}: {says}\n"
    else:
        assert error.startswith(f"troupe up: {config}:{line}: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flags, says", [
    (["--set", "nodes.cuont=2"], '--set nodes.cuont=2: unknown key "nodes.cuont"; did you mean "nodes.count"?'),
    (["--set", "nodes.count=two"], '--set nodes.count=two: "nodes.count" must be an integer, not "two"'),
    (["--set", "nodes.count"], "--set nodes.count: must have the form key=value"),
    (["--listen", "127.0.0.1"], 'api_server.listen: must be ADDRESS:PORT with a port between 0 and 65535, not "127.0.0.1"'),
    (["--listen", "127.0.0.1:70000"],
     'api_server.listen: must be ADDRESS:PORT with a port between 0 and 65535, not "127.0.0.1:70000"'),
    (["--config", "/nonexistent/local.yaml"], "cannot read configuration file /nonexistent/local.yaml"),
])
def test_a_wrong_flag_is_refused(tmp_path, flags, says):
    assert up("--data-dir", tmp_path / "data", *flags) == (2, f"troupe up: {says}\n")
    assert not (tmp_path / "data").exists()


def test_a_data_directory_is_required():
    assert up() == (2, "troupe up: data_dir: required with store.backend embedded (--data-dir DIR)\n")


def test_set_beats_the_file_and_flags_beat_both(own_cluster, tmp_path):
    config = tmp_path / "local.yaml"
    config.write_text("nodes:\n  count: 1\n  name_prefix: filed-\nlog:\n  level: debug\n")
    # Cluster passes --nodes 3.
    cluster = own_cluster(nodes=3, extra=["--config", str(config), "--set", "nodes.name_prefix=said-", "--set", "nodes.count=2"])
    cluster.start()
    names = eventually(lambda: (found := [n["metadata"]["name"] for n in cluster.get("/api/v1/nodes")["items"]]) and
                       len(found) == 3 and found)
    assert sorted(names) == ["said-0", "said-1", "said-2"]
    assert cluster.stop() == 0


# -- directories, ports


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, error = up("--data-dir", tmp_path / "data", "--listen", f"127.0.0.1:{port}", "--runtime", "hollow")
    assert (code, error.splitlines()[-1]) == (1, f"troupe up: listen on 127.0.0.1:{port}: Address already in use")
    assert not (tmp_path / "data" / "kubeconfig").exists()


def test_a_second_process_is_refused_and_leaves_the_first_alone(own_cluster):
    cluster = own_cluster(nodes=1)
    cluster.kubeconfig = cluster.data / "kubeconfig"
    cluster.arguments[cluster.arguments.index("--kubeconfig") + 1] = str(cluster.kubeconfig)
    cluster.start()
    before = {p: p.stat().st_mtime_ns for p in cluster.data.rglob("*") if p.is_file() and "trace" not in p.parts and
              "store" not in p.parts}
    code, error = up("--data-dir", cluster.data, "--listen", "127.0.0.1:0", "--runtime", "hollow")
    assert code == 1 and error.splitlines()[-1].endswith(f"{cluster.data} is in use by process {cluster.process.pid}")
    assert before == {p: p.stat().st_mtime_ns for p in before}
    cluster.kubectl("get", "nodes")
    assert cluster.stop() == 0


def test_after_kill_9_the_lock_is_free(own_cluster):
    cluster = own_cluster(nodes=0).start()
    cluster.stop(signal.SIGKILL)
    cluster.start()
    assert cluster.stop() == 0


def test_a_file_in_the_place_of_the_data_directory(tmp_path):
    (tmp_path / "data").write_text("")
    code, error = up("--data-dir", tmp_path / "data", "--runtime", "hollow")
    assert code == 1 and str(tmp_path / "data") in error.splitlines()[-1]


def test_the_permissions_of_a_directory_that_was_there_are_kept(own_cluster):
    cluster = own_cluster(nodes=0)
    cluster.data.mkdir(mode=0o755)
    cluster.data.chmod(0o755)
    cluster.start()
    assert cluster.stop() == 0
    assert cluster.data.stat().st_mode & 0o777 == 0o755
    keys = [p for p in (cluster.data / "pki").iterdir() if p.suffix == ".key"]
    assert keys and all(p.stat().st_mode & 0o077 == 0 for p in keys)


# -- without root


@pytest.fixture
def nobody(tmp_path):
    """Runs as a user without any right; the directory belongs to it."""
    if may_skip_root_tests():
        pytest.skip("takes root to become somebody else; without root every other test shows the same")
    user = pwd.getpwnam("nobody")
    # pytest's own directories can be entered by their owner only.
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_mode & 0o005 != 0o005 and parent != parent.parent:
            parent.chmod(parent.stat().st_mode | 0o005)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    # The checkout may be out of its reach.
    shutil.copy(TROUPE, tmp_path / "troupe")
    return home, ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs",
                  str(tmp_path / "troupe")]


def test_without_root_a_hollow_cluster_works(nobody):
    home, become = nobody
    cluster = Cluster(home, nodes=1)
    cluster.arguments = become + cluster.arguments[1:]
    cluster.start()
    try:
        assert f"Uid:\t{pwd.getpwnam('nobody').pw_uid}" in open(f"/proc/{cluster.process.pid}/status").read()
        cluster.kubectl("create", "-f", str(ROOT / "configs/examples/nginx.yaml"))
        eventually(lambda: cluster.pod_running("nginx"))
        assert "nginx   1/1     Running" in cluster.kubectl("get", "pods")
    finally:
        assert cluster.stop() == 0


def test_a_data_directory_that_cannot_be_written(nobody, tmp_path):
    _, become = nobody
    for directory, mode in (("locked", 0o755), ("hidden", 0o700)):
        (tmp_path / directory).mkdir(mode=mode)
        done = subprocess.run([*become, "up", "--data-dir", tmp_path / directory, "--runtime", "hollow", "--listen",
                               "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert str(tmp_path / directory) in done.stderr and done.stderr.endswith("Permission denied\n"), done.stderr
    done = subprocess.run([*become, "up", "--data-dir", tmp_path / "locked" / "below", "--runtime", "hollow"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "cannot create" in done.stderr and "Permission denied" in done.stderr


# -- signals


@pytest.mark.parametrize("delay", [0, 0.005, 0.02, 0.05, 0.1])
def test_a_signal_while_it_starts_stops_it(own_cluster, delay):
    cluster = own_cluster(nodes=3)
    cluster.start(wait=False)
    # Before main has run, the signal's default action ends the process, which is a clean stop as well.
    time.sleep(delay)
    begun = time.monotonic()
    code = cluster.stop(signal.SIGTERM, 10)
    assert code in (0, -signal.SIGTERM), cluster.log.read_text()
    assert time.monotonic() - begun < 5
    cluster.start()
    assert cluster.stop(signal.SIGINT) == 0


def test_a_signal_under_load_answers_what_is_under_way(own_cluster):
    cluster = own_cluster(nodes=2).start()
    context = cluster.tls()
    acknowledged, broken = [], []

    def write(worker):
        connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=context, timeout=30)
        for i in range(100000):
            name = f"load-{worker}-{i}"
            body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
            try:
                connection.request("POST", "/api/v1/namespaces/default/configmaps", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)
                return
            if answer.status == 201:
                acknowledged.append(name)
            if answer.status == 201 and answer.getheader("Connection") == "close":
                return

    def watch():
        connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=context, timeout=30)
        connection.request("GET", "/api/v1/configmaps?watch=1")
        answer = connection.getresponse()
        while answer.readline():
            pass
        ends.append("clean")

    ends = []
    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)] + [threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(acknowledged) > 100)
    begun = time.monotonic()
    assert cluster.stop(signal.SIGTERM, 10) == 0, cluster.log.read_text()[-2000:]
    assert time.monotonic() - begun < 5
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    # The end of the chunked stream, not a cut connection.
    assert ends == ["clean"]
    cluster.start()
    names = {i["metadata"]["name"] for i in cluster.get("/api/v1/namespaces/default/configmaps")["items"]}
    assert set(acknowledged) <= names
    assert cluster.stop() == 0


# -- kubeconfigs


def test_a_stale_kubeconfig_says_what_is_wrong(own_cluster):
    first = own_cluster(nodes=0).start()
    kubectl = [TROUPE, "kubectl", "get", "pods", "--kubeconfig", first.kubeconfig]
    assert subprocess.run(kubectl, capture_output=True, text=True).returncode == 0
    assert first.stop() == 0
    done = subprocess.run(kubectl, capture_output=True, text=True, timeout=30)
    refused = f"The connection to the server 127.0.0.1:{first.port} was refused - did you specify the right host or port?"
    assert done.returncode == 1 and refused in done.stderr
    # Another cluster on the same port: its authority is another one.
    second = own_cluster(nodes=0)
    second.arguments[second.arguments.index("--listen") + 1] = f"127.0.0.1:{first.port}"
    second.port = first.port
    second.start()
    done = subprocess.run(kubectl, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "certificate" in done.stderr, done.stderr
    assert second.stop() == 0
    # The first one again, on another port: its kubeconfig is written anew, before it is ready.
    first.port = own_cluster(nodes=0).port
    first.arguments[first.arguments.index("--listen") + 1] = f"127.0.0.1:{first.port}"
    first.start()
    assert subprocess.run(kubectl, capture_output=True, text=True, timeout=30).returncode == 0
    assert first.stop() == 0
