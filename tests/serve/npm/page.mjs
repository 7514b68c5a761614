// SPDX-License-Identifier: GPL-2.0-only
// The page in Chromium: sends, streams, stops, answers again, survives a swap of
// the model and a restart of the server; fits desktop and phone; axe is content.
import { readFileSync } from "node:fs";
import { check, env, finish, need, sleep, status, until } from "./lib.mjs";

const { chromium } = need("playwright-core");
const axe = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");
const question = "What is an inode?";
const shots = env.LLAMUX_SHOTS;

const browser = await chromium.launch({ executablePath: env.LLAMUX_CHROMIUM,
	args: process.getuid() ? [] : ["--no-sandbox"] });
const complaints = [];

async function open(width, height, scheme) {
	const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
	const page = await context.newPage();
	const foreign = [];
	page.on("pageerror", e => complaints.push(String(e)));
	page.on("request", r => r.url().startsWith(env.LLAMUX_URL) ||
		r.url().startsWith("data:") || foreign.push(r.url()));
	await page.goto(env.LLAMUX_URL + "/#token=" + env.LLAMUX_TOKEN);
	return { context, page, foreign };
}

const answered = page => until(async () => await page.isEnabled("#again") &&
	!await page.isEnabled("#stop"));
const lastText = page => page.locator("#log article .said").last().innerText();

async function send(page, text) {
	await page.fill("#prompt", text);
	await page.press("#prompt", "Enter");
}

async function fits(page, what) {
	const over = await page.evaluate(() => document.documentElement.scrollWidth -
		document.documentElement.clientWidth);
	check(what + ": no overflow", over <= 0, over);
}

async function accessible(page, what) {
	await page.evaluate(axe);
	const r = await page.evaluate(() => axe.run());
	check(what + ": axe finds nothing", r.violations.length === 0,
		r.violations.map(v => [v.id, v.nodes.map(n => n.target)]));
}

async function shot(page, name) {
	if (shots)
		await page.screenshot({ path: `${shots}/${name}.png` });
}

/* Chat on a screen of that size. */
async function chat(width, height, scheme, name) {
	const { context, page, foreign } = await open(width, height, scheme);
	check(name + ": the token leaves the address", !page.url().includes("token"));
	check(name + ": models", await until(() => page.locator("#model option").count()));
	check(name + ": theme", await page.evaluate(() =>
		document.documentElement.dataset.theme) === scheme);
	await fits(page, name + ", empty");
	await page.click("summary");
	await page.fill("#temperature", "0");
	await page.fill("#tokens", "200");
	await page.click("summary");
	await send(page, question);
	check(name + ": an answer", await answered(page) && (await lastText(page)).length > 10);
	check(name + ": tokens a second",
		/tokens, \d+ a second/.test(await page.locator("#log .note").last().innerText()));
	const text = await lastText(page);
	await page.keyboard.press("Alt+r");
	await sleep(50);
	check(name + ": the same again", await answered(page) && await lastText(page) === text);
	check(name + ": once", await page.locator("#log article").count() === 2);
	await send(page, "And what is a shell?");
	await answered(page);
	await send(page, "word ".repeat(60) + "x".repeat(300));
	await answered(page);
	await fits(page, name + ", after a long message");
	await accessible(page, name);
	await page.click("#theme");
	await sleep(100);
	await accessible(page, name + ", other theme");
	await page.click("#theme");
	await page.click("#fresh");
	await send(page, question);
	await answered(page);
	await sleep(2500);	/* some points in the plots */
	check(name + ": plots", (await page.locator("polyline").first()
		.getAttribute("points")).split(" ").length >= 2);
	await shot(page, name);
	check(name + ": nothing from elsewhere", foreign.length === 0, foreign);
	await context.close();
}

/* An answer that would go on and on, stopped by key and by button. */
async function stop() {
	const { context, page } = await open(1200, 800, "light");
	await until(() => page.locator("#model option").count());
	await page.click("summary");
	await page.fill("#temperature", "2");
	/* The model ends its answers: the request is made one that it cannot. */
	await page.route("**/v1/chat/completions", route => {
		const body = JSON.parse(route.request().postData());
		route.continue({ postData: JSON.stringify({ ...body, ignore_eos: true }) });
	});
	for (const how of ["Escape", "#stop"]) {
		await send(page, "Tell me everything.");
		check("streams", await until(async () => (await lastText(page)).length > 200));
		check("one under way", (await status()).serve.running === 1);
		if (how === "Escape")
			await page.keyboard.press("Escape");
		else
			await page.click("#stop");
		check(how + " stops", await answered(page));
		check(how + " is told", await page.locator("#log .note").last().innerText() === "Stopped.");
		check(how + " ends the turn", await until(async () =>
			(await status()).serve.running === 0));
	}
	await context.close();
}

/* The test's parent restarts the server when it is told to. */
function parent(what) {
	console.log("parent: " + what);
	return new Promise(r => process.stdin.once("data", r));
}

async function restart() {
	const { context, page } = await open(1200, 800, "dark");
	await until(() => page.locator("#model option").count());
	await send(page, question);
	await answered(page);
	await parent("stop");
	check("the loss is told", await until(async () =>
		(await page.innerText("#notice")).includes("does not answer")));
	await send(page, "Still there?");
	check("a failure is told", await until(() => page.locator("article.failed").count()));
	await parent("start");
	check("it comes back by itself", await until(async () =>
		await page.innerText("#notice") === ""));
	check("the conversation is kept", await page.locator("#log article").count() >= 2);
	await page.click("#again");
	check("again", await until(async () => await page.locator("article.failed").count() === 0 &&
		await answered(page)));
	await parent("swap");
	check("the new model is chosen", await until(async () =>
		await page.inputValue("#model") === "other"));
	check("the swap is told", await until(async () =>
		/gone; now it is other/.test(await page.textContent("#state"))));
	await send(page, question);
	check("it answers", await answered(page) &&
		await page.locator("#log article h2").last().innerText() === "other");
	await context.close();
}

/* Without a token the page asks for one. */
async function login() {
	const context = await browser.newContext({ viewport: { width: 360, height: 700 } });
	const page = await context.newPage();
	await page.goto(env.LLAMUX_URL + "/");
	check("a token is asked for", await until(() => page.isVisible("#login")));
	await accessible(page, "token");
	await page.fill("#token", env.LLAMUX_TOKEN);
	await page.press("#token", "Enter");
	check("and taken", await until(() => page.locator("#model option").count()));
	await context.close();
}

await chat(1280, 800, "light", "serve-desktop");
await chat(360, 740, "dark", "serve-phone");
await stop();
await login();
await restart();
check("no error in the page", complaints.length === 0, complaints);
await browser.close();
finish();
