// SPDX-License-Identifier: Apache-2.0
// The heap map of the newest sample: of each arena what its bytes are, and its heaps by
// address; each arena on its own scale, its size at the right. Of each stretch of a heap it is known how much is resident and
// held, and resident and free. A history from before that was recorded has only how much of a heap is resident: drawn from the
// left, hatched, and said.

const KINDS = [
	{name: "in use", color: "held", of: (a) => a.in_use},
	{name: "malloc's own", color: "files", of: (a) => a.overhead},
	{name: "free, malloc_trim(0) would return it", color: "trimmable", of: (a) => Math.min(a.trimmable, a.free)},
	{name: "free and resident, kept", color: "kept", of: (a) => Math.max(0, Math.min(a.retained, a.free) - a.trimmable)},
	{name: "free, returned or never touched", color: "gone", of: (a) => Math.max(0, a.free - Math.max(a.retained, a.trimmable))},
];

function addressAt(base, offset) {
	return "0x" + (BigInt(base) + BigInt(Math.round(offset))).toString(16);
}

// What is drawn: {x0, x1, color, hatched, text: lines of the note}
function partsOf(arena) {
	const parts = [], sums = KINDS.map((k) => k.of(arena));
	let x = 0;
	if (sums.some((v) => v === null || isNaN(v))) return parts;
	KINDS.forEach((kind, i) => {
		parts.push({x0: x, x1: x + sums[i], color: kind.color, text: ["arena " + arena.index + ": " + kind.name,
			sizeText(sums[i]) + " of " + sizeText(arena.system)]});
		x += sums[i];
	});
	return parts;
}

// Of a hexadecimal digit (see `pages` of a heap): what share of a stretch it stands for.
function shareOf(digit) {
	return digit === 0 ? 0 : digit === 15 ? 1 : (digit - 0.5) / 14;
}

function shareText(digit, bytes) {
	return digit === 0 ? "nothing" : digit === 15 ? "all of it" : "about " + sizeText(shareOf(digit) * bytes);
}

// Of each stretch the held part first: within it the order is not known.
function pageParts(arena, heap, range) {
	const parts = [], cells = heap.pages.length / 2, cell = heap.size / cells;
	for (let i = 0; i < cells; i++) {
		const held = parseInt(heap.pages[2 * i], 16), free = parseInt(heap.pages[2 * i + 1], 16), x0 = i * cell;
		const text = ["arena " + arena.index + ", heap " + range, addressAt(heap.address, x0) + " to " + addressAt(heap.address, x0 + cell) + ", " + sizeText(cell),
			"resident and held: " + shareText(held, cell), "resident and free: " + shareText(free, cell), "the rest is returned or was never touched"];
		const middle = x0 + Math.min(1, shareOf(held)) * cell, end = Math.min(x0 + cell, middle + shareOf(free) * cell);
		parts.push({x0, x1: x0 + cell, color: "gone", cell: true, text});
		if (held) parts.push({x0, x1: middle, color: "held", cell: true, text});
		if (free) parts.push({x0: middle, x1: end, color: "kept", cell: true, text});
	}
	return parts;
}

function wholeParts(arena, heap, range) {
	const text = ["arena " + arena.index + ", heap " + range, sizeText(heap.size) + ", " + sizeText(heap.resident) + " of it resident (which pages was not recorded)"];
	const parts = [{x0: 0, x1: heap.size, color: "gone", text}];
	if (heap.resident !== null) parts.push({x0: 0, x1: heap.resident, color: "files", hatched: true, text});
	return parts;
}

function heapParts(arena, heap, last) {
	const end = addressAt(heap.address, heap.size), range = heap.address + " to " + end;
	const parts = (heap.pages ? pageParts : wholeParts)(arena, heap, range);
	const top = last && arena.top ? Math.min(arena.top, heap.size) : 0;
	if (top) parts.push({x0: heap.size - top, x1: heap.size, color: "kept", line: true,
		text: ["top of arena " + arena.index, addressAt(heap.address, heap.size - top) + " to " + end + ", " + sizeText(top)]});
	const pin = arena.pin;
	if (pin && pin.address) {
		const at = Number(BigInt(pin.address) - BigInt(heap.address));
		if (at >= 0 && at < heap.size) parts.push({x0: at, x1: at + pin.size, color: "bad", pin: true,
			text: [(arena.pin_cached_by ? "pin, in the cache of thread " + arena.pin_cached_by : "pin") + ": a chunk of " + sizeText(pin.size) + " at " + pin.address, "holds " + sizeText(pin.holds) + " below the top"]});
	}
	return parts;
}

const MAP_ARENAS = 16, MAP_HEAPS = 12, BAR = 14;

