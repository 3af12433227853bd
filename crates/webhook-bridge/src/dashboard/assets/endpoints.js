// All endpoints, with how each did in the last day.

import { get, part } from "./api.js";
import { spark } from "./chart.js";
import { card, cell, empty, h, head, loading, table } from "./dom.js";
import { percent, standing, state, when } from "./format.js";

const COLUMNS = [{ name: "Endpoint" }, { name: "Status" }, { name: "Events" }, { name: "Last 24 hours" }, { name: "Success", number: true }, { name: "Created" }];

export async function show(main, { signal }) {
    const create = h("a.button.first", { href: "#/endpoints/new" }, "Create endpoint");
    const content = h("div", {}, loading("endpoints"));
    main.append(head("Endpoints", create), card("All endpoints, the newest first", content));
    const list = table(COLUMNS, []);
    const more = h("button", { type: "button" }, "Show more");
    const turn = async (cursor) => {
        const page = await get("/v1/endpoints", { cursor, limit: 25 }, signal);
        const rows = page.list.map((endpoint) => row(endpoint, signal));
        list.querySelector("tbody").append(...rows.map(({ element }) => element));
        more.onclick = () => turn(page.next);
        more.parentElement.hidden = !page.next;
        // One after the other, so that looking does not keep the bridge from its work.
        for (const { fill } of rows) await fill();
        return page.list.length;
    };
    const foot = h("div.inside", { hidden: true }, more);
    content.replaceChildren(list, foot);
    list.hidden = true;
    const first = turn();
    // It is awaited below, and not left alone where something else fails before.
    first.catch(() => {});
    const { count } = await get("/v1/endpoints", { limit: 1 }, signal);
    if (count === 0) content.replaceChildren(empty("No endpoints yet.", h("p", {}, "An endpoint is a URL that events are delivered to."), h("a.button", { href: "#/endpoints/new" }, "Create the first")));
    list.hidden = false;
    await first;
}

function row(endpoint, signal) {
    const [chart, rate] = [h("div", {}), h("span", {}, "…")];
    const [more, shown] = [endpoint.enabled_events.length - 3, endpoint.enabled_events.slice(0, 3)];
    const element = h("tr", {},
        cell([h("a", { href: `#/endpoints/${part(endpoint.id)}` }, endpoint.url), endpoint.description && h("div.under", {}, endpoint.description)], "whole"),
        cell(state(standing(endpoint))),
        cell(h("span.tags", {}, shown.map((type) => h("span.tag", {}, type)), more > 0 && h("span.soft", {}, `+${more}`))),
        cell(chart), cell(rate, "number", "Success"),
        cell(when(endpoint.created_at), "time", "Created"));
    const fill = async () => {
        const found = await get(`/v1/endpoints/${part(endpoint.id)}/statistics`, { buckets: 24 }, signal);
        chart.replaceChildren(spark(found));
        rate.textContent = percent(found.succeeded, found.succeeded + found.failed);
    };
    return { element, fill };
}
