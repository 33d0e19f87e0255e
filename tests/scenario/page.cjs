// SPDX-License-Identifier: Apache-2.0
// page.cjs FOLDER PICTURES: drives the pages that page.sh made. Prints a line a check: "ok" or
// "bad", name, what was seen; "note" for figures.
"use strict";
const fs = require("fs");
const http = require("http");
const path = require("path");
const {say, check, watch, serious, policyHolds, fits, isDark, without, drive} = require("./browser.cjs");

const [folder, pictures] = process.argv.slice(2);
const rows = JSON.parse(fs.readFileSync(path.join(folder, "rows.json")));
async function open(browser, name, options) {
	const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
	const page = await context.newPage(), file = "file://" + path.join(folder, name);
	const wrong = watch(page, (url) => url === file), begin = Date.now();
	await page.goto(file);
	await page.waitForFunction(() => document.querySelector("h1"));
	return {page, wrong, context, ms: Date.now() - begin};
}

const plotOf = (page, key) => page.locator(`figure[data-chart="${key}"] .u-over`).first();
const valueOf = (page, key, i) => page.locator(`figure[data-chart="${key}"] .key b`).nth(i).getAttribute("data-value");
const whenOf = (page, key) => page.locator(`figure[data-chart="${key}"] .when`).first().textContent();

// The legend of chart "use": in use is its last name, for it stands from the bottom up only
// where bands are stacked or a limit is shown.
async function hover(page, key, share) {
	const over = plotOf(page, key);
	await over.scrollIntoViewIfNeeded();
	const box = await over.boundingBox();
	await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
	return box;
}

// The rows of the database at the time that the page shows, to the second.
function rowsAt(when) {
	return rows.filter((r) => new Date(r.ms - r.ms % 1000).toISOString().slice(0, 19) === new Date(when).toISOString().slice(0, 19));
}

