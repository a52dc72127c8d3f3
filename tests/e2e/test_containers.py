"""Real containers: one node with a private containerd, in a network and mount namespace of its own. Takes root."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import ROOT, TROUPE, Cluster, Sandbox, eventually, may_skip_root_tests

pytestmark = pytest.mark.skipif(may_skip_root_tests(), reason="real containers take root")
IMAGES = ROOT / "build" / "images"


@pytest.fixture(scope="module")
def images():
    subprocess.run([ROOT / "tests/images/build", IMAGES], check=True, capture_output=True)
    return [IMAGES / f"{name}.tar" for name in ("pause", "busybox", "nginx")]


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox()
    yield made
    made.close()


def import_images(cluster, images):
    """As soon as containerd listens; the cluster is up before it is."""
    command = cluster.wrap([TROUPE, "image", "import", "--data-dir", cluster.data, *images])
    eventually(lambda: subprocess.run(command, capture_output=True).returncode == 0, 30)


@pytest.fixture(scope="module")
def real(tmp_path_factory, sandbox, images):
    """A cluster with one node that runs containers, shared by the tests of this file."""
    cluster = Cluster(tmp_path_factory.mktemp("real"), runtime="cri", sandbox=sandbox,
                      extra=["--set", "nodes.name_prefix=node", "--set", "nodes.heartbeat_seconds=1"]).start()
    import_images(cluster, images)
    eventually(lambda: node_ready(cluster), 30)
    yield cluster
    if cluster.process.poll() is None:
        assert cluster.stop() == 0, cluster.log.read_text()[-3000:]


def node_ready(cluster, name="node"):
    conditions = cluster.get(f"/api/v1/nodes/{name}")["status"]["conditions"]
    return [c["status"] for c in conditions if c["type"] == "Ready"] == ["True"]


def pod(name, command=None, image="localhost/busybox:1", **container):
    """A pod of one container, as an object. Underscores in names of fields stand for nothing: pass them as in JSON."""
    spec = {"terminationGracePeriodSeconds": container.pop("grace", 1)}
    for key in ("volumes", "initContainers", "restartPolicy", "hostNetwork", "shareProcessNamespace"):
        if key in container:
            spec[key] = container.pop(key)
    one = {"name": "main", "image": image, **container}
    if command:
        one["command"] = ["sh", "-c", command]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {**spec, "containers": [one]}}


def create(cluster, *objects):
    cluster.kubectl("create", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in objects))


def running(cluster, *names, seconds=30):
    """Waits until the pods run and are ready, and returns the first; says what their events are when they do not."""
    try:
        return eventually(lambda: all(cluster.pod_running(name) for name in names) and cluster.pod(names[0]), seconds)
    except AssertionError as failed:
        raise AssertionError(cluster.kubectl("describe", "pod", *names)[-4000:] + cluster.log.read_text()[-2000:]) from failed


def status(cluster, name, container="main"):
    return [c for c in cluster.pod(name)["status"].get("containerStatuses", []) if c["name"] == container][0]


def container_id(cluster, name):
    return status(cluster, name)["containerID"].removeprefix("containerd://")


def main_pid(cluster, name):
    """Of the container's first process, as seen from outside."""
    return main_pid_at(cluster, (cluster.data / "containerd" / "address").read_text().strip(), name)


def main_pid_at(cluster, address, name):
    tasks = cluster.sandbox.run("ctr", "-a", address, "-n", "k8s.io", "tasks", "list")
    return int([line.split()[1] for line in tasks.splitlines() if line.startswith(container_id(cluster, name))][0])


def phase(cluster, name):
    return cluster.pod(name)["status"].get("phase")


def events_of(cluster, name):
    return [(e["reason"], e.get("message", "")) for e in cluster.get("/api/v1/namespaces/default/events")["items"]
            if e["involvedObject"]["name"] == name]


def logs(cluster, *arguments, **options):
    return cluster.kubectl("logs", *arguments, **options)


