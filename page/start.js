// SPDX-License-Identifier: Apache-2.0
// Draws the document that the page holds; live, asks for it again and again.

const POLL_MS = 5000;
const PAGES = {"heaptide.page/1": targetPage, "heaptide.page_index/1": indexPage};

const holder = document.getElementById("document");
const place = document.getElementById("page");
const state = el("p", {class: "live", role: "status", hidden: !holder.dataset.poll}, holder.dataset.poll ? "asking heaptided" : null);

function show(doc) {
	const make = PAGES[doc.schema];
	const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
	const top = window.scrollY;
	if (!make) return;
	for (const c of charts) if (c.plot) c.plot.destroy();
	charts = [];
	drawn = [];
	hideNote();
	place.replaceChildren(state, ...(holder.dataset.poll && doc.schema === "heaptide.page/1" ? [el("nav", {"aria-label": "All targets"}, el("a", {href: "../"}, "all targets"))] : []), ...make(doc).flat().filter(Boolean), note);
	redrawAll();
	window.scrollTo(0, top);
	if (focused) {
		const again = [...place.querySelectorAll("[data-key]")].find((e) => e.dataset.key === focused);
		if (again) again.focus({preventScroll: true});
	}
}

async function poll() {
	try {
		const answer = await fetch(holder.dataset.poll, {cache: "no-store", credentials: "omit"});
		if (!answer.ok) throw new Error((await answer.text()).trim().slice(0, 300) || "status " + answer.status);
		show(await answer.json());
		state.textContent = "live: as of " + timeText(Date.now() / 1000);
		state.classList.remove("late");
	} catch (e) {
		state.textContent = "no answer from heaptided (" + e.message + ")" + (state.nextSibling ? ": what is shown stays" : ": it is asked again");
		state.classList.add("late");
	}
	setTimeout(poll, POLL_MS);
}

let pending = 0;
function later() {
	cancelAnimationFrame(pending);
	pending = requestAnimationFrame(redrawAll);
}

document.documentElement.classList.add("script");
if (holder.textContent.trim()) show(JSON.parse(holder.textContent));
if (holder.dataset.poll) {
	if (!state.isConnected) place.replaceChildren(state);
	poll();
}
window.addEventListener("resize", later);
window.addEventListener("beforeprint", redrawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
