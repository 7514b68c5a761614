// SPDX-License-Identifier: GPL-2.0-only
// The published clients of OpenAI and Ollama, as they are, in a conversation.
import { check, env, fails, finish, need, status, until } from "./lib.mjs";

const { OpenAI } = need("openai");
const { Ollama } = need("ollama");
const model = "llamux-default";
const question = "What is an inode?";

const schema = { type: "object", additionalProperties: false, required: ["sort", "hidden"],
	properties: { sort: { enum: ["name", "size"] }, hidden: { type: "boolean" } } };
const tools = [{ type: "function", function: { name: "list_files",
	description: "Names of the files in a directory", parameters: schema } }];

/* Arguments as the schema has them. */
function fit(args) {
	return Object.keys(args).sort().join() === "hidden,sort" &&
		["name", "size"].includes(args.sort) && typeof args.hidden === "boolean";
}

/* JSON as a schema has it, calls of tools, what they returned, embeddings. */
async function openaiMore(client) {
	const ask = { model, seed: 1, max_tokens: 200,
		messages: [{ role: "user", content: "Which files?" }] };
	const json = await client.chat.completions.create({ ...ask, response_format: {
		type: "json_schema", json_schema: { name: "x", schema } } });
	check("JSON schema", fit(JSON.parse(json.choices[0].message.content)), json);

	const choice = { type: "function", function: { name: "list_files" } };
	const called = await client.chat.completions.create({ ...ask, tools, tool_choice: choice });
	const message = called.choices[0].message;
	check("tool call", called.choices[0].finish_reason === "tool_calls" &&
		message.tool_calls[0].function.name === "list_files" &&
		fit(JSON.parse(message.tool_calls[0].function.arguments)), called);

	const stream = client.chat.completions.stream({ ...ask, tools, tool_choice: choice });
	const same = (await stream.finalChatCompletion()).choices[0];
	check("tool call, streamed", same.finish_reason === "tool_calls" &&
		same.message.tool_calls[0].function.arguments ===
		message.tool_calls[0].function.arguments, same);

	const ran = [];
	const runner = client.chat.completions.runTools({ ...ask, tool_choice: choice, tools: [{
		type: "function", function: { name: "list_files", parameters: schema,
			description: "Names of the files in a directory", parse: JSON.parse,
			function: args => { ran.push(args); return "notes.txt"; } } }] });
	await runner.done();
	check("the client runs the tool", ran.length === 1 && fit(ran[0]), ran);

	const more = await client.chat.completions.create({ ...ask, tools, messages: [
		...ask.messages, message, { role: "tool", tool_call_id: message.tool_calls[0].id,
			content: "notes.txt" }] });
	check("the tool's result", more.choices[0].finish_reason !== null &&
		more.usage.prompt_tokens > called.usage.prompt_tokens, more);

	const vectors = await client.embeddings.create({ model, input: ["a file", "a signal"],
		encoding_format: "float" });
	check("embeddings", vectors.data.length === 2 && vectors.data[0].embedding.length > 8 &&
		vectors.data[0].embedding[0] !== vectors.data[1].embedding[0], vectors.usage);
}

