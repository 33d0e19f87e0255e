// SPDX-License-Identifier: Apache-2.0
// Charts over time: uPlot where the page has it, else a drawing of its own. Values under
// the pointer, one cursor and one zoom for all of them; by keys, too.

let charts = [];
const SYNC = "heaptide";
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 4]];

// Rows of the document, with a row of unknowns where a line must not go on.
function rowsOf(times, cuts) {
	const cut = new Set(cuts);
	const at = [], x = [];
	times.forEach((t, i) => {
		if (cut.has(i)) {
			x.push((times[i - 1] + t) / 2);
			at.push(-1);
		}
		x.push(t);
		at.push(i);
	});
	return {x, at, column: (values) => at.map((i) => (i < 0 ? null : values[i]))};
}

function newestOf(values) {
	for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i];
	return null;
}

// c: {key, title, about, unit, rows, series: [{name, values, color}], stacked, height, small,
// marks: [{s, text, kind}], limit: {bytes, name, from, at, earliest, latest}}
function chart(c) {
	const state = {c, shown: c.series.map((s) => !kept.off.has(c.key + "/" + s.name)), plot: null, far: false};
	state.box = el("div", {class: "plot", tabindex: "0", role: "application", "aria-roledescription": "chart",
		"aria-label": c.title + ", times in " + zoneText(c.rows.x[0]) + ". Left and right move the cursor, plus and minus zoom, Escape shows all.",
		keydown: (e) => onKey(state, e)});
	state.at = el("span", {class: "when about"});
	state.said = el("span", {class: "hidden", "aria-live": "polite"});
	const figure = el("figure", {class: c.small ? "chart small" : "chart", "data-chart": c.key},
		el("figcaption", {}, el("span", {class: "title"}, c.title), c.about ? el("span", {class: "about"}, c.about) : null,
			c.small ? null : state.at),
		legendOf(state), state.box, state.said, c.small ? null : details(c.key + "/table", "values as a table", () => valuesTable(c)));
	state.redraw = () => plotAnew(state);
	drawn.push(state);
	charts.push(state);
	tell(state, null);
	return figure;
}

function legendOf(state) {
	const c = state.c;
	state.values = c.series.map(() => el("b", {}));
	const items = c.series.map((s, i) => {
		const swatch = svg("svg", {class: "swatch", viewBox: "0 0 16 10", "aria-hidden": "true"}, c.stacked
			? svg("rect", {width: 16, height: 10, class: "ink-" + s.color})
			: svg("line", {x1: 0, x2: 16, y1: 5, y2: 5, class: "ink-" + s.color, "stroke-dasharray": DASHES[i % 6].map((d) => d / 2).join(" ") || null}));
		const button = el("button", {type: "button", class: "key", "aria-pressed": String(state.shown[i]), click: () => {
			state.shown[i] = !state.shown[i];
			kept.off[state.shown[i] ? "delete" : "add"](c.key + "/" + s.name);
			button.setAttribute("aria-pressed", String(state.shown[i]));
			plotAnew(state);
		}}, swatch, s.name, " ", state.values[i]);
		return button;
	});
	if (c.stacked || c.limit) items.reverse();
	const far = c.limit ? el("button", {type: "button", class: "key far", "aria-pressed": "false", click: () => {
		state.far = !state.far;
		far.setAttribute("aria-pressed", String(state.far));
		plotAnew(state);
	}}, "up to the limit") : null;
	return el("div", {class: "legend"}, c.small ? [state.at, ...state.values, el("span", {class: "about"}, " " + c.gained)] : items, far);
}

// What the legend says: of a row, or (null) of the newest.
function tell(state, row) {
	const c = state.c;
	state.row = row;
	state.at.textContent = row === null ? "newest" : timeText(c.rows.x[row]);
	c.series.forEach((s, i) => {
		const v = row === null ? newestOf(s.values) : c.rows.at[row] < 0 ? null : s.values[c.rows.at[row]];
		state.values[i].textContent = valueText(c.unit, v);
		state.values[i].title = exactText(c.unit, v);
		state.values[i].dataset.value = v === null ? "" : v;
	});
}

