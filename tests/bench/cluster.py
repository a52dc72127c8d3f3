#!/usr/bin/env python3
"""Simulated nodes of a second process join a control plane over the cluster link: how long until all are Ready, how large
it is. Then what the link costs a request (link_bench)."""
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from cluster import Maker  # noqa: E402


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def ready(plane):
    nodes = plane.get("/api/v1/nodes")["items"]
    return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"]) for n in nodes)


def main(count):
    with tempfile.TemporaryDirectory() as directory:
        maker = Maker(directory)
        try:
            # Each node has a /24: the default range has room for 256.
            ranges = ["--set", "nodes.pod_cidr=10.128.0.0/9"]
            plane = maker.plane(extra=["--set", "controllers.node_grace_seconds=40", *ranges])
            before = resident_kib(plane.process.pid)
            begun = time.monotonic()
            # Certificates are made before the process starts; heartbeats are Kubernetes' own ten seconds.
            node = maker.node(plane, "many", count=count, extra=["--set", "nodes.heartbeat_seconds=10", *ranges])
            started = time.monotonic()
            while (now := ready(plane)) < count:
                if time.monotonic() - started > 120:
                    raise SystemExit(f"{now} of {count} nodes are Ready after two minutes")
                time.sleep(0.25)
            took = time.monotonic() - started
            time.sleep(3)
            print(f"{count} nodes Ready {took:.2f} s after their process began ({started - begun:.1f} s for their certificates)")
            print(f"node process {resident_kib(node.process.pid) / count:.0f} KiB a node, "
                  f"control plane {(resident_kib(plane.process.pid) - before) / count:.0f} KiB more a node")
        finally:
            maker.close()
    subprocess.run([ROOT / "build" / "tests" / "bench" / "link_bench"], check=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
