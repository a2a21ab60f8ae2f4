// The flow of the npm client against a server: BASE_URL, TEXT, CHAT and CALLS (names of
// models) are in the environment; with SMALL there may be no room for functions. It prints
// a line for each part that passed.
import assert from "node:assert/strict";
import OpenAI from "openai";

const { BASE_URL, CHAT, TEXT, CALLS, SMALL, API_KEY } = process.env;
const client = new OpenAI({ baseURL: BASE_URL + "/v1", apiKey: API_KEY || "none", maxRetries: 4 });
const messages = [{ role: "user", content: "Say something." }];

async function part(name, run) {
  try {
    await run();
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
  console.log(name);
}

await part("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(TEXT), `${names}`);
  assert.equal((await client.models.retrieve(TEXT)).id, TEXT);
});

await part("completions", async () => {
  // A small model may end a text before it begins.
  const asked = { model: TEXT, prompt: "Once upon a time", max_tokens: 12, min_tokens: 4, seed: 3, logprobs: 2, stop: ["never said by a small model"] };
  const whole = await client.completions.create(asked);
  assert.ok(whole.usage.completion_tokens >= 4);
  assert.equal(whole.choices[0].logprobs.tokens.length, whole.usage.completion_tokens);
  let text = "";
  for await (const event of await client.completions.create({ ...asked, stream: true })) text += event.choices[0].text;
  assert.equal(text, whole.choices[0].text);
});

await part("embeddings", async () => {
  // The client asks for base64 unless it is told otherwise, and decodes it.
  const [packed, plain] = await Promise.all(
    [{}, { encoding_format: "float" }].map((more) => client.embeddings.create({ model: TEXT, input: ["a cat", "a dog"], ...more })),
  );
  assert.equal(packed.data.length, 2);
  packed.data[1].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[1].embedding[i]) < 1e-6));
});

await part("errors", async () => {
  await assert.rejects(client.completions.create({ model: "no such model", prompt: "x" }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
  await assert.rejects(client.completions.create({ model: TEXT, prompt: "x", colour: 1 }), (e) => e instanceof OpenAI.BadRequestError && e.param === "colour");
});

if (CHAT) {
  await part("chat", async () => {
    const asked = { model: CHAT, messages, max_tokens: 12, min_tokens: 4, seed: 5, temperature: 0.7 };
    const whole = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
    assert.equal(whole.choices[0].message.role, "assistant");
    assert.equal(whole.choices[0].logprobs.content.length, whole.usage.completion_tokens);
    let text = "", usage;
    for await (const event of await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } })) {
      text += event.choices[0]?.delta.content ?? "";
      usage = event.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [whole.usage.prompt_tokens, whole.usage.completion_tokens]);
  });

  await part("stop", async () => {
    // Leaving the loop aborts the request. A loop that reads on after an abort of its own
    // may wait for ever in this client, where the end of the stream was there already.
    const stream = await client.chat.completions.create({ model: CHAT, messages, stream: true, min_tokens: 4 });
    let events = 0;
    for await (const _ of stream) if (++events === 2) break;
    assert.equal(events, 2);
    assert.ok(stream.controller.signal.aborted);
  });

  await part("json_schema", async () => {
    const schema = { type: "object", properties: { mood: { enum: ["good", "bad"] }, n: { type: "integer", minimum: 0, maximum: 9 } }, required: ["mood", "n"], additionalProperties: false };
    const answer = await client.chat.completions.create({ model: CHAT, messages, seed: 1, response_format: { type: "json_schema", json_schema: { name: "mood", strict: true, schema } } });
    const value = JSON.parse(answer.choices[0].message.content);
    assert.deepEqual(Object.keys(value).sort(), ["mood", "n"]);
    assert.ok(["good", "bad"].includes(value.mood) && Number.isInteger(value.n));
  });

  const parameters = { type: "object", properties: { city: { type: "string", enum: ["Oslo", "Rome"] } }, required: ["city"], additionalProperties: false };

  await part("tools", async () => {
    const asked = { model: CALLS, messages, seed: 2, tools: [{ type: "function", function: { name: "weather", parameters } }], tool_choice: "required" };
    let answer;
    try {
      answer = await client.chat.completions.create(asked);
    } catch (e) {
      if (SMALL && e.code === "context_length_exceeded") return;
      throw e;
    }
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    assert.ok(["Oslo", "Rome"].includes(JSON.parse(call.function.arguments).city));
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    assert.deepEqual(streamed.choices[0].message.tool_calls[0].function.arguments, call.function.arguments);
    const next = await client.chat.completions.create({
      model: CALLS, max_tokens: 8, messages: [...messages, answer.choices[0].message, ...answer.choices[0].message.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "rain" }))],
    });
    assert.equal(next.choices[0].message.role, "assistant");
  });

  await part("responses", async () => {
    const asked = { model: CHAT, input: "Say something.", max_output_tokens: 24, temperature: 0, store: false };
    const whole = await client.responses.create(asked);
    assert.ok(["completed", "incomplete"].includes(whole.status));
    let text = "", last, number = -1;
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      assert.ok(event.sequence_number > number);
      number = event.sequence_number;
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    assert.ok(["response.completed", "response.incomplete"].includes(last.type), last.type);
    assert.equal(text, whole.output_text);
  });
}
