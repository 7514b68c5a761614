// SPDX-License-Identifier: GPL-2.0-only
// What the tests in Node share: checks, and packages from the cache.
import { createRequire } from "node:module";

export const env = process.env;
export const need = createRequire(env.LLAMUX_NPM + "/package.json");

let passed = 0, failed = 0;

export function check(what, ok, detail) {
	if (ok) {
		passed++;
	} else {
		failed++;
		console.log("failed:", what, JSON.stringify(detail)?.slice(0, 400) ?? "");
	}
	return ok;
}

export async function fails(what, status, f) {
	try {
		await f();
		check(what, false, "no error");
	} catch (e) {
		check(what, (e.status ?? e.status_code) === status, String(e));
	}
}

export const sleep = ms => new Promise(r => setTimeout(r, ms));

/* Until @f gives something true, at most @ms. */
export async function until(f, ms = 10000) {
	for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) {
		const v = await f();
		if (v)
			return v;
	}
	return null;
}

/* What /llamux/status says. */
export async function status() {
	const r = await fetch(env.LLAMUX_URL + "/llamux/status", {
		headers: { Authorization: "Bearer " + env.LLAMUX_TOKEN } });
	return r.json();
}

export function finish() {
	console.log(`${passed} passed, ${failed} failed, 0 skipped`);
	process.exit(failed ? 1 : 0);
}