def test_nginx_runs_and_answers(real):
    real.kubectl("create", "-f", str(ROOT / "configs/examples/nginx.yaml"))
    found = running(real, "nginx")
    ip = found["status"]["podIP"]
    assert ip.startswith("10.244.0.") and found["spec"]["nodeName"] == "node"
    assert real.sandbox.http(ip, 80) == (200, "nginx\n")
    one = found["status"]["containerStatuses"][0]
    assert re.fullmatch(r"containerd://[0-9a-f]{64}", one["containerID"])
    assert one["restartCount"] == 0 and one["imageID"]
    wide = real.kubectl("get", "pods", "nginx", "-o", "wide").splitlines()[1].split()
    assert wide[:4] == ["nginx", "1/1", "Running", "0"] and wide[5:7] == [ip, "node"]
    assert "GET /" in logs(real, "nginx") or "GET" in eventually(lambda: logs(real, "nginx"))


def test_node_describes_this_machine(real):
    node = real.get("/api/v1/nodes/node")
    info = node["status"]["nodeInfo"]
    assert info["containerRuntimeVersion"].startswith("containerd://1.")
    assert info["kernelVersion"] == os.uname().release
    assert int(node["status"]["capacity"]["cpu"]) == os.cpu_count()
    assert node["spec"]["podCIDR"] == "10.244.0.0/24"


def test_killed_from_outside_comes_back_as_another_container(real):
    create(real, pod("victim", "exec sleep 1000"))
    running(real, "victim")
    before = container_id(real, "victim")
    os.kill(main_pid(real, "victim"), signal.SIGKILL)

    def replaced():
        now = status(real, "victim")
        return now if now["restartCount"] == 1 and "running" in now["state"] else None
    # The first restart comes at once, a second one within the back-off of 10 s.
    now = eventually(replaced, 15)
    assert now["containerID"] != f"containerd://{before}"
    last = now["lastState"]["terminated"]
    assert last["containerID"] == f"containerd://{before}" and last["exitCode"] == 137
    real.kubectl("delete", "pod", "victim")


def test_probes_against_real_containers(real):
    probe = {"periodSeconds": 1, "failureThreshold": 1}
    create(real,
           pod("exec-live", "touch /tmp/ok; exec sleep 1000", livenessProbe={"exec": {"command": ["cat", "/tmp/ok"]}, **probe}),
           pod("http-ready", image="localhost/nginx:1", readinessProbe={"httpGet": {"path": "/healthz", "port": 80}, **probe},
               livenessProbe={"tcpSocket": {"port": 80}, **probe},
               startupProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 30}))
    running(real, "exec-live", "http-ready", seconds=30)

    real.kubectl("get", "pods")  # both stand
    subprocess.run(["nsenter", "-t", str(main_pid(real, "exec-live")), "-r", "-m", "rm", "/tmp/ok"], check=True)
    eventually(lambda: status(real, "exec-live")["restartCount"] >= 1, 20)
    assert any(reason == "Unhealthy" and "Liveness probe failed" in text for reason, text in events_of(real, "exec-live"))
    assert any(reason == "Killing" for reason, _ in events_of(real, "exec-live"))

    inside = ["nsenter", "-t", str(main_pid(real, "http-ready")), "-r", "-m"]
    subprocess.run([*inside, "touch", "/tmp/unhealthy"], check=True)
    eventually(lambda: not status(real, "http-ready")["ready"], 10)
    assert status(real, "http-ready")["restartCount"] == 0
    subprocess.run([*inside, "rm", "/tmp/unhealthy"], check=True)
    eventually(lambda: status(real, "http-ready")["ready"], 10)
    real.kubectl("delete", "pod", "exec-live", "http-ready")


