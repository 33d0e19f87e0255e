// SPDX-License-Identifier: Apache-2.0
// The service that a process is one of: each of its processes, and their sums.

const BANDS = ["held", "kept", "outside", "mmapped", "trimmable", "bad", "accent", "good"];

// What the first ones leave of the sum; not known where one of them is not.
function othersOf(course) {
	return course.sum.map((v, i) => {
		const rest = course.each.reduce((left, one) => left - (one[i] || 0), v);
		return v === null ? null : Math.max(0, rest);
	});
}

function familyChart(f, rows, name, title, about) {
	const course = f.courses.find((c) => c.name === name);
	if (!course || course.sum.every((v) => v === null)) return null;
	const series = course.each.map((values, i) => ({name: "pid " + f.members[i].pid, values, color: BANDS[i % BANDS.length]}));
	if (f.members.length > series.length) series.push({name: countText(f.members.length - series.length) + " others", values: othersOf(course), color: "files"});
	return chart({key: "family/" + name, title, about, unit: course.unit, rows, series, stacked: true, height: 230});
}

function memberTable(doc, f) {
	const etaOf = (m) => (m.eta_limit_at ? secondsOf(m.eta_limit_at) - secondsOf(doc.to) : null);
	const add = (name) => f.members.reduce((sum, m) => (sum === null || m[name] === null ? null : sum + m[name]), 0);
	const sum = {sum: true, pid: null, verdict: null, slope_bytes_per_hour: null, eta_limit_at: null, rss: f.rss, pss: f.pss, in_use: add("in_use"), retained: add("retained")};
	return table("family", "Processes of the service", [
		{title: "pid", text: true, value: (m) => m.pid, cell: (m) => (m.sum ? "sum" : m.pid + (m.pid === doc.pid ? " (this page)" : ""))},
		{title: "verdict", text: true, value: (m) => m.verdict, cell: (m) => (m.sum ? "" : m.verdict ? badge(m.verdict) : "not judged")},
		{title: "growth", value: (m) => m.slope_bytes_per_hour, cell: (m) => (m.slope_bytes_per_hour === null ? "" : rateText(m.slope_bytes_per_hour))},
		{title: "limit in", value: etaOf, cell: (m) => (etaOf(m) === null ? "" : durationText(Math.max(0, etaOf(m))))},
		bytes("RSS", "rss"), bytes("PSS", "pss"), bytes("in use", "in_use"), bytes("retained", "retained")], [...f.members, sum]);
}

function familySection(doc) {
	const f = doc.family;
	if (!f) return null;
	const rows = rowsOf(f.times_s, []);
	const shared = f.pss === null ? "" : ", " + sizeText(f.pss) + " of the machine's memory (PSS: what they share counts once)";
	return section("The service: " + countText(f.processes) + " processes",
		"RSS " + sizeText(f.rss) + " in all" + shared + "; what follows is of pid " + doc.pid,
		memberTable(doc, f),
		familyChart(f, rows, "in_use", "In use, process by process", "the whole is the sum"),
		familyChart(f, rows, "rss", "RSS, process by process", "what they share counts in each"));
}