// Rows: one an arena, one a heap of it. The largest arenas, and of each its first heaps.
function mapRows(arenas) {
	const rows = [];
	for (const arena of arenas) {
		const heaps = (arena.heaps || []).slice().sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1));
		const scale = Math.max(1, arena.system || 0, ...heaps.map((h) => h.size || 0));
		rows.push({label: "arena " + arena.index + (arena.kind === "main" ? ", main" : ""), size: arena.system, scale, parts: partsOf(arena), strong: true});
		heaps.slice(0, MAP_HEAPS).forEach((heap, i) => rows.push({label: heap.address, size: heap.size, scale, sums: heap.pages ? "heap " + heap.address + ": " + sizeText(heap.resident) + " of " + sizeText(heap.size) + " resident" : "",
			parts: heapParts(arena, heap, i === heaps.length - 1)}));
	}
	return rows;
}

// What a row is, for who moves by keys: not each stretch, but its sums, top and pin.
function heapNote(row) {
	const whole = row.parts.filter((p) => !p.cell).map((p) => p.text.join(": "));
	return row.sums ? [row.sums, ...whole] : whole;
}

function hatch(to) {
	const tile = document.createElement("canvas");
	tile.width = tile.height = 6;
	const ink = tile.getContext("2d");
	ink.fillStyle = color("files");
	ink.fillRect(0, 0, 6, 6);
	ink.strokeStyle = color("bg");
	ink.lineWidth = 1.2;
	ink.beginPath();
	ink.moveTo(0, 6);
	ink.lineTo(6, 0);
	ink.stroke();
	return to.createPattern(tile, "repeat");
}

function heapMap(latest) {
	const all = latest.arenas.slice().sort((a, b) => (b.system || 0) - (a.system || 0));
	const arenas = all.slice(0, MAP_ARENAS).sort((a, b) => a.index - b.index);
	const rows = mapRows(arenas), head = 118, tail = 78, height = rows.length * (BAR + 4) + 4;
	const c = canvas(height, "Heap map. Up and down move along its rows; tables of arenas and heaps are below.", (to, width) => {
		const pattern = hatch(to);
		to.font = "12px system-ui, sans-serif";
		to.textBaseline = "middle";
		rows.forEach((row, y) => {
			const top = y * (BAR + 4) + 2, px = (width - head - tail) / row.scale;
			to.fillStyle = color(row.strong ? "fg" : "dim");
			to.textAlign = "left";
			to.fillText(row.label, row.strong ? 0 : 8, top + BAR / 2, head - 12);
			to.textAlign = "right";
			to.fillText(sizeText(row.size), width, top + BAR / 2);
			for (const p of row.parts) {
				to.fillStyle = p.hatched ? pattern : color(p.color);
				const x = head + p.x0 * px, w = Math.max((p.x1 - p.x0) * px, p.pin ? 3 : 0.5);
				if (p.line) to.fillRect(x, top + BAR - 4, w, 4);
				else if (p.pin) to.fillRect(x - 1, top - 2, w, BAR + 4);
				else to.fillRect(x, top, w, BAR);
			}
		});
	});
	const partAt = (x, y) => {
		const row = rows[Math.floor(y / (BAR + 4))];
		if (!row) return undefined;
		const bytes = row.scale / (c.clientWidth - head - tail), v = (x - head) * bytes;
		return row.parts.slice().reverse().find((p) => v >= p.x0 - (p.pin ? 4 * bytes : 0) && v < Math.max(p.x1, p.x0 + (p.pin ? 4 * bytes : 0)));
	};
	c.addEventListener("mousemove", (e) => {
		const part = partAt(e.offsetX, e.offsetY);
		if (part) showNote(e.clientX, e.clientY, part.text);
		else hideNote();
	});
	c.addEventListener("mouseleave", hideNote);
	c.addEventListener("blur", hideNote);
	let at = -1;
	c.addEventListener("keydown", (e) => {
		if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
		e.preventDefault();
		at = Math.max(0, Math.min(rows.length - 1, at + (e.key === "ArrowDown" ? 1 : -1)));
		const box = c.getBoundingClientRect();
		showNote(box.left + head, box.top + at * (BAR + 4), heapNote(rows[at]));
	});
	const legend = KINDS.map((k) => el("span", {class: "key"}, svg("svg", {class: "swatch", viewBox: "0 0 16 10", "aria-hidden": "true"},
		svg("rect", {width: 16, height: 10, class: "ink-" + k.color})), k.name));
	return el("figure", {class: "chart", "data-chart": "heap-map"}, el("div", {class: "legend"}, legend),
		el("div", {class: "plot"}, c), el("p", {class: "about"}, "Of each arena what its bytes are, below it its heaps by address. " +
		"In each forty-eighth of a heap what the program holds comes first, then what is free and resident. Hatched: a heap of which only was recorded how much is resident. Red: the pin. Line at the foot: the top." +
		(all.length > arenas.length ? " The " + arenas.length + " largest of " + all.length + " arenas." : "")));
}
