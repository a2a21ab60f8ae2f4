// Requests to the server that the page came from, relative to the page's own address.
//
//   get(path), post(path, body), put(path, body), del(path)
//                        the answer, parsed; ApiError where it is one
//   events(path, body)   an async iterator of a stream's events, parsed
//
// The last argument of all is {signal, headers, onresponse}; onresponse sees the answer's
// headers before its body is read. An aborted request throws AbortError.

// ApiError is an answer of the server that is an error, in OpenAI's shape.
export class ApiError extends Error {
  constructor(status, error, retryAfter) {
    super(error?.message ?? `the server answered with status ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.param = error?.param ?? null;
    this.code = error?.code ?? null;
    this.retryAfter = retryAfter; // seconds, of a server that is busy
  }
}

// url is an address of the server, whatever path the page is served under.
export const url = (path) => new URL(path.replace(/^\//, ''), document.baseURI.replace(/#.*/, ''));

let unauthorized = () => {};
export function onUnauthorized(f) { unauthorized = f; }

// onChange(f) calls f when the server answers again after it was away, and when it does not
// have the model any more that it was asked for.
let changed = () => {};
let away = false;
export function onChange(f) { changed = f; }

// gone is the error of a server that is away.
function gone(message, cause) {
  away = true;
  return new Error(message, { cause });
}
const silent = 'The server does not answer. Is it still running? Try again when it is.';
const cut = 'The connection ended before the answer did: try again.';

export const getKey = () => sessionStorage.getItem('foundling.key') ?? '';
export function setKey(key) {
  if (key) sessionStorage.setItem('foundling.key', key);
  else sessionStorage.removeItem('foundling.key');
}

// send is fetch with the key; the answer is one with a good status.
export async function send(method, path, body, { signal, headers, onresponse } = {}) {
  const h = { ...headers };
  if (body !== undefined) h['Content-Type'] = 'application/json';
  if (getKey()) h.Authorization = `Bearer ${getKey()}`;
  let response;
  try {
    response = await fetch(url(path), { method, headers: h, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw gone(silent, err);
  }
  onresponse?.(response);
  const error = response.ok ? null : (await response.json().catch(() => null))?.error;
  if (!response.ok && !error && [502, 503, 504].includes(response.status)) throw gone(silent); // a proxy's
  const missing = error?.code === 'model_not_found';
  if (away || missing) {
    away = false;
    changed();
  }
  if (response.ok) return response;
  if (response.status === 401) unauthorized();
  if (missing) error.message = `The model ${body?.model} is not served any more: choose another one at the top.`;
  throw new ApiError(response.status, error, Number(response.headers.get('Retry-After')) || undefined);
}

// whole waits for a part of an answer's body, which the connection may not bring.
async function whole(part) {
  try {
    return await part;
  } catch (err) {
    throw err.name === 'AbortError' ? err : gone(cut, err);
  }
}

const parsed = async (response) => (response.status === 204 ? null : whole(response.json()));

export const get = async (path, o) => parsed(await send('GET', path, undefined, o));
export const post = async (path, body, o) => parsed(await send('POST', path, body, o));
export const put = async (path, body, o) => parsed(await send('PUT', path, body, o));
export const del = async (path, o) => parsed(await send('DELETE', path, undefined, o));

// voteName is the name of a new vote, which nobody else draws.
export const voteName = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');

export const getModels = async () => (await get('v1/models')).data;

// events reads server-sent events: a JSON text each, [DONE] at the end. An event that is
// an error is thrown; a stream that ends without [DONE] is one that was cut.
export async function* events(path, body, o) {
  const response = await send('POST', path, { ...body, stream: true }, o);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await whole(reader.read());
      if (done) throw gone(cut);
      rest += value;
      const parts = rest.split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        const data = part.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart()).join('\n');
        if (data === '') continue;
        if (data === '[DONE]') return;
        const event = JSON.parse(data);
        if (event.error) throw new ApiError(500, event.error);
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