// The row of unknowns in a gap is none to show.
function nearestRow(state, row) {
	const at = state.c.rows.at;
	if (row === null || row === undefined) return null;
	return at[row] >= 0 ? row : at[row + 1] >= 0 ? row + 1 : row - 1;
}

function valuesTable(c) {
	const step = Math.ceil(c.rows.x.length / 200);
	const rows = c.rows.at.filter((i) => i >= 0).filter((_, n, all) => n % step === 0 || n === all.length - 1);
	const times = c.rows.x.filter((_, i) => c.rows.at[i] >= 0);
	return table(c.key + "/values", c.title + ", values", [{title: "time", text: true, value: (i) => times[i], cell: (i) => timeText(times[i])}]
		.concat(c.series.map((s) => ({title: s.name, unit: c.unit, value: (i) => s.values[i]}))), rows);
}

// --- data ----------------------------------------------------------------------

// Stacked: each band with all below it that are shown, the highest first so that the lower
// ones are drawn over it.
function dataOf(state) {
	const c = state.c;
	const columns = c.series.map((s) => c.rows.column(s.values));
	if (!c.stacked) return [c.rows.x, ...columns];
	const known = c.rows.x.map((_, row) => columns.some((column) => column[row] !== null));
	let below = c.rows.x.map(() => 0);
	const sums = columns.map((column, i) => {
		if (!state.shown[i]) return column.map(() => null);
		below = column.map((v, row) => below[row] + v);
		return below.map((v, row) => (known[row] ? v : null));
	});
	return [c.rows.x, ...sums.reverse()];
}

function highest(data) {
	let high = 0;
	for (const column of data.slice(1)) for (const v of column) if (v > high) high = v;
	return high;
}

function plotAnew(state) {
	if (!state.box.clientWidth) return;
	if (window.uPlot) plot(state);
	else drawStill(state);
}

function yRange(state, data) {
	const c = state.c;
	const high = highest(data.filter((_, i) => i === 0 || c.stacked || state.shown[i - 1]));
	if (state.far) return [0, c.limit.bytes * 1.05];
	return [0, high > 0 ? high * 1.06 : 1];
}

function xRange(state) {
	const c = state.c, x = c.rows.x;
	if (kept.range && !state.far) return kept.range;
	const end = state.far && c.limit.at ? c.limit.at : x[x.length - 1];
	return end > x[0] ? [x[0], end] : [x[0] - 1, x[0] + 1];
}

function plot(state) {
	const c = state.c, data = dataOf(state);
	if (state.plot) state.plot.destroy();
	const line = color("line"), dim = color("dim");
	const axis = {stroke: dim, grid: {stroke: line, width: 1}, ticks: {stroke: line, width: 1}, font: "12px system-ui, sans-serif"};
	const order = c.series.map((_, i) => (c.stacked ? c.series.length - 1 - i : i));
	state.plot = new uPlot({
		width: state.box.clientWidth, height: c.height || (c.small ? 110 : 250), legend: {show: false},
		tzDate: (s) => uPlot.tzDate(clockAt(s), "Etc/UTC"),
		cursor: {sync: {key: SYNC, setSeries: false, scales: ["x", null], filters: {pub: (type) => /^mouse(move|leave)$/.test(type)}}, drag: {x: true, y: false}, y: false,
			points: {show: !c.stacked, size: 7}},
		scales: {x: {time: true}, y: {range: () => yRange(state, dataOf(state))}},
		axes: [{...axis, space: c.small ? 80 : 90, size: 30, label: c.small ? undefined : zoneText(c.rows.x[0]), labelSize: 16, labelFont: "11px system-ui, sans-serif", values: (u, ticks, _, __, step) => ticks.map((s, i) => tickText(s, i ? ticks[i - 1] : null, step))},
			{...axis, size: c.small ? 62 : 72, space: c.small ? 34 : 42, incrs: c.unit === "bytes" ? BINARY : undefined,
				values: (_, ticks) => ticks.map((v) => axisText(c.unit, v))}],
		series: [{}].concat(order.map((i) => ({show: state.shown[i], label: c.series[i].name, stroke: color(c.series[i].color), width: c.stacked ? 0 : 2,
			dash: c.stacked ? undefined : DASHES[i % 6], fill: c.stacked ? color(c.series[i].color) : undefined, points: {show: data[0].length < 3}}))),
		hooks: {setCursor: [(u) => {
			tell(state, u.cursor.left < 0 ? null : nearestRow(state, u.cursor.idx));
		}], setScale: [(u, scale) => {
			if (scale === "x") onZoom(state, u);
		}], draw: [(u) => drawMarks(state, u)]}
	}, data, state.box);
	if (state.far || kept.range || c.rows.x.length < 2) scaleX(state);
	state.plot.over.addEventListener("dblclick", () => setRange(null));
}

