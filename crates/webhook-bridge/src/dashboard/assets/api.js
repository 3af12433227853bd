// Calls of the API. The session's cookie goes with them by itself; no script can read it.

export class Problem extends Error {
    constructor(status, body) {
        super(body.detail ?? body.title ?? `The bridge answered ${status}`);
        this.status = status;
    }
}

let signedOut = () => {};

// What is done when the session has ended.
export function onSignedOut(then) {
    signedOut = then;
}

export async function call(method, path, { query, body, signal, tag } = {}) {
    const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const target = given.length ? `${path}?${new URLSearchParams(given)}` : path;
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    if (tag) headers["if-match"] = tag;
    let response;
    try {
        response = await fetch(target, { method, headers, signal, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, { detail: "The bridge cannot be reached." });
    }
    const answer = await response.json().catch(() => ({}));
    signal?.throwIfAborted();
    // The version that was seen, for who changes it: beside the answer, not in it.
    if (response.ok) return Object.defineProperty(answer, "etag", { value: response.headers.get("etag") });
    if (response.status === 401 && path !== "/v1/session") signedOut();
    throw new Problem(response.status, answer);
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body = {}) => call("POST", path, { body });
export const patch = (path, body, tag) => call("PATCH", path, { body, tag });
export const remove = (path) => call("DELETE", path);

// A part of a path.
export const part = (text) => encodeURIComponent(text);
