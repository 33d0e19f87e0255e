// SPDX-License-Identifier: Apache-2.0
// page_live.cjs ADDRESS ID PID PICTURES HEAPTIDE SOCKET DB: drives the page that heaptided serves,
// ends the process and removes the history. page_live.cjs ADDRESS ID days: opens one target.
"use strict";
const {execFileSync} = require("child_process");
const fs = require("fs");
const net = require("net");
const {say, check, watch, serious, policyHolds, fits, isDark, without, drive} = require("./browser.cjs");

const [address, id, pid, pictures, heaptide, socket, db] = process.argv.slice(2);
const hostile = "<img src=x onerror=window.hacked=1>";
const PATIENCE = 60000;

async function open(browser, where, options) {
	const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
	const page = await context.newPage();
	const wrong = watch(page, (url) => url.startsWith(address + "/")), begin = Date.now();
	await page.goto(address + where);
	await page.locator("h1").waitFor({timeout: PATIENCE});
	return {page, wrong, context, ms: Date.now() - begin};
}

const sql = (query) => execFileSync("sqlite3", ["-readonly", "-cmd", ".timeout 5000", db, query], {encoding: "utf8"}).trim();
const samples = () => Number(sql("select count(*) from sample where process_id = " + id));
const row = (page) => page.locator('section[aria-label="Targets"] tbody tr:not(.more)');
const points = (page) => page.evaluate(() => Number((document.querySelector("section.verdict").textContent.match(/([0-9,]+) samples/) || ["", "0"])[1].replace(/,/g, "")));
const inert = (page) => page.evaluate((text) => window.hacked === undefined && document.scripts.length === 2 && !document.querySelector("main img, main script") &&
	document.querySelector("main").textContent.includes(text), hostile);

// Waits until fn(page) is true; what it was last, if it never is.
async function until(fn) {
	const end = Date.now() + PATIENCE;
	for (;;) {
		const seen = await fn();
		if (seen === true || Date.now() > end) return seen;
		await new Promise((r) => setTimeout(r, 200));
	}
}

async function list(browser) {
	const {page, wrong, context} = await open(browser, "/");
	await page.evaluate(() => (window.same = true));
	await check("the list has the target with its course", () => until(async () => (await row(page).count()) === 1 &&
		page.evaluate(() => (document.querySelector("svg.spark path") || {getAttribute: () => ""}).getAttribute("d").split("L").length > 3)));
	await check("its verdict comes", () => until(async () => (await row(page).locator(".badge").count()) === 1));
	await check("an alert comes", () => until(async () => (await page.locator('section[aria-label="Alerts"] tbody tr').count()) >= 1 &&
		(await page.locator('section[aria-label="Alerts"]').textContent()).includes("always")));
	execFileSync(heaptide, ["silence", "always", "*", "1h", "known " + hostile, "--socket", socket]);
	await check("a silence comes", () => until(async () => (await page.locator('section[aria-label="Silences"] tbody tr').count()) === 1 &&
		(await page.locator('section[aria-label="Silences"]').textContent()).includes("known " + hostile)));
	await check("the course goes on", async () => {
		const course = () => page.locator("svg.spark path").first().getAttribute("d"), before = await course();
		return until(async () => (await course()) !== before);
	});
	await check("all of that without a reload", () => page.evaluate(() => window.same === true));
	await check("what strangers named is text in the list", () => inert(page));
	await page.screenshot({path: pictures + "/live-list.png"});
	await check("axe finds nothing serious in the list", () => serious(page));
	await check("by keys alone the way leads to the target", async () => {
		for (let n = 0; n < 60; n++) {
			await page.keyboard.press("Tab");
			if (await page.evaluate(() => document.activeElement.tagName === "A" && document.activeElement.textContent === "shown")) break;
		}
		await page.keyboard.press("Enter");
		await page.locator("section.verdict").waitFor({timeout: PATIENCE});
		return page.url() === address + "/p/" + id || page.url();
	});
	await check("no console message, no error, no request elsewhere in the list", async () => wrong.length === 0 || wrong);
	await context.close();
}

