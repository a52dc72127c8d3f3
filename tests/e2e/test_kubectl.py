"""kubectl's verbs, one after the other, as a user types them; the output is Kubernetes'."""
import json
import os

from conftest import ROOT, eventually

WEB = (ROOT / "configs/examples/web.yaml").read_text()


class Shell:
    """kubectl in one namespace."""

    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl, namespace

    def __call__(self, line, **options):
        return self.kubectl("-n", self.namespace, *line.split(), **options)

    def says(self, line, expected, **options):
        assert self(line, **options) == expected

    def refuses(self, line, expected, **options):
        done = self(line, check=False, **options)
        assert done.returncode == 1 and expected in done.stderr, (done.stdout, done.stderr)


def web(kubectl, namespace):
    run = Shell(kubectl, namespace)
    run("apply -f -", stdin=WEB)
    run("rollout status deployment/web --timeout=30s")
    return run


def test_apply_diff_edit_replace(kubectl, namespace, tmp_path, monkeypatch):
    run = Shell(kubectl, namespace)
    run.says("apply -f -", "deployment.apps/web created\nservice/web created\n", stdin=WEB)
    run.says("apply -f -", "deployment.apps/web unchanged\nservice/web unchanged\n", stdin=WEB)
    # Nobody but the user has changed anything: the generation is the first.
    eventually(lambda: json.loads(run("get deployment web -o json"))["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
    assert run("get deployment web -o jsonpath={.metadata.generation}") == "1"
    four = WEB.replace("replicas: 3", "replicas: 4")
    done = run("diff -f -", stdin=four, check=False)
    assert done.returncode == 1 and "-  replicas: 3" in done.stdout and "+  replicas: 4" in done.stdout
    run.says("apply -f - --dry-run=server",
             "deployment.apps/web configured (server dry run)\nservice/web unchanged (server dry run)\n", stdin=four)
    assert run("get deployment web -o jsonpath={.spec.replicas}") == "3"
    run("apply -f -", stdin=four)
    assert run("get deployment web -o jsonpath={.spec.replicas}") == "4"
    run.refuses("create -f -", 'deployments.apps "web" already exists', stdin=WEB)
    run.refuses("apply --server-side -f -", "Server-side apply not available on the server", stdin=WEB)

    run("create configmap m --from-literal=a=b")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/a: b/a: edited/" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(editor))
    run.says("edit configmap m", "configmap/m edited\n")
    assert run("get configmap m -o jsonpath={.data}") == '{"a":"edited"}'
    shown = run("get configmap m -o yaml")
    run.says("replace -f -", "configmap/m replaced\n", stdin=shown.replace("edited", "replaced"))
    run.refuses("replace -f -", "Operation cannot be fulfilled on configmaps \"m\": the object has been modified", stdin=shown)
    assert "configmap/m replaced\n" in run("replace --force -f -", stdin=shown)


def test_get_in_every_form(kubectl, namespace, hollow):
    run = web(kubectl, namespace)
    names = run("get pods -o name --sort-by=.metadata.name").split()
    assert len(names) == 3 and all(name.startswith("pod/web-") for name in names)
    wide = run("get deployment web -o wide").splitlines()
    assert wide[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    columns = run("get pods -o custom-columns=P:.status.phase,N:.spec.containers[*].name").splitlines()
    assert columns[0].split() == ["P", "N"] and [c.split() for c in columns[1:]] == [["Running", "nginx"]] * 3
    assert "app=web" in run("get pods --show-labels")
    assert {line.split()[0].split("/")[0] for line in run("get all").splitlines() if "/" in line.split(" ")[0]} == {
        "pod", "service", "deployment.apps", "replicaset.apps"}
    rows = run("get deployment web --subresource=scale").splitlines()
    assert rows[0].split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"] and rows[1].split()[:3] == ["web", "3", "3"]
    done = run("get endpoints web", check=False)
    assert "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" in done.stderr
    addresses = {p["status"]["podIP"] for p in hollow.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Dweb")["items"]}
    eventually(lambda: {a["ip"] for s in json.loads(run("get endpoints web -o json")).get("subsets", [])
                        for a in s.get("addresses", [])} == addresses)
    run.refuses("get pods absent", 'Error from server (NotFound): pods "absent" not found')
    run.refuses("get things", 'the server doesn\'t have a resource type "things"')


def test_describe(kubectl, namespace):
    run = web(kubectl, namespace)
    text = run("describe deployment web")
    assert "Replicas:               3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in text
    assert "NewReplicaSet:   web-" in text and "Scaled up replica set web-" in text
    eventually(lambda: "Successfully assigned" in run("describe pods -l app=web"))
    assert "Controlled By:  Deployment/web" in run("describe replicaset -l app=web")
    assert "Endpoints:                10.244." in run("describe service web")
    assert "Ready            True" in run("describe node hollow-0")
    run("create secret generic s --from-literal=a=bc")
    assert "a:  2 bytes" in run("describe secret s")
    run("create role r --verb=get --resource=pods")
    assert "pods       []                 []              [get]" in run("describe role r")


def test_rollouts(kubectl, namespace):
    run = web(kubectl, namespace)
    run.says("set image deployment/web nginx=localhost/nginx:2", "deployment.apps/web image updated\n")
    run("rollout status deployment/web --timeout=30s")
    assert [line.split()[0] for line in run("rollout history deployment/web").splitlines()[2:] if line] == ["1", "2"]
    assert "localhost/nginx:2" in run("rollout history deployment/web --revision=2")
    run.says("rollout undo deployment/web --to-revision=1", "deployment.apps/web rolled back\n")
    run.says("rollout restart deployment/web", "deployment.apps/web restarted\n")
    run("rollout status deployment/web --timeout=30s")
    run("rollout pause deployment/web")
    run.refuses("rollout pause deployment/web", 'deployments.apps "web" is already paused')
    run("set env deployment/web A=b")
    run.says("set env deployment/web --list", "# Deployment web, container nginx\nA=b\n")
    run.refuses("rollout status deployment/web --timeout=1s", "timed out waiting for the condition")
    run("rollout resume deployment/web")
    run("rollout status deployment/web --timeout=30s")
    run.refuses("scale deployment/web --current-replicas=9 --replicas=2", "Expected replicas to be 9, was 3")
    run("autoscale deployment/web --min=1 --max=3")
    assert "Deployment/web" in run("get hpa")


def test_nodes_are_cordoned_tainted_and_drained(kubectl, namespace, hollow):
    run = web(kubectl, namespace)
    try:
        run.says("cordon hollow-2", "node/hollow-2 cordoned\n")
        assert "Ready,SchedulingDisabled" in run("get node hollow-2")
        # A budget lets pods go as others come.
        run("create poddisruptionbudget b --selector=app=web --min-available=2")
        eventually(lambda: run("get poddisruptionbudget b --no-headers").split()[3] == "1")
        out = run("drain hollow-2 --ignore-daemonsets --force --timeout=60s")
        assert "node/hollow-2 drained\n" in out
        on_node = hollow.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dhollow-2")["items"]
        assert [p for p in on_node if p["metadata"]["namespace"] == namespace] == []
        run("rollout status deployment/web --timeout=30s")
        run("taint node hollow-2 k=v:NoSchedule")
        run.refuses("taint node hollow-2 k=v:NoSchedule", "already has k taint(s) with same effect(s)")
        run.says("taint node hollow-2 k-", "node/hollow-2 untainted\n")
        run("create poddisruptionbudget all --selector=app=web --min-available=3")
        run("delete poddisruptionbudget b")
        eventually(lambda: run("get poddisruptionbudget all --no-headers").split()[3] == "0")
        run.refuses("drain hollow-1 --ignore-daemonsets --force --timeout=1s",
                    "Cannot evict pod as it would violate the pod's disruption budget.")
    finally:
        run("uncordon hollow-1 hollow-2")


def test_labels_patches_and_waits(kubectl, namespace):
    run = Shell(kubectl, namespace)
    run.says("run p --image=localhost/x --labels=a=b --env=X=y --port=80", "pod/p created\n")
    run.says("wait --for=condition=Ready pod/p --timeout=20s", "pod/p condition met\n")
    run.says("wait --for=jsonpath={.status.phase}=Running pod/p --timeout=20s", "pod/p condition met\n")
    run.refuses("label pod p a=c", "'a' already has a value (b), and --overwrite is false")
    run.says("label pod p a=c --overwrite", "pod/p labeled\n")
    run.says("annotate pod p note=hi", "pod/p annotated\n")
    run.refuses('patch pod p -p {"spec":{"nodeName":"zzz"}}', "spec: Forbidden: pod updates may not change fields other than")
    run.says('patch pod p -p {"spec":{"activeDeadlineSeconds":100}}', "pod/p patched\n")
    assert run("logs p --tail=1 --timestamps").startswith("20")
    assert "hollow container p" in run("logs -l a=c --all-containers --prefix")
    run.refuses("logs p -p", 'previous terminated container "p" in pod "p" not found')
    run.refuses("exec p -- ls", "the runtime of this node is simulated (hollow): its containers have no processes")
    run.refuses("top pods", "Metrics API not available")
    run.refuses("create token default", "the server does not support the token subresource of serviceaccounts yet")
    assert run("events --for pod/p", check=False).returncode == 0
    run.says("expose pod p --port=80", "service/p exposed\n")
    assert "deleted" in run("delete pod p --grace-period=0 --force")
    run.refuses("delete pod p", 'pods "p" not found')


def test_creators(kubectl, namespace):
    run = Shell(kubectl, namespace)
    for line, made in (("deployment d --image=i --replicas=0", "deployment.apps/d"), ("job j --image=i", "job.batch/j"),
                       ("configmap m --from-literal=a=b", "configmap/m"), ("serviceaccount a", "serviceaccount/a"),
                       ("quota q --hard=pods=1", "resourcequota/q"), ("service nodeport n --tcp=80:80", "service/n"),
                       ("service externalname e --external-name=a.example.com", "service/e"),
                       ("ingress i --rule=a.example.com/x=n:80", "ingress.networking.k8s.io/i"),
                       ("poddisruptionbudget b --selector=a=b --min-available=1", "poddisruptionbudget.policy/b"),
                       ("rolebinding r --clusterrole=view --serviceaccount=default:default", "rolebinding.rbac.authorization.k8s.io/r")):
        run.says("create " + line, made + " created\n")
    assert "Warning: Job objects are stored, but this server does not act on them yet" in run(
        "create job k --image=i", check=False).stderr
    run("delete all --all")
    # Storage in use protection lets go of what nobody uses, so that the namespace can end.
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    run("create -f -", stdin=json.dumps(claim))
    assert run("get pvc c -o jsonpath={.metadata.finalizers}") == '["kubernetes.io/pvc-protection"]'
    run("delete pvc c --timeout=20s")


def test_every_kind_is_explained(hollow, kubectl):
    """explain of every kind that discovery names."""
    if kubectl.version != "v35":
        return  # the schemas are the server's: one client is enough
    failed = []
    for line in kubectl("api-resources", "--no-headers").splitlines():
        name, version, kind = line.split()[0], line.split()[-3], line.split()[-1]
        done = kubectl("explain", name, "--api-version", version, check=False)
        if done.returncode != 0 or f"KIND:       {kind}" not in done.stdout:
            failed.append((name, version, done.stderr))
    assert failed == []


def test_helm(hollow, namespace, tmp_path):
    """The life of a small chart. Helm 3 applies by patches, helm 4 when told to."""
    chart = tmp_path / "tiny"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("replicas: 2\n")
    (chart / "templates" / "all.yaml").write_text(WEB.replace("replicas: 3", "replicas: {{ .Values.replicas }}"))
    import subprocess
    for version, own in (("v32", []), ("v35", ["--server-side=false"])):
        def helm(command, *arguments):
            done = subprocess.run([ROOT / "build/tools" / version / "helm", command, *arguments, "-n", namespace], text=True,
                                  capture_output=True, timeout=120, env={
                                      **os.environ, "KUBECONFIG": str(hollow.kubeconfig), "HELM_CACHE_HOME": str(tmp_path / "cache"),
                                      "HELM_CONFIG_HOME": str(tmp_path / "config"), "HELM_DATA_HOME": str(tmp_path / "data")})
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            return done.stdout

        def replicas():
            return hollow.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")["spec"]["replicas"]
        helm("install", "tiny", str(chart), "--wait", "--timeout", "60s", *own)
        helm("upgrade", "tiny", str(chart), "--set", "replicas=1", "--wait", "--timeout", "60s", *own)
        assert replicas() == 1
        helm("rollback", "tiny", "1", "--wait", "--timeout", "60s", *own)
        assert replicas() == 2 and "tiny-0.1.0" in helm("list")
        helm("uninstall", "tiny")
        eventually(lambda: hollow.http("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/web")[0] == 404)


LIST = """
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: one}
- apiVersion: v1
  kind: Secret
  metadata: {name: two}
  stringData: {a: b}
"""


def test_a_list_is_checked_and_made_item_by_item(kubectl, namespace):
    made = kubectl("create", "-n", namespace, "-f", "-", stdin=LIST)
    assert made.splitlines() == ["configmap/one created", "secret/two created"]
    assert kubectl("get", "secret", "two", "-n", namespace, "-o", "jsonpath={.data.a}") == "Yg=="
    wrong = kubectl("create", "-n", namespace, "-f", "-", stdin=LIST.replace("stringData", "strongData"), check=False)
    assert wrong.returncode != 0 and 'unknown field "strongData"' in wrong.stderr
