#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# What is shipped beside the programs is what they are: rules, dashboard, runbook, the
# recipe of the image, the manifests; and the documents, as they are installed.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
cd "$HT_TOP" || exit 1
shipped() { python3 tests/lib/shipped.py "$@"; }

ok "each rule of the daemon is an alert of Prometheus, with a place in the runbook" shipped rules
ok "the dashboard says what it shows, has the verdicts as a table, and uses the recording rules" shipped dashboard
ok "the image is made of packages of the lists, and has the daemon's port" shipped container
ok "the manifests have the image's user, the unit's capabilities, the daemon's paths" shipped kubernetes "$HT_TMP/heaptided.conf"
# The folders of its store and socket are the image's.
sed "s|^\[daemon\]|&\nstore = $HT_TMP/heaptide.db\ncontrol = $HT_TMP/control.sock|" "$HT_TMP/heaptided.conf" >"$HT_TMP/here.conf"
ok "their configuration is one" "$HT_BUILD/heaptided" --check --config "$HT_TMP/here.conf"
sed 's/^metrics/metricz/' "$HT_TMP/here.conf" >"$HT_TMP/broken.conf"
refuse "with a key that is none it would not be" "$HT_BUILD/heaptided" --check --config "$HT_TMP/broken.conf"

daemon_config
daemon_start
ok "a daemon publishes" poll 10 curl -fsS "http://127.0.0.1:$port/metrics" -o "$HT_TMP/page"
ok "rules and dashboard ask for metrics that there are" shipped metrics "$HT_TMP/page"

ok "it is installed" env DESTDIR="$HT_TMP/root" PREFIX=/usr BUILD="$HT_BUILD" packaging/install install
ok "no link in the installed documents leads nowhere" shipped links "$HT_TMP/root/usr/share/doc/heaptide"
for file in bash-completion/completions/heaptide zsh/vendor-completions/_heaptide fish/vendor_completions.d/heaptide.fish \
	doc/heaptide/packaging/prometheus/alertmanager.example.yml doc/heaptide/packaging/kubernetes/heaptide.yaml \
	doc/heaptide/packaging/container/Containerfile doc/heaptide/docs/runbook.md; do
	ok "installed: $file" test -s "$HT_TMP/root/usr/share/$file"
done
plan
