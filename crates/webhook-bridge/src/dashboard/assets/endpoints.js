// All endpoints.

import { get, part } from "./api.js";
import { card, cell, empty, h, head, loading, table } from "./dom.js";
import { state, when } from "./format.js";

const COLUMNS = [{ name: "Endpoint" }, { name: "Status" }, { name: "Events" }, { name: "Created" }];

export async function show(main, { signal }) {
    const create = h("a.button.first", { href: "#/endpoints/new" }, "Create endpoint");
    const content = h("div", {}, loading("endpoints"));
    main.append(head("Endpoints", create), card("All endpoints", content));
    const { list, next } = await get("/v1/endpoints", {}, signal);
    content.replaceChildren(list.length ? table(COLUMNS, list.map(row)) : empty("No endpoints yet.", h("p", {}, "An endpoint is a URL that events are delivered to.")));
    void next;
}

function row(endpoint) {
    return h("tr", {},
        cell([h("a", { href: `#/endpoints/${part(endpoint.id)}` }, endpoint.url), endpoint.description && h("div.under", {}, endpoint.description)], "whole"),
        cell(state(endpoint.status)),
        cell(h("span.tags", {}, endpoint.enabled_events.slice(0, 3).map((type) => h("span.tag", {}, type)), endpoint.enabled_events.length > 3 && h("span.soft", {}, `+${endpoint.enabled_events.length - 3}`))),
        cell(when(endpoint.created_at), "time", "Created"));
}
