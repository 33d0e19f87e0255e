# SPDX-License-Identifier: Apache-2.0
"""shipped.py WHAT [ARGUMENT...]: what is shipped beside the programs, held to what they are.

Prints each thing that is wrong; status 1 where there is one.
"""
import json
import os
import re
import sys

import yaml

wrong = []


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def hold(condition, said):
    if not condition:
        wrong.append(said)


def camel(rule):
    return "Heaptide" + "".join(word.capitalize() for word in rule.split("_"))


def alerts():
    groups = yaml.safe_load(text("packaging/prometheus/heaptide.rules.yml"))["groups"]
    return {r["alert"]: r for g in groups for r in g["rules"] if "alert" in r}


def records():
    groups = yaml.safe_load(text("packaging/prometheus/heaptide.rules.yml"))["groups"]
    return [r["record"] for g in groups for r in g["rules"] if "record" in r]


def rules():
    """Each rule of the daemon is an alert of that name and severity, with a place in the runbook."""
    found = alerts()
    own = re.findall(r'HT_RULE\((\w+),(?:[^;]*?)"(warning|critical)",', text("analysis/rules.def"))
    hold(len(own) > 8, "analysis/rules.def is not understood: %s" % own)
    for name, severity in own:
        alert = found.get(camel(name))
        hold(alert, "%s is no alert" % camel(name))
        hold(not alert or alert["labels"]["severity"] == severity, "%s is not %s" % (camel(name), severity))
    heads = [h.lower() for h in re.findall(r"^## (\w+)$", text("docs/runbook.md"), re.M)]
    for name, alert in found.items():
        url = alert["annotations"].get("runbook_url", "")
        hold(url.startswith("file:///usr/share/doc/heaptide/docs/runbook.md#"), "%s leads to %r" % (name, url))
        hold(url.partition("#")[2] in heads, "the runbook has no %s" % name)
    for head in heads:
        hold(head in [n.lower() for n in found], "the runbook has %s, which is no alert" % head)
    for name in re.findall(r"^Rule `(\w+)`", text("docs/runbook.md"), re.M):
        hold(name in [n for n, _ in own], "the runbook's rule %s is none" % name)


def expressions(panel):
    return [t["expr"] for t in panel.get("targets", [])]


def dashboard():
    """Panels say what they show, use the recording rules, and ask for metrics that there are."""
    board = json.loads(text("packaging/grafana/heaptide.json"))
    hold(board.get("description"), "the dashboard has no description")
    hold(board.get("links"), "the dashboard has no links")
    for panel in board["panels"]:
        hold(panel.get("description"), "%s has no description" % panel["title"])
    kinds = [p["type"] for p in board["panels"]]
    hold("table" in kinds and "stat" in kinds, "neither table nor stat: %s" % kinds)
    for kind in ("table", "stat"):
        hold(any("heaptide_verdict_confidence" in e for p in board["panels"] if p["type"] == kind for e in expressions(p)),
             "no %s of verdicts" % kind)
    asked = " ".join(e for p in board["panels"] for e in expressions(p))
    for name in records():
        hold(name in asked or name == "target:heaptide_pss_bytes:sum", "no panel asks for %s" % name)
    for name in re.findall(r"\b(?:target|instance):[a-z_]+:[a-z0-9_]+", asked):
        hold(name in records(), "%s is recorded by no rule" % name)
    places = [(p["gridPos"]["x"] + dx, p["gridPos"]["y"] + dy) for p in board["panels"]
              for dx in range(p["gridPos"]["w"]) for dy in range(p["gridPos"]["h"])]
    hold(len(places) == len(set(places)), "two panels lie upon each other")
    hold(len({p["id"] for p in board["panels"]}) == len(board["panels"]), "two panels have one id")


def metrics(page):
    """Every name that rules and dashboard ask for is on the page of a daemon."""
    there = set(re.findall(r"^# TYPE (\w+) ", text(page), re.M))
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)", text(page), re.M))
    there |= {n + s for n in kinds for s in ("_total", "_bucket", "_sum", "_count", "_info")}
    asked = json.dumps(json.loads(text("packaging/grafana/heaptide.json"))) + text("packaging/prometheus/heaptide.rules.yml")
    for name in sorted(set(re.findall(r"(?<![:\w/])heaptide_[a-z0-9_]+\b(?!:)", asked))):
        hold(name in there, "%s is on no page" % name)


def packages():
    names = set()
    for path in os.listdir("packaging/deps"):
        for line in text("packaging/deps/" + path).split("\n"):
            names |= {n.strip() for n in line.partition("#")[0].split("|") if n.strip()}
    return names