def test_init_containers_environment_and_volumes(real, tmp_path):
    (tmp_path / "hello").write_text("from the host\n")
    env = [{"name": "PLAIN", "value": "a $(OTHER) $$(OTHER)"},
           {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
           {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "token"}}},
           {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
           {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
           {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]
    env.insert(0, {"name": "OTHER", "value": "b"})
    mounts = [{"name": "shared", "mountPath": "/shared"}, {"name": "conf", "mountPath": "/conf"},
              {"name": "hidden", "mountPath": "/hidden"}, {"name": "host", "mountPath": "/host", "readOnly": True},
              {"name": "memory", "mountPath": "/memory"}, {"name": "conf", "mountPath": "/one", "subPath": "color"}]
    subject = pod("whole", "cat /shared/first /shared/second /conf/color /hidden/token /host/hello /one; echo; "
                  "echo \"$PLAIN|$KEY|$TOKEN|$NODE|$LIMIT|$all_color\"; echo ip $POD_IP; "
                  "touch /host/x 2>/dev/null && echo writable; mount | grep -c ' /memory type tmpfs'; "
                  "stat -c %a /hidden/token; hostname; exec sleep 1000",
                  env=env, envFrom=[{"prefix": "all_", "configMapRef": {"name": "settings"}}], volumeMounts=mounts,
                  resources={"limits": {"memory": "64Mi", "cpu": "500m"}},
                  initContainers=[
                      {"name": "first", "image": "localhost/busybox:1", "command": ["sh", "-c", "echo one >/shared/first"],
                       "volumeMounts": mounts[:1]},
                      {"name": "second", "image": "localhost/busybox:1",
                       "command": ["sh", "-c", "test -s /shared/first && echo two >/shared/second"], "volumeMounts": mounts[:1]}],
                  volumes=[{"name": "shared", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}},
                           {"name": "conf", "configMap": {"name": "settings"}},
                           {"name": "hidden", "secret": {"secretName": "hidden", "defaultMode": 0o400}},
                           {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}}])
    create(real, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "blue"}},
           {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "data": {"token": "dDBw"}}, subject)
    found = running(real, "whole")
    assert all(c["state"]["terminated"]["exitCode"] == 0 for c in found["status"]["initContainerStatuses"])
    expected = ["one", "two", "bluet0pfrom the host", "blue", "a b $(OTHER)|blue|t0p|node|67108864|blue",
                f"ip {found['status']['podIP']}", "1", "400", "whole"]
    assert eventually(lambda: logs(real, "whole").splitlines()[-1:] == ["whole"]) and logs(real, "whole").splitlines() == expected
    volumes = real.data / "pods" / found["metadata"]["uid"]
    assert volumes.is_dir()
    real.kubectl("delete", "pod", "whole")
    eventually(lambda: not volumes.exists())
    eventually(lambda: not list((real.data / "logs").glob("*" + found["metadata"]["uid"])))
    real.kubectl("delete", "configmap/settings", "secret/hidden")


def test_unsupported_volume_and_missing_references_are_told(real):
    create(real, pod("odd", "sleep 1", volumes=[{"name": "v", "iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2026-01.local.x:y", "lun": 0}}]),
           pod("lacks", "sleep 1", env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]))
    eventually(lambda: any(r == "FailedMount" and "iscsi" in t for r, t in events_of(real, "odd")))
    eventually(lambda: status(real, "lacks")["state"]["waiting"]["reason"] == "CreateContainerConfigError")
    assert phase(real, "odd") == "Pending"
    real.kubectl("delete", "pod", "odd", "lacks", "--wait=false")


def test_logs(real):
    create(real, pod("talker", "for i in 1 2 3 4 5; do echo line $i; done; sleep 0.2; echo oops >&2; while [ ! -f /tmp/go ]; do sleep 0.1; done; "
                     "echo after; sleep 0.3; exit 3", restartPolicy="Always"))
    running(real, "talker")
    eventually(lambda: "oops" in logs(real, "talker"))
    assert logs(real, "talker") == "line 1\nline 2\nline 3\nline 4\nline 5\noops\n"
    assert logs(real, "talker", "--tail=2") == "line 5\noops\n"
    assert logs(real, "talker", "--tail=0") == ""
    assert logs(real, "talker", "--limit-bytes=8") == "line 1\nl"
    stamped = logs(real, "talker", "--timestamps", "--tail=1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ oops\n", stamped)
    time.sleep(2.1)
    assert logs(real, "talker", "--since=1s") == "" and logs(real, "talker", "--since=1h").startswith("line 1\n")

    tool = ROOT / "build" / "tools" / "v35" / "kubectl"
    follow = subprocess.Popen(real.wrap([tool, "--kubeconfig", real.kubeconfig, "logs", "-f", "--tail=1", "talker"]),
                              stdout=subprocess.PIPE, text=True)
    assert follow.stdout.readline() == "oops\n"
    subprocess.run(["nsenter", "-t", str(main_pid(real, "talker")), "-r", "-m", "touch", "/tmp/go"], check=True)
    # The stream ends with its container, not with the pod.
    rest, _ = follow.communicate(timeout=15)
    assert rest == "after\n"
    eventually(lambda: status(real, "talker")["restartCount"] == 1, 20)
    assert logs(real, "talker", "-p").endswith("oops\nafter\n")
    assert status(real, "talker")["lastState"]["terminated"]["exitCode"] == 3
    real.kubectl("delete", "pod", "talker")