function scaleX(state) {
	const [min, max] = xRange(state);
	state.plot.setScale("x", {min, max});
}

const BINARY = Array.from({length: 62}, (_, i) => 2 ** i);

// --- zoom ------------------------------------------------------------------------

function onZoom(state, u) {
	const {min, max} = u.scales.x, [low, high] = xRange(state);
	if (!state.far && state.c.rows.x.length > 1 && (min !== low || max !== high)) setRange([min, max]);
}

// range: seconds, or null: all there is.
function setRange(range) {
	kept.range = range;
	document.body.classList.toggle("zoomed", Boolean(range));
	for (const state of charts) {
		if (!state.plot) plotAnew(state);
		else if (!state.far) scaleX(state);
	}
}

function onKey(state, e) {
	const x = state.c.rows.x, [low, high] = kept.range || [x[0], x[x.length - 1]];
	if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
		let row = state.row === null ? x.length - (e.key === "ArrowLeft" ? 0 : 1) : state.row;
		const step = (e.key === "ArrowLeft" ? -1 : 1) * (e.shiftKey ? 10 : 1);
		row = Math.max(0, Math.min(x.length - 1, row + step));
		if (state.c.rows.at[row] < 0) row += Math.sign(step);
		moveTo(state, row);
	} else if (e.key === "+" || e.key === "-") {
		const middle = state.row === null ? (low + high) / 2 : x[state.row];
		const half = (high - low) * (e.key === "+" ? 0.25 : 1);
		setRange([Math.max(x[0], middle - half), Math.min(x[x.length - 1], middle + half)]);
	} else if (e.key === "Escape") {
		setRange(null);
	} else {
		return;
	}
	e.preventDefault();
}

function moveTo(state, row) {
	if (state.plot) state.plot.setCursor({left: state.plot.valToPos(state.c.rows.x[row], "x"), top: 10});
	tell(state, row);
	state.said.textContent = timeText(state.c.rows.x[row]) + ": " + state.c.series.map((s, i) => s.name + " " + state.values[i].textContent).join(", ");
}

// --- marks -----------------------------------------------------------------------

function drawMarks(state, u) {
	const c = state.c, to = u.ctx, ratio = uPlot.pxRatio, {left, top, width, height} = u.bbox;
	to.save();
	to.beginPath();
	to.rect(left, top, width, height);
	to.clip();
	to.font = 11 * ratio + "px system-ui, sans-serif";
	for (const mark of c.marks || []) drawMark(to, u, mark, ratio);
	if (c.limit) drawLimit(to, u, c.limit, state.far, ratio);
	to.restore();
}

function drawMark(to, u, mark, ratio) {
	const {left, top, width, height} = u.bbox, x = u.valToPos(mark.s, "x", true);
	if (x < left || x > left + width) return;
	to.strokeStyle = to.fillStyle = color(mark.kind === "since" ? "accent" : mark.kind === "alert" ? "bad" : "dim");
	to.lineWidth = ratio;
	to.setLineDash(mark.kind === "since" ? [6 * ratio, 4 * ratio] : [2 * ratio, 3 * ratio]);
	to.beginPath();
	to.moveTo(x, top);
	to.lineTo(x, top + height);
	to.stroke();
	if (mark.kind === "since") {
		if (width < 400 * ratio) return;
		const near = x > left + width - 60 * ratio;
		to.textAlign = near ? "right" : "left";
		to.fillText(mark.text, x + (near ? -5 : 5) * ratio, top + 13 * ratio);
		return;
	}
	to.setLineDash([]);
	to.beginPath();
	to.moveTo(x, top + 9 * ratio);
	to.lineTo(x - 5 * ratio, top);
	to.lineTo(x + 5 * ratio, top);
	to.fill();
}

