// SPDX-License-Identifier: Apache-2.0
// The page of one target: the verdict first, beside it the line that shows it.

const TONES = {LEAK: "bad", NON_MALLOC_GROWTH: "bad", STABLE: "good", PERIODIC: "good", CACHE_WARMUP: "good"};
const WORDS = {
	LEAK: "the program asks for memory and does not free it",
	POOL_GROWTH: "malloc's pool grows, not what the program holds",
	TOP_PINNED: "a chunk in use keeps free memory below the top",
	FRAGMENTATION: "free memory lies between chunks in use",
	ARENA_PROLIFERATION: "many arenas, each with free memory of its own",
	CACHE_WARMUP: "something fills, and levels off",
	PERIODIC: "it comes and goes",
	NON_MALLOC_GROWTH: "memory outside malloc grows",
	STABLE: "nothing grows",
	INSUFFICIENT_DATA: "too little was seen to judge",
};

// Which line shows a verdict: metrics of the document.
const SHOWN_BY = {
	LEAK: ["in_use"], POOL_GROWTH: ["retained", "in_use"], TOP_PINNED: ["retained", "pinned"], FRAGMENTATION: ["retained", "stuck"],
	ARENA_PROLIFERATION: ["retained", "non_main_free_resident"], CACHE_WARMUP: ["in_use"], PERIODIC: ["in_use"],
	NON_MALLOC_GROWTH: ["non_malloc_anon"], STABLE: ["rss", "in_use"], INSUFFICIENT_DATA: ["rss", "in_use"],
};

function badge(label) {
	return el("span", {class: "badge " + (TONES[label] || "fair")}, label.replace(/_/g, " "));
}

function metricOf(doc, name) {
	return doc.metrics.find((m) => m.name === name);
}

function marksOf(doc) {
	const marks = doc.events.map((e) => ({s: secondsOf(e.time), text: e.kind + ": " + e.text, kind: "event"}));
	for (const a of doc.alerts) if (a.firing) marks.push({s: secondsOf(a.firing), text: "alert " + a.rule, kind: "alert"});
	if (doc.verdict.since && secondsOf(doc.verdict.since) > doc.times_s[0]) marks.push({s: secondsOf(doc.verdict.since), text: "since", kind: "since"});
	return marks;
}

function limitOf(doc, from) {
	const v = doc.verdict;
	if (v.limit_bytes === null || !v.eta_limit_at) return null;
	return {bytes: v.limit_bytes, name: v.limit_name, from, to: secondsOf(v.to), at: secondsOf(v.eta_limit_at), earliest: secondsOf(v.eta_limit_earliest)};
}

// The earliest has a place of its own: a tile, a column.
function limitText(v) {
	if (!v.eta_limit_at) return "";
	const until = (time) => durationText(secondsOf(time) - secondsOf(v.to));
	return (v.limit_bytes !== null ? sizeText(v.limit_bytes) : countText(v.limit_count)) + (v.limit_name ? " (" + v.limit_name + ")" : "") +
		" reached at about " + timeText(secondsOf(v.eta_limit_at)) +
		(v.eta_limit_latest ? ", at the latest in " + until(v.eta_limit_latest) : ", perhaps never");
}

// What the head and the line of the limit do not tell already.
function evidenceOf(v) {
	return v.evidence.filter((_, i) => !(v.evidence_again || []).includes(i));
}

// --- parts -------------------------------------------------------------------------