def test_large_logs_are_rotated_and_messages_told(real):
    # 12 MB at once, then a line now and then; rotation comes within its interval of 10 s.
    create(real, pod("chatty", "yes 0123456789012345678901234567890123456789 | head -c 12000000; echo; while :; do echo tick; sleep 0.2; done"),
           pod("says", "echo it was me >/dev/termination-log; exit 5", restartPolicy="Never"),
           pod("shows", "echo seen in the log; exit 6", restartPolicy="Never", terminationMessagePolicy="FallbackToLogsOnError"))
    eventually(lambda: phase(real, "says") == "Failed" and phase(real, "shows") == "Failed", 20)
    assert status(real, "says")["state"]["terminated"]["message"] == "it was me\n"
    assert status(real, "shows")["state"]["terminated"]["message"] == "seen in the log\n"
    running(real, "chatty")
    folder = real.data / "logs" / f"default_chatty_{real.pod('chatty')['metadata']['uid']}" / "main"
    eventually(lambda: len(list(folder.glob("0.log.*"))) == 1 and (folder / "0.log").stat().st_size < 1 << 20, 30)
    assert eventually(lambda: logs(real, "chatty").startswith("tick\n"))
    real.kubectl("delete", "pod", "chatty", "says", "shows")


def test_long_lines_are_whole(real):
    create(real, pod("wide", "head -c 100000 /dev/zero | tr '\\0' x; echo; exec sleep 1000"))
    running(real, "wide")
    assert eventually(lambda: logs(real, "wide") == "x" * 100000 + "\n")
    real.kubectl("delete", "pod", "wide")


def test_graceful_deletion(real):
    create(real, pod("polite", "trap 'echo bye; sleep 1; echo gone; exit 0' TERM; echo up; while :; do sleep 0.1; done", grace=20),
           pod("stubborn", "trap '' TERM; while :; do sleep 0.1; done", grace=2))
    running(real, "polite", "stubborn", seconds=20)
    eventually(lambda: logs(real, "polite") == "up\n")
    tool = ROOT / "build" / "tools" / "v35" / "kubectl"
    follow = subprocess.Popen(real.wrap([tool, "--kubeconfig", real.kubeconfig, "logs", "-f", "polite"]), stdout=subprocess.PIPE, text=True)
    begun = time.monotonic()
    real.kubectl("delete", "pod", "polite")
    assert 0.9 < time.monotonic() - begun < 10  # waited for, not for the whole grace period
    assert follow.communicate(timeout=10)[0] == "up\nbye\ngone\n"
    begun = time.monotonic()
    real.kubectl("delete", "pod", "stubborn")
    assert 1.9 < time.monotonic() - begun < 10
    create(real, pod("stubborn", "trap '' TERM; while :; do sleep 0.1; done", grace=300))
    running(real, "stubborn")
    begun = time.monotonic()
    real.kubectl("delete", "pod", "stubborn", "--grace-period=0", "--force")
    eventually(lambda: real.kubectl("get", "pod", "stubborn", check=False).returncode == 1)
    assert time.monotonic() - begun < 10


