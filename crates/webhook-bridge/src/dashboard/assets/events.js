// Events as they are stored, live.

import { get, part } from "./api.js";
import { cell, empty, h, head, loading, table } from "./dom.js";
import { time } from "./format.js";

// How many are kept on the page.
const MOST = 200;
const COLUMNS = [{ name: "Time" }, { name: "Type" }, { name: "Source" }, { name: "About" }, { name: "Event" }];

export async function show(main, { signal }) {
    const view = new Live(main, signal);
    view.listen();
    await view.begin();
}

class Live {
    constructor(main, signal) {
        this.signal = signal;
        this.known = new Set();
        this.held = [];
        this.state = h("span.state.wait", { role: "status" }, "connecting");
        this.pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggle() }, "Pause");
        this.filter = h("input", { type: "search", id: "filter", placeholder: "type, id or key", oninput: () => this.sift() });
        this.rows = h("tbody", { "aria-live": "off" });
        this.list = table(COLUMNS, []);
        this.list.querySelector("tbody").replaceWith(this.rows);
        this.none = h("div", {}, loading("events"));
        this.missed = h("p.notice", { hidden: true, role: "status" });
        this.list.hidden = true;
        main.append(head("Events", [this.pause, h("button", { type: "button", onclick: () => this.clear() }, "Clear")]),
            h("div.filters", {}, h("div.field.most", {}, h("label", { for: "filter" }, "Show only"), this.filter)),
            this.missed,
            h("section.card", { "aria-label": "Live events" }, h("div.title", {}, h("h2", {}, "As they come, the newest first"), this.state), this.none, this.list));
    }

    // Those that were there; what comes meanwhile comes by the stream.
    async begin() {
        const { list } = await get("/v1/events", { limit: 50 }, this.signal);
        for (const event of list.reverse()) this.add(event, false);
        this.settle();
    }

    listen() {
        const source = new EventSource("/v1/events/stream");
        this.signal.addEventListener("abort", () => source.close());
        source.addEventListener("ready", () => this.say("live", "good"));
        source.addEventListener("event", (message) => this.take(JSON.parse(message.data)));
        source.addEventListener("missed", (message) => this.miss(JSON.parse(message.data)));
        source.addEventListener("error", () => {
            if (this.signal.aborted) return;
            this.say("reconnecting", "wait");
            if (source.readyState !== EventSource.CLOSED) return;
            // It says nothing of why; any other request does, and signs out where that is it. What came meanwhile comes with it.
            const again = () => setTimeout(() => this.signal.aborted || this.listen(), 3000);
            this.begin().then(again, (error) => this.signal.aborted || error.status === 401 || again());
        });
    }

    say(word, kind) {
        this.state.className = `state ${kind}`;
        this.state.textContent = word;
    }

    take(event) {
        if (this.paused) {
            this.held = [...this.held, event].slice(-MOST);
            this.pause.textContent = `Resume (${this.held.length}${this.held.length === MOST ? "+" : ""})`;
        } else {
            this.add(event, true);
            this.settle();
        }
    }

    miss({ count, more }) {
        this.missed.hidden = false;
        this.missed.textContent = `${more ? "More than " : ""}${count} events came faster than this page could show them. They are stored: search for them by time or key.`;
    }

    add(event, fresh) {
        const name = `${event.source} ${event.id}`;
        if (this.known.has(name)) return;
        this.known.add(name);
        const row = h(fresh ? "tr.fresh" : "tr", {},
            cell(time(event.received_at), "time"),
            cell(h("span.tag", {}, event.type)),
            cell(event.source, undefined, "from"),
            cell(event.key && h("span.mono", {}, event.key), undefined, "about"),
            cell(h("a.mono", { href: `#/events/${part(event.id)}?source=${part(event.source)}` }, event.id), "whole"));
        row.dataset.name = name;
        row.dataset.words = [event.type, event.source, event.key, event.id].join(" ").toLowerCase();
        row.hidden = !this.shows(row);
        this.rows.prepend(row);
        while (this.rows.childElementCount > MOST) {
            this.known.delete(this.rows.lastElementChild.dataset.name);
            this.rows.lastElementChild.remove();
        }
    }

    shows(row) {
        return row.dataset.words.includes(this.filter.value.trim().toLowerCase());
    }

    sift() {
        for (const row of this.rows.children) row.hidden = !this.shows(row);
    }

    settle() {
        const any = this.rows.childElementCount > 0;
        this.list.hidden = !any;
        if (!any) this.none.replaceChildren(empty("No events yet. They show here when they are published."));
        this.none.hidden = any;
    }

    toggle() {
        this.paused = !this.paused;
        this.pause.setAttribute("aria-pressed", String(this.paused));
        this.pause.textContent = this.paused ? "Resume" : "Pause";
        if (!this.paused) for (const event of this.held.splice(0)) this.take(event);
    }

    clear() {
        this.rows.replaceChildren();
        this.missed.hidden = true;
        this.settle();
    }
}
