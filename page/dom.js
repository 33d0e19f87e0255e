// SPDX-License-Identifier: Apache-2.0
// Elements. All text goes in as text: nothing that was recorded is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(e, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {})) {
		if (typeof value === "function") e.addEventListener(name, value);
		else if (value !== null && value !== false) e.setAttribute(name, value === true ? "" : value);
	}
	for (const child of children.flat()) {
		if (child !== null && child !== undefined && child !== "") e.append(child);
	}
	return e;
}

function el(name, attributes, ...children) {
	return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
	return fill(document.createElementNS(SVG, name), attributes, children);
}

function section(title, about, ...children) {
	return el("section", {"aria-label": title}, el("h2", {}, title),
		about ? el("p", {class: "about"}, about) : null, ...children);
}

// What was open or chosen stays so when a live page is drawn anew.
const kept = {open: new Set(), off: new Set(), sorted: {}, range: null, filter: "", metric: ""};

function details(key, summary, make) {
	const d = el("details", {"data-key": key});
	const show = () => {
		if (!d.open || d.childElementCount > 1) return;
		d.append(...[make()].flat());
	};
	d.append(el("summary", {}, summary));
	d.open = kept.open.has(key);
	show();
	d.addEventListener("toggle", () => {
		kept.open[d.open ? "add" : "delete"](key);
		show();
	});
	return d;
}

function color(name) {
	return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// A canvas as wide as its parent and `height` high, sharp on any screen; draw is called
// at each change of width or of light.
function canvas(height, label, draw) {
	const c = el("canvas", {role: "img", "aria-label": label, tabindex: "0"});
	c.redraw = () => {
		const width = c.parentElement ? c.parentElement.clientWidth : 0;
		if (!width) return;
		const scale = window.devicePixelRatio || 1;
		c.width = Math.round(width * scale);
		c.height = Math.round(height * scale);
		c.style.width = width + "px";
		c.style.height = height + "px";
		const to = c.getContext("2d");
		to.scale(scale, scale);
		draw(to, width, height);
	};
	drawn.push(c);
	return c;
}

// All that is to be drawn again when the window or the light changes.
let drawn = [];

function redrawAll() {
	for (const d of drawn) d.redraw();
}

// The one note under the pointer.
const note = el("div", {class: "note", role: "status", hidden: true});

function showNote(x, y, lines) {
	note.replaceChildren(...lines.map((line, i) => el(i ? "span" : "b", {}, line)));
	note.hidden = false;
	const right = window.innerWidth - note.offsetWidth - 12;
	note.style.left = Math.max(8, Math.min(x + 14, right)) + window.scrollX + "px";
	note.style.top = y + 18 + window.scrollY + "px";
}

function hideNote() {
	note.hidden = true;
}

function sparkline(values, label) {
	const known = values.filter((v) => v !== null);
	const low = Math.min(...known), high = Math.max(...known);
	const at = (v) => (18 - (high > low ? (v - low) / (high - low) : 0.5) * 16).toFixed(1);
	let path = "", down = false;
	values.forEach((v, i) => {
		if (v !== null) path += (down ? "L" : "M") + (i * 98 / Math.max(values.length - 1, 1) + 1).toFixed(1) + " " + at(v);
		down = v !== null;
	});
	return svg("svg", {class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": label},
		svg("path", {d: path}));
}