def container():
    """The Containerfile: packages of the lists, paths, the port, the user of the manifest."""
    recipe = re.sub(r"\\\n\s*", " ", text("packaging/container/Containerfile"))
    lists = re.search(r"scripts/install-deps ([a-z ]+?)\s+&&", recipe).group(1).split()
    hold(lists == ["build", "package"], "lists %s" % lists)
    for wanted in re.findall(r"apt-get install -y --no-install-recommends ([^&\n]+)", recipe):
        for name in wanted.split():
            hold(name in packages() or name == "/tmp/heaptide_*.deb", "%s is in no list of packaging/deps" % name)
    hold("ENTRYPOINT [\"/usr/sbin/heaptided\"]" in recipe and
         re.search(r"^\$BUILD/heaptided\s+\$PREFIX/sbin/heaptided\s", text("packaging/files.txt"), re.M), "the entry point")
    for name in re.findall(r"make (\w+)$", recipe, re.M):
        hold(re.search(r"^%s:" % name, text("Makefile"), re.M), "there is no make %s" % name)
    port = re.search(r"^#metrics = 127\.0\.0\.1:(\d+)$", text("packaging/heaptided.conf"), re.M).group(1)
    hold("EXPOSE %s\n" % port in recipe, "the port is not %s" % port)
    return recipe, port


def all_of(path):
    return list(yaml.safe_load_all(text(path)))


def kubernetes(out):
    """The manifests: what the daemon, its image and its unit have; the configuration goes to a file, to be checked."""
    recipe, port = container()
    things = {t["kind"]: t for t in all_of("packaging/kubernetes/heaptide.yaml")}
    pod = things["DaemonSet"]["spec"]["template"]
    spec, daemon = pod["spec"], pod["spec"]["containers"][0]
    conf = things["ConfigMap"]["data"]["heaptided.conf"]
    with open(out, "w", encoding="utf-8") as f:
        f.write(conf)
    user = int(re.search(r"^USER (\d+):\1$", recipe, re.M).group(1))
    security = daemon["securityContext"]
    hold(security["runAsUser"] == security["runAsGroup"] == user, "the user is not the image's")
    hold("chown %d:%d " % (user, user) in spec["initContainers"][0]["command"][2], "the store is another's")
    unit = text("packaging/systemd/heaptided.service")
    bounds = sorted(re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).replace("CAP_", "").split())
    hold(sorted(security["capabilities"]["add"]) == bounds and security["capabilities"]["drop"] == ["ALL"], "capabilities")
    hold(security["allowPrivilegeEscalation"] is True and spec["hostPID"] is True, "hostPID, no_new_privs")
    hold(daemon["ports"] == [{"name": "metrics", "containerPort": int(port)}], "the port is not %s" % port)
    hold(re.search(r"^metrics = 0\.0\.0\.0:%s$" % port, conf, re.M), "it does not listen there")
    probe = daemon["livenessProbe"]["httpGet"]
    hold(probe["port"] == "metrics" and '"%s"' % probe["path"] in text("daemon/http/http.c"), "the probe asks %s" % probe)
    mounts = {m["name"]: m["mountPath"] for m in daemon["volumeMounts"]}
    hold(set(mounts) == {v["name"] for v in spec["volumes"]}, "volumes %s" % mounts)
    keys = dict(re.findall(r"^#(store|control) = (\S+)$", text("packaging/heaptided.conf"), re.M))
    hold(mounts["store"] == os.path.dirname(keys["store"]) and mounts["run"] == os.path.dirname(keys["control"]), "folders")
    hold(daemon["args"] == ["--config", mounts["config"] + "/heaptided.conf"], "arguments %s" % daemon["args"])
    labels = things["DaemonSet"]["spec"]["selector"]["matchLabels"]
    hold(pod["metadata"]["labels"] == labels, "the DaemonSet does not select its pods")
    monitor = all_of("packaging/kubernetes/podmonitor.yaml")[0]
    hold(monitor["spec"]["selector"]["matchLabels"] == labels, "the PodMonitor does not select them")
    end = monitor["spec"]["podMetricsEndpoints"][0]
    hold(end["port"] == "metrics" and {"targetLabel": "job", "replacement": "heaptide"} in end["relabelings"], "its endpoint")
    memory = re.search(r"^MemoryHigh=(\d+)M$", unit, re.M).group(1)
    hold(daemon["resources"]["limits"]["memory"] == memory + "Mi", "the unit has %s MiB" % memory)


def links(root):
    """Links between installed documents, and the files under packaging/ that they name, are installed."""
    seen = 0
    for folder, _, files in os.walk(root):
        for name in files:
            if not name.endswith(".md"):
                continue
            path = os.path.join(folder, name)
            for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text(path)):
                if "://" in link:
                    continue
                seen += 1
                hold(os.path.exists(os.path.join(folder, link)), "%s leads to %s" % (os.path.relpath(path, root), link))
    hold(seen > 50, "only %d links" % seen)
    for name in re.findall(r"`(packaging/[\w./-]+\.\w+)`", text(root + "/docs/fleet.md")):
        hold(os.path.exists(os.path.join(root, name)), "docs/fleet.md names %s" % name)


globals()[sys.argv[1]](*sys.argv[2:])
print("\n".join(wrong))
sys.exit(bool(wrong))