async function openai() {
	const client = new OpenAI({ baseURL: env.LLAMUX_URL + "/v1", apiKey: env.LLAMUX_TOKEN,
		maxRetries: 0 });
	const ids = [];
	for await (const m of client.models.list())
		ids.push(m.id);
	check("models", ids.includes(model), ids);

	const ask = { model, temperature: 0, messages: [{ role: "user", content: question }] };
	const whole = await client.chat.completions.create(ask);
	const text = whole.choices[0].message.content;
	check("chat", text && whole.choices[0].finish_reason === "stop", whole);

	let streamed = "", n = 0, usage = null;
	for await (const c of await client.chat.completions.create({ ...ask, stream: true,
		stream_options: { include_usage: true } })) {
		streamed += c.choices[0]?.delta?.content ?? "";
		usage = c.usage ?? usage;
		n++;
	}
	check("chat, streamed", streamed === text && n > 2, streamed);
	check("usage", usage?.completion_tokens === whole.usage.completion_tokens, usage);

	const stop = text.split(" ")[3];
	const cut = await client.chat.completions.create({ ...ask, stop: [stop] });
	check("stop", cut.choices[0].message.content === text.slice(0, text.indexOf(stop)), cut);

	const talk = [...ask.messages, { role: "assistant", content: text },
		{ role: "user", content: "And a shell?" }];
	const next = await client.chat.completions.create({ ...ask, messages: talk });
	check("second turn", next.usage.prompt_tokens > whole.usage.prompt_tokens, next.usage);

	await openaiMore(client);
	const raw = await client.completions.create({ model, prompt: "Once", max_tokens: 5,
		temperature: 0 });
	check("completion", raw.choices[0].text && raw.usage.completion_tokens === 5, raw);

	await fails("no such model", 404, () => client.chat.completions.create({ ...ask,
		model: "nobody" }));
	await fails("out of range", 400, () => client.chat.completions.create({ ...ask,
		temperature: 5 }));
	await fails("a wrong key", 401, () => new OpenAI({ baseURL: env.LLAMUX_URL + "/v1",
		apiKey: "wrong", maxRetries: 0 }).models.list());

	const two = await Promise.all([1, 2].map(seed => client.completions.create({ model,
		prompt: "Number", max_tokens: 50, seed, temperature: 1 })));
	const one = await client.completions.create({ model, prompt: "Number", max_tokens: 50,
		seed: 2, temperature: 1 });
	check("two in parallel", two[1].choices[0].text === one.choices[0].text &&
		two[0].choices[0].text !== two[1].choices[0].text, two);

	const endless = await client.completions.create({ model, prompt: "x", stream: true,
		max_tokens: 1000000, temperature: 1 });
	for await (const c of endless) {
		check("an endless answer begins", c.choices.length === 1, c);
		break;	/* the client cancels the request */
	}
	check("cancel", await until(async () => (await status()).serve.running === 0));
}

async function ollama() {
	const headers = { Authorization: "Bearer " + env.LLAMUX_TOKEN };
	const client = new Ollama({ host: env.LLAMUX_URL, headers });
	check("list", (await client.list()).models[0].name === model);
	check("ps", (await client.ps()).models[0].model === model);
	check("version", (await client.version()).version);
	check("show", (await client.show({ model })).details.format === "gguf");

	const ask = { model, options: { temperature: 0 },
		messages: [{ role: "user", content: question }] };
	const whole = await client.chat(ask);
	const text = whole.message.content;
	check("chat", text && whole.done && whole.eval_count > 0, whole);
	let streamed = "", done = null;
	for await (const c of await client.chat({ ...ask, stream: true })) {
		streamed += c.message.content;
		done = c.done ? c : done;
	}
	check("chat, streamed", streamed === text && done?.done_reason === "stop", streamed);
	const made = await client.generate({ model, prompt: question, options: { temperature: 0 } });
	check("generate", made.response === text, made);
	const stop = text.split(" ")[3];
	const cut = await client.generate({ model, prompt: question,
		options: { temperature: 0, stop: [stop] } });
	check("stop", cut.response === text.slice(0, text.indexOf(stop)), cut);
	await fails("no such model", 404, () => client.chat({ ...ask, model: "nobody" }));
	const json = await client.chat({ ...ask, format: schema });
	check("JSON schema", fit(JSON.parse(json.message.content)), json);
	const brief = { ...ask, tools, options: { temperature: 0, num_predict: 50 } };
	const told = await client.chat(brief);
	check("tools", told.message.role === "assistant" &&
		told.prompt_eval_count > whole.prompt_eval_count, told);
	const after = await client.chat({ ...brief, messages: [...ask.messages,
		{ role: "assistant", content: "", tool_calls: [{ function: { name: "list_files",
			arguments: { sort: "name", hidden: false } } }] },
		{ role: "tool", tool_name: "list_files", content: "notes.txt" }] });
	check("the tool's result", after.prompt_eval_count > told.prompt_eval_count, after);
	const vectors = await client.embed({ model, input: ["a file", "a signal"] });
	check("embeddings", vectors.embeddings.length === 2, vectors);

	const endless = await client.generate({ model, prompt: "x", raw: true, stream: true,
		options: { num_predict: -1, temperature: 1 } });
	let begun = false, name = "";
	try {
		for await (const c of endless) {
			begun = begun || !c.done;
			endless.abort();
		}
	} catch (e) {
		name = e.name;
	}
	check("an endless answer begins, and is aborted", begun && name === "AbortError", name);
	check("cancel", await until(async () => (await status()).serve.running === 0));
}

await openai();
await ollama();
finish();