// The limit as a line where it is in sight; the way there only where it was asked for.
function drawLimit(to, u, limit, far, ratio) {
	const y = u.valToPos(limit.bytes, "y", true), {left, top, width} = u.bbox;
	if (y < top) return;
	to.strokeStyle = to.fillStyle = color("bad");
	to.lineWidth = 1.5 * ratio;
	to.setLineDash([]);
	to.beginPath();
	to.moveTo(left, y);
	to.lineTo(left + width, y);
	to.stroke();
	to.textAlign = "left";
	to.fillText("limit " + sizeText(limit.bytes), left + 6 * ratio, y + 13 * ratio);
	if (!far || !limit.at) return;
	const x0 = u.valToPos(limit.to, "x", true), y0 = u.valToPos(limit.from, "y", true);
	to.setLineDash([5 * ratio, 4 * ratio]);
	for (const end of [limit.at, limit.earliest]) {
		if (!end) continue;
		to.beginPath();
		to.moveTo(x0, y0);
		to.lineTo(u.valToPos(end, "x", true), y);
		to.stroke();
	}
}

// --- without uPlot -----------------------------------------------------------------

function drawStill(state) {
	const c = state.c, data = dataOf(state), width = state.box.clientWidth, height = c.height || (c.small ? 110 : 250);
	const [x0, x1] = xRange(state), [y0, y1] = yRange(state, data);
	const px = (x) => 72 + (x - x0) / (x1 - x0) * (width - 80), py = (y) => height - 24 - (y - y0) / (y1 - y0) * (height - 34);
	const parts = [];
	for (let i = 0; i <= 4; i++) {
		const y = py(y1 * i / 4);
		parts.push(svg("line", {class: "grid", x1: 72, x2: width - 8, y1: y, y2: y}),
			svg("text", {x: 66, y: y + 4, "text-anchor": "end"}, axisText(c.unit, c.unit === "bytes" || c.unit === "ratio" ? y1 * i / 4 : Math.round(y1 * i / 4))));
	}
	parts.push(svg("text", {x: 72, y: height - 6}, timeText(x0)), svg("text", {x: width - 8, y: height - 6, "text-anchor": "end"}, timeText(x1)));
	const order = c.series.map((_, i) => (c.stacked ? c.series.length - 1 - i : i));
	data.slice(1).forEach((column, n) => {
		if (!state.shown[order[n]]) return;
		let d = "", down = false, begin = 0;
		column.forEach((v, i) => {
			if (v !== null) {
				if (!down) begin = data[0][i];
				d += (down ? "L" : c.stacked ? "M" + px(data[0][i]) + " " + py(0) + "L" : "M") + px(data[0][i]).toFixed(1) + " " + py(v).toFixed(1);
			} else if (down && c.stacked) d += "L" + px(data[0][i - 1]).toFixed(1) + " " + py(0) + "L" + px(begin).toFixed(1) + " " + py(0);
			down = v !== null;
		});
		if (down && c.stacked) d += "L" + px(data[0][data[0].length - 1]).toFixed(1) + " " + py(0);
		parts.push(svg("path", {d, class: (c.stacked ? "area ink-" : "ink-") + c.series[order[n]].color, "stroke-dasharray": c.stacked ? null : DASHES[order[n] % 6].join(" ") || null}));
	});
	for (const mark of c.marks || []) parts.push(svg("line", {class: "mark", x1: px(mark.s), x2: px(mark.s), y1: 10, y2: height - 24}, svg("title", {}, mark.text)));
	state.box.replaceChildren(svg("svg", {class: "chart still", viewBox: "0 0 " + width + " " + height, width, height, role: "img", "aria-label": c.title}, parts));
}