// Clients that ask and never read, or never end their question, beside the browser.
function slowClients() {
	const port = Number(new URL(address).port), held = [];
	for (let i = 0; i < 30; i++) {
		const s = net.connect(port, "127.0.0.1");
		s.on("error", () => 0);
		s.pause();
		s.write(i % 2 ? "GET /p/" + id + ".json HTTP/1.1\r\nHost: localhost\r\n\r\n" : "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
		held.push(s);
	}
	return () => held.forEach((s) => s.destroy());
}

async function target(browser) {
	const {page, wrong, context, ms} = await open(browser, "/p/" + id);
	say("note", "a target that is measured opened in", ms + " ms");
	await page.evaluate(() => (window.same = true));
	const before = await points(page);
	await page.locator('details[data-key="t/classes"] summary').click();
	await page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}).click();
	await check("new points come to the charts", () => until(async () => (await points(page)) > before + 4 || [before, await points(page)]));
	await check("the newest value is one of the database", async () => {
		const value = Number(await page.locator('figure[data-chart="use"] .key b').first().getAttribute("data-value"));
		return Number(sql("select count(*) from sample where process_id = " + id + " and in_use = " + value)) > 0 || value;
	});
	await check("without a reload, and what was chosen stays", async () => {
		const open = await page.locator('details[data-key="t/classes"]').evaluate((d) => d.open);
		const off = await page.locator('figure[data-chart="use"] button.key', {hasText: "retained"}).getAttribute("aria-pressed");
		return open && off === "false" && page.evaluate(() => window.same === true);
	});
	await check("a zoom stays while points come", async () => {
		await page.locator('figure[data-chart="use"] .plot').focus();
		await page.keyboard.press("ArrowLeft");
		await page.keyboard.press("+");
		const zoomed = await points(page);
		return until(async () => (await points(page)) > zoomed && page.evaluate(() => document.body.classList.contains("zoomed")));
	});
	await page.keyboard.press("Escape");
	const end = slowClients(), slow = await points(page);
	await check("slow clients keep nothing from it", () => until(async () => (await points(page)) > slow + 4 || [slow, await points(page)]));
	end();
	await check("what strangers named is text on its page", () => inert(page));
	await page.screenshot({path: pictures + "/live-target.png", fullPage: true});
	await check("the policy holds: no script, style or request that is put in runs", () => policyHolds(page));
	without(wrong);
	await check("axe finds nothing serious on its page", () => serious(page));
	await check("no console message, no error, no request elsewhere on its page", async () => wrong.length === 0 || wrong);
	await context.close();
}

async function narrow(browser) {
	for (const [where, what] of [["/", "the list"], ["/p/" + id, "the page"]]) {
		const {page, wrong, context} = await open(browser, where, {viewport: {width: 400, height: 800}, colorScheme: "dark"});
		await page.locator("tbody tr, figure").first().waitFor({state: "attached", timeout: PATIENCE});
		await check("at 400 px " + what + " fits and is legible", () => fits(page));
		await check("dark, " + what + " is dark", () => isDark(page));
		await check("axe finds nothing serious, dark, in " + what, () => serious(page));
		await check("no console message, no error at 400 px in " + what, async () => wrong.length === 0 || wrong);
		await context.close();
	}
}

async function gone(browser) {
	const before = samples();
	await check("nobody looks any more, and the samples go on", () => until(() => samples() > before + 4));
	const {page, context} = await open(browser, "/p/" + id);
	process.kill(Number(pid), "SIGKILL");
	await check("the end of the process is told while it is followed", () => until(async () => (await page.locator("h1").textContent()).includes("ended")));
	for (const end of ["", "-wal", "-shm"]) fs.rmSync(db + end, {force: true});
	await check("a history that is gone is told, and what was shown stays", async () => {
		await page.locator(".live.late").waitFor({timeout: PATIENCE});
		const text = await page.locator(".live").textContent();
		return text.includes("what is shown stays") && (await page.locator("figure canvas").count()) > 3 || text;
	});
	await context.close();
	for (const where of ["/", "/p/" + id]) {
		const fresh = await browser.newPage();
		await fresh.goto(address + where);
		await check("who comes now to " + (where === "/" ? "the list" : "the page") + " is told so", async () => {
			// Or another has begun, and knows nobody.
			return until(async () => {
				const text = await fresh.locator("main").innerText();
				return /no answer from heaptided \(.+\): it is asked again|\b0 processes/.test(text) || text;
			});
		});
		await fresh.close();
	}
}

async function days(browser) {
	const {wrong, context, ms} = await open(browser, "/p/" + id);
	say("note", "a target with thirty days opened in", ms + " ms");
	await check("no console message, no error, no request elsewhere with thirty days", async () => wrong.length === 0 || wrong);
	await context.close();
}

drive(async (browser) => {
	if (pid === "days") return days(browser);
	await list(browser);
	await target(browser);
	await narrow(browser);
	await gone(browser);
});
