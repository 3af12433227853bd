// Deliveries, searched.

import { get, part } from "./api.js";
import { card, cell, empty, h, head, loading, table } from "./dom.js";
import { state, when } from "./format.js";

const STATES = ["pending", "in_flight", "waiting", "succeeded", "exhausted", "expired", "refused", "cancelled", "parked"];

export const COLUMNS = [{ name: "State" }, { name: "Type" }, { name: "Event" }, { name: "Endpoint" }, { name: "Attempts", number: true }, { name: "Created" }];
export const SHORT = [{ name: "State" }, { name: "Type" }, { name: "Attempts", number: true }, { name: "Created" }];

const link = (delivery, text) => h("a", { href: `#/deliveries/${part(delivery.id)}` }, text);

export function row(delivery, urls = new Map()) {
    return h("tr", {},
        cell(state(delivery.state)),
        cell(link(delivery, delivery.type)),
        cell(h("span.mono", {}, delivery.event), undefined, "Event"),
        cell(h("a", { href: `#/endpoints/${part(delivery.endpoint)}` }, urls.get(delivery.endpoint) ?? delivery.endpoint), "whole"),
        cell(String(delivery.attempts), "number", "Attempts"),
        cell(when(delivery.created_at), "time"));
}

export function short(delivery) {
    return h("tr", {}, cell(state(delivery.state)), cell(link(delivery, delivery.type)), cell(String(delivery.attempts), "number", "Attempts"), cell(when(delivery.created_at), "time"));
}

export async function show(main, { query, signal }) {
    const endpoints = (await get("/v1/endpoints", { limit: 100 }, signal)).list;
    const urls = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint.url]));
    const content = h("div", { "aria-live": "polite" }, loading("deliveries"));
    main.append(head("Deliveries"), filters(query, endpoints), card("The newest first", content));
    const list = table(COLUMNS, []);
    const more = h("button", { type: "button" }, "Show more");
    const foot = h("div.inside", {}, more);
    content.replaceChildren(list, foot);
    const turn = async (cursor) => {
        more.disabled = true;
        const page = await get("/v1/deliveries", { ...Object.fromEntries(query), cursor, limit: 50 }, signal);
        list.tBodies[0].append(...page.list.map((delivery) => row(delivery, urls)));
        const any = list.tBodies[0].childElementCount > 0;
        list.hidden = !any;
        foot.hidden = !page.next;
        more.textContent = any ? "Show more" : "Nothing so far: look further back";
        more.onclick = () => turn(page.next);
        more.disabled = false;
        if (!any && !page.next) content.replaceChildren(empty(query.size ? "No delivery is like that." : "Nothing was owed to any endpoint yet."));
    };
    await turn();
}

// What is looked for stands in the address, so that it can be kept and passed on.
function filters(query, endpoints) {
    const choice = (name, options) => h("select", { id: `by-${name}`, name }, options.map(([value, text]) => h("option", { value, selected: query.get(name) === value }, text)));
    const field = (name, label, input, kind = "") => h(`div.field${kind}`, {}, h("label", { for: `by-${name}` }, label), input);
    const submit = (event) => {
        event.preventDefault();
        const asked = [...new FormData(event.target)].filter(([, value]) => value.trim()).map(([name, value]) => [name, value.trim()]);
        location.hash = `#/deliveries${asked.length ? `?${new URLSearchParams(asked)}` : ""}`;
    };
    return h("form.filters", { onsubmit: submit, role: "search" },
        field("q", "Search", h("input", { type: "search", id: "by-q", name: "q", value: query.get("q") ?? "", placeholder: "delivery, event or key" }), ".most"),
        field("state", "State", choice("state", [["", "any"], ...STATES.map((word) => [word, word.replaceAll("_", " ")])])),
        field("endpoint", "Endpoint", choice("endpoint", [["", "any"], ...endpoints.map((endpoint) => [endpoint.id, endpoint.url])])),
        field("type", "Type", h("input", { type: "text", id: "by-type", name: "type", value: query.get("type") ?? "", placeholder: "invoice.paid", spellcheck: "false" })),
        h("button.first", { type: "submit" }, "Search"));
}