def test_jobs_like_pods_end(real):
    create(real, pod("good", "exit 0", restartPolicy="Never"), pod("bad", "exit 4", restartPolicy="Never"),
           pod("crashing", "exit 1"))
    eventually(lambda: phase(real, "good") == "Succeeded" and phase(real, "bad") == "Failed", 20)
    assert status(real, "bad")["state"]["terminated"]["exitCode"] == 4

    def backs_off():
        now = status(real, "crashing")
        return now["restartCount"] >= 1 and now["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
    eventually(backs_off, 20)
    assert any(reason == "BackOff" for reason, _ in events_of(real, "crashing"))
    real.kubectl("delete", "pod", "good", "bad", "crashing")


def test_memory_limit_is_enforced(real):
    create(real, pod("greedy", "tail /dev/zero", resources={"limits": {"memory": "16Mi"}}))
    # containerd hears of the exit and of the reason by different ways: when the exit comes first, the reason is Error.
    def ended():
        found = [s[state]["terminated"] for s in [status(real, "greedy")] for state in ("state", "lastState") if "terminated" in s.get(state, {})]
        return {(one["reason"], one["exitCode"]) for one in found}
    eventually(lambda: ("OOMKilled", 137) in ended(), 60)
    real.kubectl("delete", "pod", "greedy")


def test_image_that_is_nowhere(real):
    create(real, pod("nowhere", "sleep 1", image="localhost:1/none:1"))
    eventually(lambda: status(real, "nowhere")["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff"), 30)
    create(real, pod("never", "sleep 1", image="localhost/none:2", imagePullPolicy="Never"))
    eventually(lambda: status(real, "never")["state"]["waiting"]["reason"] == "ErrImageNeverPull", 30)
    real.kubectl("delete", "pod", "nowhere", "never")


def test_dead_containerd_is_told_and_comes_back(real):
    create(real, pod("steady", "exec sleep 1000"))
    running(real, "steady")
    before, tag = container_id(real, "steady"), (real.data / "containerd" / "address").read_text().split("/")[2]
    pid_file = f"/run/{tag}/containerd.pid"
    pid = int(real.sandbox.run("cat", pid_file))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: int(real.sandbox.run("cat", pid_file)) != pid, 20)
    eventually(lambda: any(reason == "ContainerRuntimeLost" for reason, _ in events_of(real, "node")) or not node_ready(real), 20)
    eventually(lambda: node_ready(real), 30)
    assert container_id(real, "steady") == before and status(real, "steady")["restartCount"] == 0
    # And it works: a new pod runs.
    create(real, pod("later", "exec sleep 1000"))
    running(real, "later")
    real.kubectl("delete", "pod", "steady", "later")


def test_driver_that_crashes_is_restarted(real):
    create(real, pod("calm", "exec sleep 1000"))
    running(real, "calm")
    before = container_id(real, "calm")
    for part in ("runtime", "kubelet"):
        real.http("POST", f"/debug/troupe/crash?path=root%2Fnodes%2Fnode%2F{part}")
        eventually(lambda: "running" in status(real, "calm")["state"] and node_ready(real))
        os.kill(main_pid(real, "calm"), signal.SIGKILL)
        eventually(lambda: container_id(real, "calm") != before and real.pod_running("calm"), 40)
        before = container_id(real, "calm")
    real.kubectl("delete", "pod", "calm")


def test_kill_9_leaves_the_containers_and_the_next_start_adopts_them(real):
    create(real, pod("survivor", "echo alive; while :; do date; sleep 0.2; done"))
    running(real, "survivor")
    before, pid = container_id(real, "survivor"), main_pid(real, "survivor")
    real.stop(signal.SIGKILL)
    time.sleep(1)
    assert pathlib.Path(f"/proc/{pid}").exists()
    real.start()
    eventually(lambda: node_ready(real), 30)
    running(real, "survivor")
    # What is stored says Ready until the kubelet has looked: containerd may not be back yet.
    eventually(lambda: main_pid(real, "survivor") == pid, 30)
    assert container_id(real, "survivor") == before and status(real, "survivor")["restartCount"] == 0
    assert logs(real, "survivor").startswith("alive\n")
    os.kill(pid, signal.SIGKILL)  # it is watched again
    eventually(lambda: status(real, "survivor")["restartCount"] == 1, 20)


def tag_of(data):
    """The name that a data directory gives to what is made for it: FNV-1a folded to 32 bits."""
    value = 14695981039346656037
    for byte in str(data).encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"troupe-{(value ^ value >> 32) % 2**32:08x}"