async function interactive(browser) {
	const {page, wrong, context, ms} = await open(browser, "page.html");
	say("note", "page opened in", ms + " ms");
	await page.screenshot({path: pictures + "/light.png", fullPage: true});
	await check("a hover shows the database's value of that moment", async () => {
		for (const share of [0.11, 0.5, 0.93]) {
			await hover(page, "use", share);
			const when = await whenOf(page, "use"), value = Number(await valueOf(page, "use", 0)), retained = Number(await valueOf(page, "use", 1));
			if (!rowsAt(when).some((r) => r.in_use === value && r.retained === retained)) return [when, value, retained, rowsAt(when)];
		}
		return true;
	});
	await check("window and limit are told once, and that growth by type is not recorded", async () => {
		const v = JSON.parse(await page.locator("script#document").textContent()).verdict;
		const text = await page.locator("section.verdict").innerText();
		const times = (what) => text.split(what).length - 1;
		const limits = v.eta_limit_at ? [times("(" + v.limit_name + ")"), times("earliest")] : [1, 1];
		const types = await page.locator('[data-key="types"]').innerText();
		return v.evidence.some((e) => e.startsWith("judged on")) && times(v.samples + " samples") === 1 && !text.includes("judged on") && limits.every((n) => n === 1) &&
			/^Growth by type\s+is not recorded.*heaptide types/.test(types) || [times(v.samples + " samples"), limits, types, text];
	});
	await check("a chart names the zone of its times", async () => {
		const doc = JSON.parse(await page.locator("script#document").textContent());
		const labels = await page.locator(".plot[role=application]").evaluateAll((plots) => plots.map((p) => p.getAttribute("aria-label")));
		const wanted = ", times in " + (doc.zone[0].offset_s ? doc.zone[0].name + ", " : "UTC.");
		return labels.length > 3 && labels.every((l) => l.includes(wanted)) || [labels, wanted];
	});
	await check("what is written beside the value is the same in words", async () => {
		const b = page.locator('figure[data-chart="use"] .key b').first();
		const value = Number(await b.getAttribute("data-value"));
		return (await b.textContent()) === (value / 2 ** 20).toFixed(1) + " MiB" || [value, await b.textContent()];
	});
	await check("all charts share one cursor", async () => {
		await hover(page, "use", 0.4);
		const when = [await whenOf(page, "use"), await whenOf(page, "rss"), await whenOf(page, "evidence"), await whenOf(page, "fragmentation")];
		return new Set(when).size === 1 && when[0] !== "newest" || when;
	});
	await check("a drag zooms all charts, a button shows all again", async () => {
		const all = [];
		for (const share of [0, 0.999]) {
			await hover(page, "rss", share);
			all.push(Date.parse(await whenOf(page, "rss")));
		}
		const box = await hover(page, "use", 0.3);
		await page.mouse.down();
		await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, {steps: 5});
		await page.mouse.up();
		await page.waitForFunction(() => document.body.classList.contains("zoomed"));
		await page.waitForTimeout(100);
		const near = [];
		for (const share of [0, 0.999]) {
			await hover(page, "rss", share);
			near.push(Date.parse(await whenOf(page, "rss")));
		}
		await page.locator("button.reset").click();
		await page.waitForTimeout(100);
		await hover(page, "rss", 0);
		const again = Date.parse(await whenOf(page, "rss"));
		const width = (near[1] - near[0]) / (all[1] - all[0]);
		return near[0] > all[0] && near[1] < all[1] && width > 0.1 && width < 0.55 && again === all[0] || [all, near, again];
	});
	await check("a name switches its line off and on", async () => {
		const colored = () => page.evaluate(() => {
			const c = document.querySelector('figure[data-chart="use"] canvas'), to = c.getContext("2d");
			const ink = document.createElement("canvas").getContext("2d");
			ink.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--kept").trim();
			ink.fillRect(0, 0, 1, 1);
			const [r, g, b] = ink.getImageData(0, 0, 1, 1).data, d = to.getImageData(0, 0, c.width, c.height).data;
			let n = 0;
			for (let i = 0; i < d.length; i += 4) n += d[i] === r && d[i + 1] === g && d[i + 2] === b && d[i + 3] === 255;
			return n;
		});
		const key = page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}), before = await colored();
		await key.click();
		const off = [await key.getAttribute("aria-pressed"), await colored()];
		await key.click();
		const on = [await key.getAttribute("aria-pressed"), await colored()];
		return before > 50 && off[0] === "false" && off[1] === 0 && on[0] === "true" && on[1] > 50 || [before, off, on];
	});
	await check("keys move the cursor, zoom and show all; the value is told to who does not see", async () => {
		const plot = page.locator('figure[data-chart="use"] .plot');
		await plot.focus();
		await page.keyboard.press("ArrowLeft");
		await page.keyboard.press("ArrowLeft");
		const when = await whenOf(page, "use"), value = Number(await valueOf(page, "use", 0));
		const said = await page.locator('figure[data-chart="use"] [aria-live]').textContent();
		const wanted = rows[rows.length - 2];
		await page.keyboard.press("+");
		const zoomed = await page.evaluate(() => document.body.classList.contains("zoomed"));
		await page.keyboard.press("Escape");
		const out = await page.evaluate(() => !document.body.classList.contains("zoomed"));
		return value === wanted.in_use && said.includes("in use") && said.includes(when) && zoomed && out || [when, value, wanted, said, zoomed, out];
	});
	await check("a table beside each chart has the same values", async () => {
		const d = page.locator('figure[data-chart="use"] details');
		await d.locator("summary").focus();
		await page.keyboard.press("Enter");
		const last = (await d.locator("tbody tr").last().locator("td").first().getAttribute("title")).replace(/,/g, "");
		return last === rows[rows.length - 1].in_use + " bytes" || [last, rows[rows.length - 1].in_use];
	});
	await check("tables sort by their heads, by keys too", async () => {
		const d = page.locator('details[data-key="t/classes"]');
		await d.locator("summary").click();
		const figures = async () => (await d.locator("tbody tr td:nth-child(4)").evaluateAll((c) => c.map((e) => Number(e.title.replace(/[^0-9]/g, "")))));
		await d.locator("thead button", {hasText: "in use"}).nth(1).focus();
		await page.keyboard.press("Enter");
		const down = await figures();
		await page.keyboard.press("Enter");
		const up = await figures();
		const sorted = down.every((v, i) => i === 0 || down[i - 1] >= v) && up.every((v, i) => i === 0 || up[i - 1] <= v);
		return down.length > 20 && down[0] > down[down.length - 1] && sorted || [down, up];
	});
	await check("the heap map names the range under the pointer", async () => {
		const [heap] = JSON.parse(fs.readFileSync(path.join(folder, "heap.json")));
		const c = page.locator('figure[data-chart="heap-map"] canvas');
		await c.scrollIntoViewIfNeeded();
		const box = await c.boundingBox();
		await page.mouse.move(box.x + 200, box.y + 27);
		const text = await page.locator(".note").textContent();
		return text.includes(heap.address) && text.includes("resident and held: ") && text.includes("resident and free: ") || [text, heap];
	});
	await check("any metric can be drawn", async () => {
		await page.locator("select").selectOption("heaps");
		return (await page.locator('figure[data-chart="any/heaps"] canvas').count()) === 1;
	});
	await check("no text of it is a program's", async () => page.evaluate(() => {
		for (const d of document.querySelectorAll("details")) d.open = true;
		return (document.querySelector("main").innerText.match(/\[object|undefined|NaN|Infinity/) || [true])[0];
	}));
	await check("up to the limit: the way there is drawn, and back", async () => {
		const far = page.locator('figure[data-chart="rss"] button.far');
		if (!(await far.count())) return "no limit was known";
		await far.click();
		const on = await far.getAttribute("aria-pressed");
		await far.click();
		return on === "true" && (await far.getAttribute("aria-pressed")) === "false";
	});
	await check("what was recorded is text and nothing else", async () => page.evaluate(() => {
		const name = document.querySelector("h1").textContent;
		return window.hacked === undefined && document.scripts.length === 2 && !document.querySelector("main img, main script, main b b") &&
			name.includes("</script><script>window.hacked=1</script>") && document.title.includes("<img src=x") || [name, document.scripts.length, window.hacked];
	}));
	await check("who holds a leak is told beside the verdict", async () => page.evaluate(() => {
		const leak = JSON.parse(document.getElementById("document").textContent).verdict.verdict === "LEAK";
		const text = document.querySelector("section.verdict .lines").textContent;
		return leak === text.includes("Who a <i>list</i> by main (as of ") || [leak, text];
	}));
	await check("the policy holds: no script, style or request that is put in runs", () => policyHolds(page));
	without(wrong);
	await check("axe finds nothing serious, light", () => serious(page));
	await check("it prints without its buttons", async () => {
		await page.emulateMedia({media: "print"});
		const shown = await page.locator(".tools").isVisible();
		await page.emulateMedia({media: null});
		return !shown;
	});
	await check("no console message, no error, no request", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function narrow(browser) {
	const {page, wrong, context} = await open(browser, "page.html", {viewport: {width: 400, height: 800}, colorScheme: "dark"});
	await page.screenshot({path: pictures + "/dark-400.png", fullPage: true});
	await check("at 400 px nothing is wider than the screen and text is legible", () => fits(page));
	await check("dark is dark", () => isDark(page));
	await check("axe finds nothing serious, dark", () => serious(page));
	await check("no console message, no error, no request at 400 px", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function still(browser) {
	const {page, wrong, context} = await open(browser, "still.html");
	await page.screenshot({path: pictures + "/still.png", fullPage: true});
	await check("without uPlot all charts are drawn, each with its table", async () => page.evaluate(() => {
		const charts = [...document.querySelectorAll("figure.chart:not(.small) svg.still")];
		return !window.uPlot && charts.length >= 5 && charts.every((c) => c.querySelector("path").getAttribute("d").length > 100 && c.closest("figure").querySelector("details")) || charts.length;
	}));
	await check("without uPlot a name switches its line off", async () => {
		const key = page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}), lines = page.locator('figure[data-chart="use"] svg.still path');
		const before = await lines.count();
		await key.click();
		return (await lines.count()) === before - 1;
	});
	await check("axe finds nothing serious without uPlot", () => serious(page));
	await check("no console message, no error, no request without uPlot", async () => wrong.length === 0 || wrong);
	await context.close();
	for (const name of ["page.html", "still.html"]) {
		const plain = await open(browser, name, {javaScriptEnabled: false});
		await plain.page.screenshot({path: pictures + "/no-script.png", fullPage: true});
		await check("without script " + name + " says the verdict and draws", async () => {
			const svgs = await plain.page.locator("svg.chart").count(), text = await plain.page.locator("main").textContent();
			return svgs >= 4 && text.includes("RSS by cause") && text.includes("samples") && plain.wrong.length === 0 || [svgs, plain.wrong];
		});
		await plain.context.close();
	}
}

async function index(browser) {
	const {page, wrong, context, ms} = await open(browser, "all.html");
	say("note", "index of a hundred targets, thirty days each, opened in", ms + " ms");
	await page.screenshot({path: pictures + "/index.png"});
	await check("the index has every target with verdict, growth and course", async () => page.evaluate(() => {
		const list = [...document.querySelectorAll('section[aria-label="Targets"] tbody tr:not(.more)')];
		return list.length === 101 && list.every((r) => r.querySelector(".badge") && r.querySelector("svg.spark path").getAttribute("d").length > 100) || list.length;
	}));
	await check("it is filtered by a word and sorted by a head", async () => {
		await page.locator("input[type=search]").fill("web-42");
		const one = await page.locator("tbody tr:not(.more) th").allTextContents();
		await page.locator("input[type=search]").fill("");
		await page.locator("thead button", {hasText: "pid"}).click();
		const first = await page.locator("tbody tr:not(.more) td:nth-child(2)").first().textContent();
		return one.length === 1 && one[0] === "web-42" && Number(first) >= 1101 || [one, first];
	});
	await check("a target opens to its evidence", async () => {
		const d = page.locator("tr.more details").first();
		await d.locator("summary").click();
		return (await d.locator("li").count()) > 2;
	});
	await check("hostile names are text in the index, too", async () => page.evaluate(() => window.hacked === undefined && document.scripts.length === 2 && !document.querySelector("main img")));
	await check("axe finds nothing serious in the index", () => serious(page));
	await check("no console message, no error, no request in the index", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function family(browser) {
	const {page, wrong, context} = await open(browser, "family.html");
	await page.screenshot({path: pictures + "/family.png", fullPage: true});
	await check("of a service each process is a line, and the sum", async () => page.evaluate(() => {
		const f = JSON.parse(document.getElementById("document").textContent).family, list = [...document.querySelectorAll('section[aria-label^="The service"] tbody tr')];
		const cell = (row) => Number(row.querySelectorAll("td")[3].title.replace(/[^0-9]/g, ""));
		return list.length === 3 && cell(list[0]) + cell(list[1]) === cell(list[2]) && cell(list[2]) === f.rss || list.map(cell);
	}));
	await check("and a band of the chart, the whole of which is the sum", async () => {
		await hover(page, "family/in_use", 0.5);
		const f = await page.evaluate(() => JSON.parse(document.getElementById("document").textContent).family);
		const when = Date.parse(await whenOf(page, "family/in_use")) / 1000, course = f.courses.find((c) => c.name === "in_use");
		const sum = Number(await valueOf(page, "family/in_use", 0)) + Number(await valueOf(page, "family/in_use", 1));
		return f.times_s.some((t, i) => Math.floor(t) === when && course.sum[i] === sum) || [when, sum];
	});
	await check("axe finds nothing serious in a service", () => serious(page));
	await check("no console message, no error, no request of a service", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function month(browser) {
	const {page, wrong, context, ms} = await open(browser, "month.html");
	say("note", "a target with thirty days opened in", ms + " ms");
	await check("thirty days are drawn whole, each size class, too", async () => page.evaluate(() => {
		const rows = JSON.parse(document.getElementById("document").textContent).times_s;
		const first = [...document.querySelectorAll("figure[data-chart^='class/'] canvas")];
		return rows[rows.length - 1] - rows[0] > 29 * 86400 && first.length >= 4 && document.querySelectorAll("figure.chart:not(.small) canvas").length >= 4 || [rows.length, first.length];
	}));
	await check("no console message, no error, no request of thirty days", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function folderOf(browser) {
	const context = await browser.newContext(), page = await context.newPage();
	await page.goto("file://" + path.join(folder, "all", "index.html"));
	await check("in a folder the index leads to each target's page", async () => {
		await page.locator("tbody a").first().click();
		await page.locator("section.verdict").waitFor({timeout: 30000});
		return page.url().endsWith("/all/target-1.html") || page.url();
	});
	await context.close();
}

// The page as a server would give it: it asks for its document, and goes on when there is none.
async function live(browser) {
	const html = fs.readFileSync(path.join(folder, "page.html"), "utf8");
	const begin = html.indexOf(' id="document">') + ' id="document">'.length, end = html.indexOf("</script>", begin);
	const doc = JSON.parse(html.slice(begin, end));
	const served = html.slice(0, begin - 1).replace("base-uri", "connect-src 'self'; base-uri") + ' data-poll="document.json">' + html.slice(end);
	let answers = 0, broken = false;
	const server = http.createServer((request, response) => {
		if (!request.url.endsWith(".json")) return response.setHeader("Content-Type", "text/html") && response.end(served);
		response.statusCode = broken ? 503 : 200;
		response.end(JSON.stringify({...doc, target: "live " + ++answers}));
	});
	await new Promise((r) => server.listen(0, "127.0.0.1", r));
	const context = await browser.newContext(), page = await context.newPage();
	await page.goto("http://127.0.0.1:" + server.address().port + "/t/");
	await check("a live page follows its document, keeps what was chosen, and says when none comes", async () => {
		await page.locator("h1", {hasText: "live 1"}).waitFor({timeout: 30000});
		await page.locator('details[data-key="t/arenas"] summary').click();
		await page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}).click();
		await page.locator("h1", {hasText: "live 2"}).waitFor({timeout: 30000});
		const open = await page.locator('details[data-key="t/arenas"]').evaluate((d) => d.open);
		const off = await page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}).getAttribute("aria-pressed");
		broken = true;
		await page.locator(".live.late").waitFor({timeout: 30000});
		return open && off === "false" && (await page.locator("h1").textContent()).includes("live") || [open, off];
	});
	await context.close();
	server.close();
}

drive(async (browser) => {
	await interactive(browser);
	await narrow(browser);
	await still(browser);
	await index(browser);
	await family(browser);
	await month(browser);
	await folderOf(browser);
	await live(browser);
});
