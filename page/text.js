// SPDX-License-Identifier: Apache-2.0
// Figures and times as text, as the terminal writes them (schema/figure_text.c,
// common/clock.c): what is not known is "?".

function sizeText(v) {
	if (v === null || v === undefined || !isFinite(v)) return "?";
	const sign = v < 0 ? "-" : "";
	let n = Math.abs(Math.round(v)), unit = -1;
	while (n >= (unit < 0 ? 1024 : 1023.95) && unit < 5) {
		n /= 1024;
		unit++;
	}
	return sign + (unit < 0 ? n + " B" : n.toFixed(1) + " " + "KMGTPE"[unit] + "iB");
}

function countText(v) {
	if (v === null || v === undefined || !isFinite(v)) return "?";
	if (v !== Math.floor(v)) return String(Number(v.toPrecision(4)));
	return String(v).replace(/\B(?=(\d{3})+$)/g, ",");
}

function plural(n, word) {
	return countText(n) + " " + word + (n === 1 ? "" : "s");
}

function valueText(unit, v) {
	if (v === null || v === undefined || !isFinite(v)) return "?";
	if (unit === "ratio") return (100 * v).toFixed(1) + " %";
	return unit === "bytes" ? sizeText(v) : countText(v);
}

// On an axis: no digit that says nothing.
function axisText(unit, v) {
	return valueText(unit, v).replace(/\.0(?= )/, "");
}

function exactText(unit, v) {
	return unit === "bytes" && v !== null ? countText(v) + " bytes" : valueText(unit, v);
}

// Seconds, its two largest parts: 1d3h, 2h10m, 45s.
function durationText(s) {
	if (s < 60) return (s < 10 && s !== Math.floor(s) ? s.toFixed(1) : Math.floor(s)) + "s";
	const parts = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
	const first = parts.findIndex(([, n]) => s >= n);
	const [a, n] = parts[first], [b, m] = parts[first + 1];
	const rest = Math.floor((s % n) / m);
	return Math.floor(s / n) + a + (rest ? String(rest).padStart(a === "d" ? 1 : 2, "0") + b : "");
}

// "+1.5 GiB/h"
function rateText(perHour) {
	if (perHour === null || !isFinite(perHour)) return "";
	return (perHour < 0 ? "-" : "+") + sizeText(Math.abs(perHour)) + "/h";
}

// --- times: in the zone that the terminal would use, whatever the reader's is

let zone = [];

function setZone(list) {
	zone = list || [];
}

function zoneAt(s) {
	let at = zone[0] || {offset_s: 0, name: "UTC"};
	for (const z of zone) if (z.from_s <= s) at = z;
	return at;
}

function secondsOf(time) {
	return time ? Date.parse(time) / 1000 : null;
}

function offsetText(offset) {
	if (!offset) return "Z";
	const minutes = Math.abs(Math.round(offset / 60));
	const two = (n) => String(n).padStart(2, "0");
	return (offset < 0 ? "-" : "+") + two(Math.floor(minutes / 60)) + ":" + two(minutes % 60);
}

// The zone of an axis, by name where it has one: "EST, -05:00".
function zoneText(s) {
	const at = zoneAt(s);
	return at.offset_s ? at.name + ", " + offsetText(at.offset_s) : "UTC";
}

// A date whose UTC fields are what a clock there shows.
function clockAt(s) {
	return new Date((s + zoneAt(s).offset_s) * 1000);
}

function timeText(s) {
	if (s === null) return "?";
	return clockAt(s).toISOString().slice(0, 19) + offsetText(zoneAt(s).offset_s);
}

// A tick of a time axis, `step` seconds from the last: the day where it is a new one.
function tickText(s, last, step) {
	const text = clockAt(s).toISOString(), day = text.slice(5, 10);
	if (step >= 86400) return day;
	const time = text.slice(11, step < 0.1 ? 23 : step < 1 ? 21 : step < 60 ? 19 : 16);
	return last === null || clockAt(last).toISOString().slice(5, 10) === day ? time : day;
}

// What malloc was asked for, of a chunk size on x86-64: above 1040 the classes are
// wide, below each holds one size (common/chunk_text.c).
function requestText(size, arch) {
	if (arch !== "x86_64" || size > 1040 || size < 32) return "";
	return size === 32 ? "malloc(0..24)" : "malloc(" + (size - 23) + ".." + (size - 8) + ")";
}

function className(size) {
	return size === 0 ? "mmapped" : (size > 1040 ? "up to " : "") + countText(size) + " B";
}