def machine(sandbox, data):
    """What a clean stop must leave as it was."""
    tag = tag_of(data)
    own = os.readlink(f"/proc/{sandbox.holder.pid}/ns/mnt")
    processes = set()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == sandbox.holder.pid:
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups = (entry / "cgroup").read_text()
            if os.readlink(entry / "ns" / "mnt") == own or tag in groups or tag in words:
                processes.add(words)
        except OSError:
            continue
    cgroups = {str(path) for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/{tag}*")}
    mounts = {line.split()[4] for line in sandbox.run("cat", "/proc/self/mountinfo").splitlines()}
    return {
        "processes": processes, "mounts": mounts, "cgroups": cgroups,
        "links": {link["ifname"] for link in json.loads(sandbox.run("ip", "-j", "link"))},
        "routes": sandbox.run("ip", "route"), "nft": sandbox.run("nft", "list", "ruleset"),
        "iptables": {rule for tool in ("iptables-save", "ip6tables-save")
                     for rule in sandbox.run(tool).splitlines() if not rule.startswith("#")},
        "forwarding": sandbox.run("cat", "/proc/sys/net/ipv4/ip_forward"),
        "run": sandbox.run("ls", "/run"), "pods": (data / "pods").exists(), "logs": (data / "logs").exists(),
    }


def left_over(before, after):
    """What there is now and was not before. Others may start and end their own things on the host meanwhile."""
    more = {key: after[key] - before[key] if isinstance(after[key], set) else after[key]
            for key in after if after[key] != before[key]}
    return {key: value for key, value in more.items() if value or not isinstance(value, set)}


def test_clean_stop_leaves_nothing_and_a_second_up_finds_all(tmp_path, images):
    sandbox = Sandbox()
    try:
        cluster = Cluster(tmp_path, runtime="cri", sandbox=sandbox, extra=["--set", "nodes.name_prefix=node"])
        before = machine(sandbox, cluster.data)
        cluster.start()
        import_images(cluster, images)
        create(cluster, pod("first", "trap '' TERM; while :; do sleep 1; done", volumes=[{"name": "m", "emptyDir": {"medium": "Memory"}}],
                            volumeMounts=[{"name": "m", "mountPath": "/m"}]),
               pod("published", image="localhost/nginx:1", ports=[{"containerPort": 80, "hostPort": 8080}]))
        running(cluster, "first", "published", seconds=40)
        assert sandbox.http("127.0.0.1", 8080)[0] == 200
        during = machine(sandbox, cluster.data)
        assert all(during[key] != before[key] for key in ("processes", "mounts", "cgroups", "links", "nft", "pods"))
        old = container_id(cluster, "first")
        assert cluster.stop() == 0, cluster.log.read_text()[-3000:]
        assert left_over(before, machine(sandbox, cluster.data)) == {}

        cluster.start()
        eventually(lambda: node_ready(cluster), 30)
        running(cluster, "first", "published", seconds=60)
        # What is stored says Running until the kubelet has looked.
        eventually(lambda: container_id(cluster, "first") != old and status(cluster, "first")["restartCount"] == 1, 30)
        assert cluster.stop() == 0
        assert left_over(before, machine(sandbox, cluster.data)) == {}
    finally:
        if cluster.process and cluster.process.poll() is None:
            cluster.stop()
        sandbox.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory, images):
    """Two nodes that share a containerd, in a machine of their own."""
    sandbox = Sandbox()
    settings = {"nodes.name_prefix": "node", "nodes.heartbeat_seconds": 1, "controllers.node_grace_seconds": 4}
    extra = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    cluster = Cluster(tmp_path_factory.mktemp("pair"), runtime="cri", nodes=2, sandbox=sandbox, extra=extra)
    before = machine(sandbox, cluster.data)
    try:
        cluster.start()
        import_images(cluster, images)
        eventually(lambda: node_ready(cluster, "node-0") and node_ready(cluster, "node-1"), 30)
        yield cluster
        assert cluster.stop() == 0
        assert left_over(before, machine(sandbox, cluster.data)) == {}
    finally:
        if cluster.process and cluster.process.poll() is None:
            cluster.stop()
        sandbox.close()


