"""One pod's life on a hollow node, by unmodified kubectl."""
import json
import subprocess

from conftest import ROOT, eventually

POD = (ROOT / "configs/examples/nginx.yaml").read_text()


def test_create_get_describe_delete(hollow, kubectl, namespace):
    assert kubectl("create", "-n", namespace, "-f", "-", stdin=POD) == "pod/nginx created\n"
    pod = eventually(lambda: hollow.pod_running("nginx", namespace))
    assert pod["status"]["podIP"].startswith("10.244.")
    assert pod["spec"]["nodeName"].startswith("hollow-")

    header, row = kubectl("get", "pods", "-n", namespace, "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert row.split()[:4] == ["nginx", "1/1", "Running", "0"]
    assert row.split()[5:] == [pod["status"]["podIP"], pod["spec"]["nodeName"], "<none>", "<none>"]

    def described():
        description = " ".join(kubectl("describe", "pod", "nginx", "-n", namespace).split())
        assert "Status: Running" in description
        assert f"Successfully assigned {namespace}/nginx to {pod['spec']['nodeName']}" in description
        assert "Started" in description and "QoS Class: BestEffort" in description
        return True
    eventually(described)

    assert f'pod "nginx" deleted' in kubectl("delete", "pod", "nginx", "-n", namespace)
    gone = kubectl("get", "pod", "nginx", "-n", namespace, check=False)
    assert gone.returncode == 1
    assert gone.stderr == 'Error from server (NotFound): pods "nginx" not found\n'


def test_create_twice_is_refused(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=POD)
    again = kubectl("create", "-n", namespace, "-f", "-", stdin=POD, check=False)
    assert again.returncode == 1
    assert 'Error from server (AlreadyExists): error when creating "STDIN": pods "nginx" already exists\n' == again.stderr


def test_apply_creates_configures_and_leaves_alone(hollow, kubectl, namespace):
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=POD) == "pod/nginx created\n"
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=POD) == "pod/nginx unchanged\n"
    changed = POD.replace("app: nginx", "app: nginx\n    tier: front")
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=changed) == "pod/nginx configured\n"
    assert hollow.pod("nginx", namespace)["metadata"]["labels"] == {"app": "nginx", "tier": "front"}
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=POD) == "pod/nginx configured\n"
    assert hollow.pod("nginx", namespace)["metadata"]["labels"] == {"app": "nginx"}


def test_watch_shows_the_pod_come_and_go(hollow, kubectl, namespace):
    tool = ROOT / "build" / "tools" / kubectl.version / "kubectl"
    watch = subprocess.Popen([tool, "--kubeconfig", hollow.kubeconfig, "get", "pods", "-n", namespace, "-o", "wide", "-w"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = []
    try:
        # A pod runs within milliseconds: it is made when the watch is known to be open.
        kubectl("create", "-n", namespace, "-f", "-", stdin=POD.replace("name: nginx", "name: first", 1))
        shown = watch.stdout.readline()
        while not shown.startswith("first "):
            lines.append(shown)
            shown = watch.stdout.readline()
        kubectl("create", "-n", namespace, "-f", "-", stdin=POD)
        eventually(lambda: hollow.pod_running("nginx", namespace))
        kubectl("delete", "pod", "nginx", "-n", namespace)
    finally:
        eventually(lambda: True)
        watch.terminate()
    assert lines[0].split()[:4] == ["NAME", "READY", "STATUS", "RESTARTS"]
    states = [line.split()[2] for line in watch.stdout.read().splitlines() if line.startswith("nginx ")]
    assert states[0] == "Pending" and "Running" in states and "Terminating" in states


def test_labels_fields_and_outputs(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=POD)
    kubectl("create", "-n", namespace, "-f", "-", stdin=POD.replace("nginx", "other"))
    assert kubectl("get", "pods", "-n", namespace, "-l", "app=other", "-o", "name") == "pod/other\n"
    assert kubectl("get", "pods", "-n", namespace, "-l", "app notin (other)", "-o", "name") == "pod/nginx\n"
    assert kubectl("get", "pods", "-n", namespace, "--field-selector", "metadata.name=other", "-o", "name") == "pod/other\n"
    listed = json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json"))
    assert [i["metadata"]["name"] for i in listed["items"]] == ["nginx", "other"]
    assert "name: other" in kubectl("get", "pod", "other", "-n", namespace, "-o", "yaml")
    assert kubectl("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}") == "nginx other"


def test_pinned_to_one_node(hollow, kubectl, namespace):
    node = "hollow-1"
    pinned = POD.replace("spec:\n", f"spec:\n  nodeSelector:\n    kubernetes.io/hostname: {node}\n", 1)
    kubectl("create", "-n", namespace, "-f", "-", stdin=pinned)
    pod = eventually(lambda: hollow.pod_running("nginx", namespace))
    assert pod["spec"]["nodeName"] == node


def test_why_a_pod_is_not_scheduled(hollow, kubectl, namespace):
    nowhere = POD.replace("spec:\n", "spec:\n  nodeSelector:\n    no: where\n", 1)
    kubectl("create", "-n", namespace, "-f", "-", stdin=nowhere)

    def condition():
        return [c for c in hollow.pod("nginx", namespace)["status"].get("conditions", []) if c["type"] == "PodScheduled"][0]
    found = eventually(condition)
    assert found["status"] == "False" and found["reason"] == "Unschedulable"
    assert found["message"].startswith("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.")
    eventually(lambda: "FailedScheduling" in kubectl("describe", "pod", "nginx", "-n", namespace))


def test_logs_of_a_hollow_container(kubectl, hollow, namespace):
    logging = POD.replace("  labels:", "  annotations:\n    troupe.dev/hollow-log: hello from the hollow\n  labels:")
    kubectl("create", "-n", namespace, "-f", "-", stdin=logging)
    eventually(lambda: hollow.pod_running("nginx", namespace))
    assert "hello from the hollow" in kubectl("logs", "nginx", "-n", namespace)