function tiles(doc) {
	const v = doc.verdict, last = (name) => {
		const m = metricOf(doc, name);
		return m ? newestOf(m.values) : null;
	};
	const list = [["resident", sizeText(last("rss"))], ["in use", sizeText(last("in_use"))], ["free, kept by glibc", sizeText(last("retained"))],
		["malloc_trim would return", sizeText(last("trimmable"))], ["outside malloc", sizeText(last("non_malloc_anon"))]];
	if (v.slope_bytes_per_hour !== null) list.push(["growth", rateText(v.slope_bytes_per_hour)]);
	if (v.eta_limit_earliest) list.push(["limit, earliest in", durationText(secondsOf(v.eta_limit_earliest) - secondsOf(v.to))]);
	return el("dl", {class: "tiles"}, list.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function culpritClass(doc) {
	return doc.verdict.culprit_class === null ? null : doc.classes.find((c) => c.max_size === doc.verdict.culprit_class);
}

function evidenceChart(doc, base) {
	const names = SHOWN_BY[doc.verdict.verdict] || ["rss"];
	const series = names.map((n) => metricOf(doc, n)).filter(Boolean).map((m, i) => ({name: m.name.replace(/_/g, " "), values: m.values, color: i ? "files" : "accent"}));
	const c = culpritClass(doc);
	if (c && doc.verdict.verdict === "LEAK") series.push({name: "of it size class " + className(c.max_size), values: c.bytes, color: "bad"});
	return series.length ? chart({...base, key: "evidence", title: "What the verdict stands on", series, height: 280, unit: "bytes"}) : null;
}

function line(name, text) {
	return text ? el("p", {class: "line"}, el("b", {}, name), " ", text) : null;
}

// What a daemon found of a leak's call stacks or holders.
function traced(name, v, found) {
	return found && v.verdict === "LEAK" ? line(name, found.text + " (as of " + timeText(secondsOf(found.time)) + ")") : null;
}

function heapUnread(latest) {
	if (!latest || latest.arenas.length) return "";
	return "was not measured: malloc is " + (latest.libc.allocator || "not a glibc that is known");
}

function verdictSection(doc, base) {
	const v = doc.verdict;
	const range = culpritClass(doc) && doc.latest ? requestText(v.culprit_class, doc.latest.arch) : "";
	return el("section", {class: "verdict " + (TONES[v.verdict] || "fair"), "aria-label": "Verdict"},
		el("p", {class: "said"}, badge(v.verdict), el("strong", {}, WORDS[v.verdict] || ""),
			el("span", {class: "about"}, "confidence " + v.confidence.toFixed(2) + " (" + v.confidence_word + "), " + plural(v.samples, "sample") + " in " +
				durationText(secondsOf(v.to) - secondsOf(v.from)))),
		tiles(doc),
		el("div", {class: "beside"},
			el("div", {}, el("h3", {}, "Evidence"), el("ul", {}, evidenceOf(v).map((text) => el("li", {}, text)))),
			evidenceChart(doc, base)),
		el("div", {class: "lines"}, line("Heap", heapUnread(doc.latest)), line("Culprit", v.culprit && v.culprit + (range ? ", " + range : "")), line("Pin", doc.pin),
			v.grown_type ? line("Type", v.grown_type.text) : null, traced("Made by", v, v.made_by), traced("Who", v, v.held_by),
			v.also.length ? line("Also", v.also.join(", ")) : null, line("Since", v.since && timeText(secondsOf(v.since))), line("Limit", limitText(v)),
			line("Remedy", v.remedy)));
}

function lines(doc, base, key, title, about, unit, list, limit) {
	const series = list.map(([name, label, ink]) => ({name: label, values: (metricOf(doc, name) || {}).values, color: ink})).filter((s) => s.values);
	return series.length ? chart({...base, key, title, about, unit, series, limit}) : null;
}

function overTime(doc, base) {
	const inks = ["files", "outside", "mmapped", "held", "kept", "trimmable"];
	const bands = doc.rss_by_cause.map((b, i) => ({name: b.name, values: b.values, color: inks[i]}));
	const rss = metricOf(doc, "rss");
	return [
		chart({...base, key: "rss", title: "RSS by cause", unit: "bytes", series: bands, stacked: true, height: 290, limit: limitOf(doc, rss ? newestOf(rss.values) : 0)}),
		lines(doc, base, "use", "In use against retained", "what the program holds, and what it gave up but glibc keeps", "bytes", [
			["in_use", "in use", "accent"], ["retained", "retained: free and resident", "kept"], ["system", "taken from the system by arenas", "files"], ["top", "in tops", "outside"]]),
		lines(doc, base, "fragmentation", "Fragmentation", "shares of what is free", "ratio", [
			["external", "external: of the free runs, not in the largest", "bad"], ["unusable_median", "unusable for the median chunk", "outside"],
			["retained_ratio", "retained of the resident heap", "accent"], ["page_utilisation", "page utilisation", "files"]]),
		...doc.asked.map((a) => chart({...base, key: "asked/" + a.name, title: a.name, about: a.help, unit: a.unit, series: [{name: a.name, values: a.values, color: "accent"}]})),
	];
}

// What the history does not have is said where it is looked for.
function noTypes(doc) {
	if (doc.types) return null;
	return el("p", {class: "line", "data-key": "types"}, el("b", {}, "Growth by type"), " is not recorded (types = on in heaptided.conf does), for what chunks are is found out with the process stopped for a fork: ",
		doc.ended_at ? "of a process that runs, heaptide types PID tells them as they are now" : el("code", {}, "heaptide types " + doc.pid), doc.ended_at ? "" : " tells them as they are now");
}

function classCharts(doc, base) {
	const growing = doc.classes.filter((c) => c.gained > 0).sort((a, b) => b.gained - a.gained).slice(0, 8);
	if (!growing.length) return null;
	return section("Growth by size class", "chunks in use, by what grew most; each on its own scale", noTypes(doc), el("div", {class: "multiples"}, growing.map((c) => chart({...base,
		key: "class/" + c.max_size, title: className(c.max_size), about: doc.latest ? requestText(c.max_size, doc.latest.arch) : "", gained: "+" + sizeText(c.gained),
		unit: "bytes", small: true, series: [{name: "in use", values: c.bytes, color: c.max_size === doc.verdict.culprit_class ? "bad" : "accent"}]}))));
}

function typeCharts(doc, base) {
	if (!doc.types) return null;
	const growing = doc.types.list.filter((t) => t.gained > 0).slice(0, 8);
	const looks = plural(doc.types.times_s.length, "look") + " at what chunks are, the last " + timeText(doc.types.times_s[doc.types.times_s.length - 1]);
	if (!growing.length) return section("Growth by type", looks, el("p", {}, doc.types.times_s.length < 2 ? "One look tells no growth." : "No type grew."));
	return section("Growth by type", looks + "; by what grew most; each on its own scale", el("div", {class: "multiples"}, growing.map((t) => chart({...base,
		rows: rowsOf(doc.types.times_s, []), key: "type/" + t.name + "/" + t.kind + "/" + (t.module || ""), title: t.name, about: t.kind + (t.module ? ", " + t.module : ""),
		gained: "+" + sizeText(t.gained), unit: "bytes", small: true, series: [{name: "in use", values: t.bytes, color: "accent"}]}))));
}

function binName(b) {
	return b.kind + " " + b.index + (b.min_size === null ? "" : ", " + countText(b.min_size) + (b.max_size === b.min_size ? "" : "+") + " B");
}

function heats(doc) {
	const bins = doc.bins.slice().sort((a, b) => (a.min_size || 0) - (b.min_size || 0));
	const threads = doc.threads;
	if (doc.times_s.length < 2 || !(bins.length || threads.length)) return null;
	return section("Bins and threads' caches over time", null,
		bins.length ? heatMap({key: "bins", title: "Free bytes in bins, all arenas together", unit: "bytes", times: doc.times_s, lines: bins.map((b) => ({name: binName(b), values: b.bytes}))}) : null,
		threads.length ? heatMap({key: "threads", title: "In threads' caches", unit: "bytes", times: doc.times_s, lines: threads.map((t) => ({name: "thread " + t.tid, values: t.tcache_bytes}))}) : null);
}

function anyMetric(doc, base) {
	const place = el("div", {});
	const choose = el("select", {"aria-label": "metric", "data-key": "metric", change: () => {
		kept.metric = choose.value;
		show();
	}}, el("option", {value: ""}, "choose a metric"), doc.metrics.map((m) => el("option", {value: m.name, selected: m.name === kept.metric}, m.name)));
	const show = () => {
		const m = metricOf(doc, kept.metric);
		place.replaceChildren(...(m ? [chart({...base, key: "any/" + m.name, title: m.name, about: m.help, unit: m.unit, series: [{name: m.name, values: m.values, color: "accent"}]})] : []));
		if (m && document.contains(place)) charts[charts.length - 1].redraw();
	};
	show();
	return section("Any other metric", null, choose, place);
}

const bytes = (title, name) => ({title, unit: "bytes", value: (r) => r[name]});
const count = (title, name) => ({title, unit: "count", value: (r) => r[name]});

function adviceSection(latest) {
	const list = latest.advice.filter((a) => a.code !== "over_time" && a.code !== "nothing_notable");
	if (!list.length) return null;
	return section("What the newest sample advises", null, el("ul", {class: "advice"}, list.map((a) => el("li", {}, a.text,
		a.how ? el("p", {}, el("code", {}, a.how), a.cost ? el("span", {class: "about"}, " costs: " + a.cost) : null) : null))));
}

function listed(key, name, rows, make) {
	return rows.length ? details(key, name + " (" + rows.length + ")", make) : null;
}

function tables(doc) {
	const s = doc.latest;
	const size = {title: "chunk size", value: (r) => (r.max_size === 0 ? Infinity : r.max_size), cell: (r) => className(r.max_size)};
	const range = {title: "asked for", text: true, value: (r) => r.max_size, cell: (r) => requestText(r.max_size, s.arch) || "-"};
	const heaps = s.arenas.flatMap((a) => (a.heaps || []).map((h) => ({...h, arena: a.index})));
	return section("Tables of the newest sample", "taken " + timeText(secondsOf(s.taken_at)) + "; a click on a head sorts",
		listed("t/arenas", "Arenas", s.arenas, () => table("arenas", "Arenas", [{title: "arena", value: (r) => r.index}, {title: "kind", text: true, value: (r) => r.kind}, bytes("system", "system"),
			bytes("in use", "in_use"), bytes("free", "free"), bytes("top", "top"), bytes("retained", "retained"), bytes("trimmable", "trimmable"), count("threads", "attached_threads")], s.arenas)),
		listed("t/heaps", "Heaps", heaps, () => table("heaps", "Heaps", [{title: "address", text: true, value: (r) => r.address}, count("arena", "arena"), bytes("size", "size"), bytes("resident", "resident")], heaps)),
		listed("t/classes", "Chunk sizes", s.size_classes, () => table("classes", "Chunk sizes", [size, range, count("chunks in use", "in_use_chunks"), bytes("in use", "in_use_bytes"),
			count("chunks free", "free_chunks"), bytes("free", "free_bytes")], s.size_classes)),
		listed("t/threads", "Threads' caches", s.threads, () => table("threads-now", "Threads' caches", [{title: "thread", value: (r) => r.tid}, count("arena", "arena"), bytes("in its cache", "tcache_bytes"), count("chunks", "tcache_chunks")], s.threads)),
		listed("t/mappings", "Mappings outside malloc", s.mappings, () => table("mappings", "Mappings outside malloc", [{title: "kind", text: true, value: (r) => r.kind}, {title: "name", text: true, value: (r) => r.name || "(anonymous)"},
			count("mappings", "count"), bytes("size", "size"), bytes("resident", "resident"), bytes("anonymous", "anonymous")], s.mappings)),
		listed("t/rss", "RSS by cause", s.rss_breakdown, () => table("causes", "RSS by cause", [{title: "cause", text: true, value: (r) => r.cause}, bytes("resident", "bytes")], s.rss_breakdown)));
}

function eventsSection(doc) {
	const list = doc.events.map((e) => ({time: secondsOf(e.time), kind: e.kind, text: e.text}))
		.concat(doc.alerts.map((a) => ({time: secondsOf(a.firing || a.pending), kind: "alert, " + a.state, text: a.rule + ": " + a.summary})));
	if (!list.length) return null;
	return section("Events and alerts", null, table("events", "Events and alerts", [{title: "time", text: true, value: (r) => r.time, cell: (r) => timeText(r.time)},
		{title: "what", text: true, value: (r) => r.kind}, {title: "about it", text: true, value: (r) => r.text}], list.sort((a, b) => b.time - a.time)));
}

// Of a frame: the function and its line, else where in which file.
function frameText(f) {
	const name = f.function || (f.module || "?") + "+0x" + (f.offset || 0).toString(16);
	const place = f.file ? " (" + f.file.split("/").pop() + (f.line ? ":" + f.line : "") + (f.inlined ? ", inlined" : "") + ")" : "";
	return name + place;
}

function sitesSection(doc) {
	if (!doc.sites || !doc.sites.list.length) return null;
	const word = (r) => r.leaking === null ? "not sure" : r.leaking ? "leaking" : "no leak";
	const share = (r) => r.share_of_growth === null ? "?" : Math.round(100 * r.share_of_growth) + " %";
	return section("Call stacks", "as of " + timeText(secondsOf(doc.sites.time)) + ", " + (doc.sites.max_size ? "chunks of the class that grew" : "chunks of all sizes") +
		", followed for " + durationText(doc.sites.windows.followed_us / 1e6), table("sites", "Call stacks", [
		{title: "call stack", text: true, value: (r) => r.name, cell: (r) => el("details", {}, el("summary", {}, r.name), el("ol", {class: "stack"}, r.frames.map((f) => el("li", {}, frameText(f)))))},
		{title: "says", text: true, value: word}, {title: "grows by a second", value: (r) => r.bytes_per_s, unit: "bytes"},
		{title: "of the growth", value: (r) => r.share_of_growth, cell: share},
		{title: "chunks alive", value: (r) => r.alive}, {title: "of those seen", value: (r) => r.samples}], doc.sites.list));
}

// A page that is not of the history says so, and why.
function noHistory(doc) {
	return doc.no_history ? el("p", {class: "live late", role: "note", "data-key": "no-history"},
		"without its history: " + doc.no_history + ". What is shown is what heaptided has in memory") : null;
}

function save(doc, name) {
	return el("button", {type: "button", click: () => {
		const url = URL.createObjectURL(new Blob([JSON.stringify(doc)], {type: "application/json"}));
		el("a", {href: url, download: name + ".json"}).click();
		setTimeout(() => URL.revokeObjectURL(url), 10000);
	}}, "save the data");
}

function targetPage(doc) {
	setZone(doc.zone);
	const rows = rowsOf(doc.times_s, doc.cuts);
	const base = {rows, marks: marksOf(doc)};
	const span = timeText(secondsOf(doc.from)) + " to " + timeText(secondsOf(doc.to));
	const step = doc.window.step_s;
	return [
		el("header", {}, el("h1", {}, doc.target, el("span", {class: "about"}, " pid " + doc.pid + (doc.ended_at ? ", ended " + timeText(secondsOf(doc.ended_at)) : ""))),
			el("p", {class: "about"}, doc.exe || doc.comm, " · ", span, step ? " · " + plural(doc.times_s.length, "row") + " of " + durationText(step) + ", medians" : ""),
			el("p", {class: "tools"}, el("button", {type: "button", class: "reset", click: () => setRange(null)}, "show all of the time"), save(doc, "heaptide-" + doc.pid))),
		noHistory(doc),
		verdictSection(doc, base),
		sitesSection(doc),
		familySection(doc),
		section("Over time", window.uPlot ? "the pointer shows values, a drag zooms, a click on a name hides it" : "this build draws without values and zoom; the tables have them", overTime(doc, base)),
		classCharts(doc, base), typeCharts(doc, base),
		doc.latest && doc.latest.arenas.length ? section("Heap map", "as of " + timeText(secondsOf(doc.latest.taken_at)), heapMap(doc.latest)) : null,
		heats(doc), doc.latest ? adviceSection(doc.latest) : null, eventsSection(doc), doc.latest ? tables(doc) : null, anyMetric(doc, base),
		el("footer", {class: "about"}, "heaptide " + doc.version + ", made " + timeText(secondsOf(doc.made_at)) +
			(doc.latest && doc.latest.libc.version ? " · glibc " + doc.latest.libc.version : "")),
	];
}
