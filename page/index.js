// SPDX-License-Identifier: Apache-2.0
// The index of all targets: what needs a look comes first.

const ORDER = ["LEAK", "NON_MALLOC_GROWTH", "POOL_GROWTH", "FRAGMENTATION", "TOP_PINNED", "ARENA_PROLIFERATION", "CACHE_WARMUP", "PERIODIC", "STABLE", "INSUFFICIENT_DATA"];

function rankOf(t) {
	return t.verdict ? ORDER.indexOf(t.verdict.verdict) : ORDER.length;
}

function etaOf(t) {
	return t.verdict && t.verdict.eta_limit_earliest ? secondsOf(t.verdict.eta_limit_earliest) - secondsOf(t.verdict.to) : null;
}

function targetLink(t) {
	return t.page ? el("a", {href: t.page}, t.target) : t.target;
}

function moreOf(t, columns) {
	const key = "more/" + (t.process_id || t.page);
	return el("tr", {class: "more"}, el("td", {colspan: columns}, details(key, t.verdict && t.verdict.culprit ? t.verdict.culprit : "evidence", () => [
		t.verdict ? el("ul", {}, evidenceOf(t.verdict).map((text) => el("li", {}, text))) : el("p", {}, "not judged"),
		t.verdict ? line("Remedy", t.verdict.remedy) : null, t.verdict ? line("Limit", limitText(t.verdict)) : null,
		el("p", {class: "about"}, t.process_id ? "heaptide verdict '#" + t.process_id + "'" : "heaptide explain " + t.pid)].filter(Boolean))));
}

function indexPage(doc) {
	setZone(doc.zone);
	const now = secondsOf(doc.taken_at);
	const list = doc.targets.slice().sort((a, b) => rankOf(a) - rankOf(b));
	const counts = ORDER.map((label) => [label, list.filter((t) => t.verdict && t.verdict.verdict === label).length]).filter(([, n]) => n);
	const columns = [
		{title: "target", text: true, value: (t) => t.target, cell: targetLink},
		{title: "pid", value: (t) => t.pid},
		{title: "verdict", text: true, value: rankOf, cell: (t) => (t.verdict ? badge(t.verdict.verdict) : "not judged")},
		{title: "confidence", value: (t) => (t.verdict ? t.verdict.confidence : null), cell: (t) => (t.verdict ? t.verdict.confidence.toFixed(2) : "")},
		{title: "growth", value: (t) => (t.verdict ? t.verdict.slope_bytes_per_hour : null), cell: (t) => (t.verdict && t.verdict.slope_bytes_per_hour !== null ? rateText(t.verdict.slope_bytes_per_hour) : "")},
		{title: "limit in", value: etaOf, cell: (t) => (etaOf(t) === null ? "" : durationText(etaOf(t)))},
		{title: "resident", unit: "bytes", value: (t) => t.rss},
		{title: "in use", unit: "bytes", value: (t) => t.in_use},
		{title: "retained", unit: "bytes", value: (t) => t.retained},
		{title: "in use over time", text: true, value: (t) => t.in_use, cell: (t) => sparkline(t.in_use_over_time, t.target + ": in use from " + sizeText(t.in_use_over_time.find((v) => v !== null)) + " to " + sizeText(t.in_use))},
		{title: "seen", value: (t) => (t.ended_at || !t.last ? Infinity : now - secondsOf(t.last)), cell: (t) => (t.ended_at ? "ended" : !t.last ? "not yet" : durationText(Math.max(0, Math.floor(now - secondsOf(t.last)))) + " ago")},
	];
	const place = el("div", {});
	const show = () => {
		const words = kept.filter.toLowerCase().split(/\s+/).filter(Boolean);
		const rows = list.filter((t) => words.every((w) => (t.target + " " + t.pid + " " + t.comm + " " + (t.verdict ? t.verdict.verdict : "")).toLowerCase().includes(w)));
		place.replaceChildren(table("targets", "All targets", columns, rows, moreOf), el("p", {class: "about", role: "status"}, rows.length === list.length ? "" : countText(rows.length) + " of " + countText(list.length)));
	};
	const filter = el("input", {type: "search", placeholder: "name, pid or verdict", "aria-label": "show only", "data-key": "filter", value: kept.filter, input: () => {
		kept.filter = filter.value;
		show();
	}});
	show();
	return [
		el("header", {}, el("h1", {}, "heaptide", el("span", {class: "about"}, " " + countText(list.length) + (list.length === 1 ? " process" : " processes"))),
			el("p", {class: "tools"}, counts.map(([label, n]) => el("button", {type: "button", class: "count", click: () => {
				kept.filter = filter.value = filter.value === label ? "" : label;
				show();
			}}, badge(label), " " + n)), filter, save(doc, "heaptide"))),
		noHistory(doc),
		doc.alerts.length ? section("Alerts", null, table("alerts", "Alerts", [{title: "rule", text: true, value: (a) => a.rule}, {title: "target", text: true, value: (a) => a.target}, {title: "state", text: true, value: (a) => a.state},
			{title: "since", text: true, value: (a) => secondsOf(a.since), cell: (a) => timeText(secondsOf(a.since))}, {title: "what", text: true, value: (a) => a.summary}], doc.alerts)) : null,
		doc.silences.length ? section("Silences", "Of these nothing is sent.", table("silences", "Silences", [{title: "rule", text: true, value: (a) => a.rule}, {title: "target", text: true, value: (a) => a.target},
			{title: "until", text: true, value: (a) => secondsOf(a.until), cell: (a) => timeText(secondsOf(a.until))}, {title: "by", text: true, value: (a) => a.author || ""}, {title: "why", text: true, value: (a) => a.comment || ""}], doc.silences)) : null,
		el("section", {"aria-label": "Targets"}, place),
		el("footer", {class: "about"}, "heaptide " + doc.version + ", made " + timeText(now)),
	];
}
