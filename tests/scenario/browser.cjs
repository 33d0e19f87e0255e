// SPDX-License-Identifier: Apache-2.0
// What drives Debian's Chromium for page.cjs and page_live.cjs: checks as lines ("ok" or "bad",
// name, what was seen; "note" for figures), and what no page may do.
"use strict";
const fs = require("fs");
const {chromium} = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const say = (...words) => console.log(words.map((w) => String(w).replace(/[\t\n]+/g, " ")).join("\t"));

async function check(name, what) {
	let seen;
	try {
		seen = await what();
	} catch (e) {
		seen = e.message;
	}
	say(seen === true ? "ok" : "bad", name, seen === true ? "" : String(JSON.stringify(seen)).slice(0, 900));
}

// What a page must never do, gathered while it is driven. own(url): what it may ask for.
function watch(page, own) {
	const wrong = [];
	page.on("console", (m) => wrong.push("console: " + m.text()));
	page.on("pageerror", (e) => wrong.push("error: " + e.message));
	page.on("request", (r) => {
		if (!own(r.url()) && !r.url().startsWith("blob:")) wrong.push("request: " + r.url());
	});
	page.on("dialog", (d) => wrong.push("dialog: " + d.message()) && d.dismiss());
	return wrong;
}

async function serious(page) {
	await page.evaluate(axe);
	const found = await page.evaluate(() => window.axe.run(document, {resultTypes: ["violations"]}));
	const list = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
	return list.length === 0 || list.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.target + " " + (n.any[0] || {}).message).join(" | "));
}

// Script, style, image and request that are put in: nothing of it runs, each is told.
async function policyHolds(page) {
	return page.evaluate(async () => {
		const said = [];
		document.addEventListener("securitypolicyviolation", (e) => said.push(e.effectiveDirective));
		const script = document.createElement("script");
		script.textContent = "window.hacked = 2";
		document.body.append(script);
		const style = document.createElement("style");
		style.textContent = "h1 { position: fixed }";
		document.head.append(style);
		const image = new Image();
		image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";
		await fetch("data:text/plain,x").catch(() => 0);
		await new Promise((r) => setTimeout(r, 100));
		script.remove();
		style.remove();
		const wanted = ["script-src-elem", "style-src-elem", "img-src", "connect-src"];
		return window.hacked === undefined && getComputedStyle(document.querySelector("h1")).position === "static" && wanted.every((w) => said.includes(w)) || said;
	});
}

// At 400 px: nothing wider than the screen, no text too small.
async function fits(page) {
	return page.evaluate(() => {
		const small = [...document.querySelectorAll("main *")].filter((e) => e.textContent && parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.className);
		const wide = [...document.querySelectorAll("main canvas, main figure, main section")].filter((e) => e.getBoundingClientRect().right > 400).length;
		return document.scrollingElement.scrollWidth <= 400 && wide === 0 && small.length === 0 || [document.scrollingElement.scrollWidth, wide, small];
	});
}

async function isDark(page) {
	return page.evaluate(() => {
		const light = (c) => c.match(/\d+/g).slice(0, 3).reduce((a, v) => a + Number(v), 0);
		return light(getComputedStyle(document.documentElement).backgroundColor) < 150 && light(getComputedStyle(document.body).color) > 550;
	});
}

// What must be gone on a page where a policy was tried: its own words about that.
function without(wrong) {
	wrong.splice(0, wrong.length, ...wrong.filter((w) => !/Content Security Policy|data:/.test(w)));
}

async function drive(what) {
	const browser = await chromium.launch({executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"]});
	try {
		await what(browser);
	} catch (e) {
		say("bad", "the browser was driven to the end", e.stack);
		process.exitCode = 1;
	}
	await browser.close();
}

module.exports = {say, check, watch, serious, policyHolds, fits, isDark, without, drive};
