// SPDX-License-Identifier: Apache-2.0
// Tables that sort by a click, or Enter, on a column's head.

function cellOf(column, row) {
	const value = column.value(row);
	if (column.cell) return column.cell(row);
	if (column.unit) return valueText(column.unit, value);
	return value === null || value === undefined || value === "" ? "?" : String(value);
}

function compare(a, b, down) {
	const known = (v) => v !== null && v !== undefined && v !== "";
	if (!known(a) || !known(b)) return known(b) - known(a);
	const order = typeof a === "number" && typeof b === "number" ? a - b
		: String(a).localeCompare(String(b), undefined, {numeric: true});
	return down ? -order : order;
}

// columns: {title, value(row), unit, cell(row), text, wide}; rows: as they come; more(row): what
// opens under a row.
function table(key, caption, columns, rows, more) {
	const body = el("tbody");
	const heads = columns.map((column, i) => el("th", {scope: "col", class: column.text ? "text" : null},
		el("button", {type: "button", click: () => sortBy(i)}, column.title)));
	const rowOf = (row) => {
		const cells = columns.map((column, i) => {
			const exact = column.unit === "bytes" && column.value(row) !== null
				? countText(column.value(row)) + " bytes" : null;
			return el(i ? "td" : "th", {scope: i ? null : "row", class: column.text ? "text" : null,
				title: exact, "data-title": column.title}, cellOf(column, row));
		});
		return [el("tr", {}, cells)].concat(more ? more(row, columns.length) : []);
	};
	const draw = () => {
		const by = kept.sorted[key];
		let list = rows.slice();
		if (by) list.sort((a, b) => compare(columns[by.column].value(a), columns[by.column].value(b), by.down));
		body.replaceChildren(...list.flatMap(rowOf));
		heads.forEach((head, i) => {
			if (by && by.column === i) head.setAttribute("aria-sort", by.down ? "descending" : "ascending");
			else head.removeAttribute("aria-sort");
		});
	};
	const sortBy = (i) => {
		const by = kept.sorted[key];
		kept.sorted[key] = {column: i, down: by && by.column === i ? !by.down : !columns[i].text};
		draw();
	};
	draw();
	return el("div", {class: more ? "scroll whole" : "scroll", tabindex: "0", role: "region", "aria-label": caption},
		el("table", {}, el("caption", {class: "hidden"}, caption), el("thead", {}, el("tr", {}, heads)), body));
}
