// SPDX-License-Identifier: Apache-2.0
// A heat map: lines over time, a row each, the darker the more; three decades, so that a bin
// of some KiB is seen beside one of MiB. What is not known is hatched.

const SHADES = 8;

function shadeOf(v, high) {
	if (!(v > 0)) return 0;
	return Math.max(1, Math.min(SHADES, Math.ceil(SHADES + SHADES / 3 * Math.log10(v / high))));
}

// h: {key, title, unit, times, lines: [{name, values}]}
function heatMap(h) {
	const row = 16, head = Math.min(150, 8 + 7 * Math.max(...h.lines.map((l) => l.name.length)));
	const height = h.lines.length * row + 22;
	const high = Math.max(1, ...h.lines.flatMap((l) => l.values.map((v) => v || 0)));
	const t0 = h.times[0], span = Math.max(h.times[h.times.length - 1] - t0, 1e-9);
	const usual = span / Math.max(h.times.length - 1, 1);
	let at = {line: 0, i: h.times.length - 1};
	const cellEnd = (i) => (i + 1 < h.times.length && h.times[i + 1] - h.times[i] < 3 * usual ? h.times[i + 1] : h.times[i] + usual);
	const c = canvas(height, h.title + ". Arrow keys move; a table of it is below.", (to, width) => {
		const px = (t) => head + (t - t0) / (span + usual) * (width - head);
		const ink = color("heat");
		to.font = "12px system-ui, sans-serif";
		to.textBaseline = "middle";
		h.lines.forEach((line, n) => {
			to.fillStyle = color("dim");
			to.fillText(line.name, 0, n * row + row / 2, head - 6);
			line.values.forEach((v, i) => {
				const x = px(h.times[i]), w = Math.max(px(cellEnd(i)) - x + 0.3, 1);
				to.globalAlpha = v === null ? 0.25 : shadeOf(v, high) / SHADES;
				to.fillStyle = v === null ? color("line") : ink;
				to.fillRect(x, n * row + 1, w, row - 2);
			});
			to.globalAlpha = 1;
		});
		to.fillStyle = color("dim");
		to.fillText(timeText(t0), head, height - 8);
		to.textAlign = "right";
		to.fillText(timeText(h.times[h.times.length - 1]), width, height - 8);
	});
	const say = (x, y) => {
		const line = h.lines[at.line];
		showNote(x, y, [line.name, valueText(h.unit, line.values[at.i]) + " at " + timeText(h.times[at.i])]);
	};
	c.addEventListener("mousemove", (e) => {
		const t = t0 + (e.offsetX - head) / (c.clientWidth - head) * (span + usual);
		let i = h.times.findIndex((_, n) => cellEnd(n) > t);
		at = {line: Math.min(h.lines.length - 1, Math.floor(e.offsetY / row)), i: i < 0 ? h.times.length - 1 : i};
		if (e.offsetX < head) hideNote();
		else say(e.clientX, e.clientY);
	});
	c.addEventListener("mouseleave", hideNote);
	c.addEventListener("blur", hideNote);
	c.addEventListener("keydown", (e) => {
		const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[e.key];
		if (!move) return;
		e.preventDefault();
		at.line = Math.max(0, Math.min(h.lines.length - 1, at.line + move[0]));
		at.i = Math.max(0, Math.min(h.times.length - 1, at.i + move[1]));
		const box = c.getBoundingClientRect();
		say(box.left + head + (h.times[at.i] - t0) / (span + usual) * (box.width - head), box.top + at.line * row);
	});
	const least = high / 10 ** 3;
	return el("figure", {class: "chart", "data-chart": h.key},
		el("figcaption", {}, el("span", {class: "title"}, h.title)), el("div", {class: "plot"}, c),
		el("p", {class: "about"}, "from " + valueText(h.unit, least) + " (light) to " + valueText(h.unit, high) + " (full); empty is blank, unknown grey"),
		details(h.key + "/table", "newest values as a table", () => table(h.key, h.title, [
			{title: "line", text: true, value: (l) => l.name},
			{title: "newest", unit: h.unit, value: (l) => newestOf(l.values)},
			{title: "most", unit: h.unit, value: (l) => Math.max(...l.values.map((v) => v || 0))}], h.lines)));
}
