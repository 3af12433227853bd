// Times, numbers and words as people read them.

import { h } from "./dom.js";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function ago(text) {
    const seconds = Math.round((new Date(text) - Date.now()) / 1000);
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
    return relative.format(Math.trunc(seconds / size), unit);
}

// How long ago, with the exact time when it is pointed at.
export function when(text) {
    return text ? h("time", { datetime: text, title: exact.format(new Date(text)) }, ago(text)) : "–";
}

export function moment(text) {
    return text ? h("time", { datetime: text }, exact.format(new Date(text))) : "–";
}

export const time = (text) => h("time", { datetime: text, title: exact.format(new Date(text)) }, clock.format(new Date(text)));

export function lasted(ms) {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    return ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${Math.round(ms / 60000)} min`;
}

export const count = (number) => new Intl.NumberFormat("en").format(number);

export const percent = (part, whole) => (whole ? `${(Math.floor((1000 * part) / whole) / 10).toFixed(1).replace(".0", "")} %` : "–");

const KINDS = {
    succeeded: "good", enabled: "good", healthy: "good",
    pending: "wait", in_flight: "wait", waiting: "wait", paused: "wait", held: "wait",
    exhausted: "bad", expired: "bad", refused: "bad", parked: "bad", disabled: "bad", failed: "bad", failing: "bad",
};

// How an endpoint is: one that is paused is told of as disabled for that reason.
export const standing = (endpoint) => (endpoint.disabled_reason === "paused" ? "paused" : endpoint.status);

// A state, by its word and not by its colour alone.
export function state(word) {
    return h(`span.state${KINDS[word] ? `.${KINDS[word]}` : ""}`, {}, word.replaceAll("_", " "));
}

// JSON as it is read, or the text as it is.
export function pretty(text) {
    try {
        return JSON.stringify(typeof text === "string" ? JSON.parse(text) : text, null, 2);
    } catch {
        return text;
    }
}
