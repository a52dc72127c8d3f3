"""The binary's own commands."""
import subprocess

from conftest import ROOT, TROUPE, eventually


def troupe(*arguments, check=True, stdin=None):
    done = subprocess.run([TROUPE, *arguments], capture_output=True, text=True, input=stdin, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_version():
    assert troupe("version").stdout.startswith("troupe ")


def test_a_wrong_flag_names_the_right_one():
    done = troupe("up", "--kubeconfg", "x", check=False)
    assert done.returncode == 2 and "--kubeconfg" in done.stderr and 'Did you mean "--kubeconfig"?' in done.stderr


def test_a_wrong_key_names_file_line_and_the_right_one(tmp_path):
    config = tmp_path / "local.yaml"
    config.write_text("data_dir: /nowhere\napi_server:\n  listn: 127.0.0.1:1\n")
    done = troupe("up", "--config", str(config), check=False)
    assert done.returncode == 2
    assert done.stderr == f'troupe up: {config}:3: unknown key "api_server.listn"; did you mean "api_server.listen"?\n'


def test_two_processes_do_not_share_a_data_directory(hollow, tmp_path):
    done = troupe("up", "--data-dir", str(hollow.data), "--listen", "127.0.0.1:0", "--kubeconfig", str(tmp_path / "k"),
                  "--runtime", "hollow", check=False)
    assert done.returncode == 1 and str(hollow.process.pid) in done.stderr


def test_own_kubectl(hollow, namespace):
    flags = ["--kubeconfig", str(hollow.kubeconfig), "-n", namespace]
    example = str(ROOT / "configs/examples/nginx.yaml")
    assert troupe("kubectl", "create", *flags, "-f", example).stdout == "pod/nginx created\n"
    eventually(lambda: hollow.pod_running("nginx", namespace))
    header, row = troupe("kubectl", "get", "pods", *flags, "-o", "wide").stdout.splitlines()
    assert header.split()[:3] == ["NAME", "READY", "STATUS"] and row.split()[:3] == ["nginx", "1/1", "Running"]
    assert troupe("kubectl", "get", "pods", *flags, "-l", "app=nginx", "-o", "name").stdout == "pod/nginx\n"
    assert "phase: Running" in troupe("kubectl", "get", "pod", "nginx", *flags, "-o", "yaml").stdout
    eventually(lambda: "Scheduled" in troupe("kubectl", "describe", "pod/nginx", *flags).stdout)
    troupe("kubectl", "logs", *flags, "nginx")
    assert troupe("kubectl", "delete", "pod", "nginx", *flags).stdout == 'pod "nginx" deleted\n'
    gone = troupe("kubectl", "get", "pod", "nginx", *flags, check=False)
    assert gone.returncode == 1 and gone.stderr == 'Error from server (NotFound): pods "nginx" not found\n'


def test_trace_shows_and_draws(own_cluster):
    cluster = own_cluster(nodes=1).start()
    cluster.kubectl("create", "-f", str(ROOT / "configs/examples/nginx.yaml"))
    eventually(lambda: cluster.pod_running("nginx"))
    assert cluster.stop() == 0
    shown = troupe("trace", "show", str(cluster.data / "trace")).stdout
    assert "root/scheduler" in shown
    drawn = troupe("trace", "diagram", "pod/nginx", "--trace", str(cluster.data / "trace")).stdout
    assert "scheduler" in drawn and "kubelet" in drawn
    for file in (cluster.data / "trace").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