def test_two_nodes_each_with_its_pods_and_addresses(pair):
    for i in (0, 1):
        one = pod(f"on-{i}", image="localhost/nginx:1")
        one["spec"]["nodeName"] = f"node-{i}"
        create(pair, one)
    running(pair, "on-0", "on-1")
    addresses = [pair.pod(f"on-{i}")["status"]["podIP"] for i in (0, 1)]
    assert addresses[0].startswith("10.244.0.") and addresses[1].startswith("10.244.1.")
    # From a pod of one node to a pod of the other.
    create(pair, pod("asker", f"wget -q -O - http://{addresses[1]}/; exec sleep 1000"))
    running(pair, "asker")
    assert eventually(lambda: logs(pair, "asker") == "on-1\n")
    # A kubelet that starts anew removes what it does not know: nothing of the other node.
    ids = [container_id(pair, f"on-{i}") for i in (0, 1)]
    pair.http("POST", "/debug/troupe/crash?path=root%2Fnodes%2Fnode-0%2Fkubelet")
    time.sleep(2)
    assert [container_id(pair, f"on-{i}") for i in (0, 1)] == ids and pair.pod_running("on-0") and pair.pod_running("on-1")
    pair.kubectl("delete", "pod", "on-0", "on-1", "asker")


def test_a_node_that_falls_silent_is_replaced_and_may_return(pair):
    template = pod("web", image="localhost/nginx:1")
    template["spec"]["tolerations"] = [{"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute",
                                        "tolerationSeconds": 2} for why in ("not-ready", "unreachable")]
    create(pair, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 4, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}}})

    def pods():
        return [p for p in pair.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]
                if "deletionTimestamp" not in p["metadata"]]

    def ready(count=4):
        good = [p for p in pods() if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))]
        return len(good) == count and {p["spec"]["nodeName"] for p in good}
    assert eventually(ready, 40) == {"node-0", "node-1"}
    run = [TROUPE, "debug", "stop", "--kubeconfig", pair.kubeconfig, "root/nodes/node-1/kubelet"]
    assert pair.sandbox.run(*run) == "stopped root/nodes/node-1/kubelet\n"
    eventually(lambda: not node_ready(pair, "node-1"), 20)
    assert eventually(lambda: ready() == {"node-0"} and {"node-0"}, 40)
    run[2] = "start"
    pair.sandbox.run(*run)
    eventually(lambda: node_ready(pair, "node-1"), 20)
    # What it ran meanwhile goes: deleted pods leave the API only when their containers are gone.
    eventually(lambda: len(pair.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]) == 4, 30)
    pair.kubectl("delete", "deployment", "web")
    eventually(lambda: not pods(), 30)


def test_a_runtime_that_runs_already_is_used_and_left_alone(real, tmp_path):
    create(real, pod("host-pod", "exec sleep 1000"))
    running(real, "host-pod")
    socket = (real.data / "containerd" / "address").read_text().strip()
    guest = Cluster(tmp_path, runtime="auto", sandbox=real.sandbox,
                    extra=["--set", f"nodes.cri_socket={socket}", "--set", "nodes.name_prefix=guest"])
    guest.port = 6444
    guest.arguments[guest.arguments.index("--listen") + 1] = "127.0.0.1:6444"
    guest.start()
    try:
        eventually(lambda: node_ready(guest, "guest"), 30)
        create(guest, pod("visitor", "exec sleep 1000"))
        running(guest, "visitor")
        pid = main_pid_at(guest, socket, "visitor")
    finally:
        assert guest.stop() == 0
    assert not pathlib.Path(f"/proc/{pid}").exists()
    assert status(real, "host-pod")["restartCount"] == 0 and pathlib.Path(f"/proc/{main_pid(real, 'host-pod')}").exists()
    real.kubectl("delete", "pod", "host-pod")


def test_a_machine_that_cannot_says_why(tmp_path):
    sandbox = Sandbox()
    try:
        sandbox.run("sh", "-c", "mkdir /run/empty && mount --bind /run/empty /usr/lib/cni")
        demanding = Cluster(tmp_path, runtime="cri", sandbox=sandbox)
        done = subprocess.run(demanding.wrap(demanding.arguments), capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and "nodes.runtime cri: " in done.stderr and "containernetworking-plugins" in done.stderr
        content = Cluster(tmp_path, runtime="auto", sandbox=sandbox).start()
        assert "containernetworking-plugins" in content.log.read_text()
        assert content.get("/api/v1/nodes")["items"][0]["metadata"]["name"] == "hollow-0"
        assert content.stop() == 0
    finally:
        sandbox.close()
