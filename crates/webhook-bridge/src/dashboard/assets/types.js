// Picking types of event from both catalogues, with patterns and types of one's own beside them.

import { get } from "./api.js";
import { h } from "./dom.js";

let catalogue;

// All types that are known; asked for once.
async function known(signal) {
    catalogue ??= (await get("/v1/event_types", {}, signal)).list;
    return catalogue;
}

export async function picker(initial, signal) {
    const chosen = new Set(initial);
    const chips = h("div.chosen", { role: "group", "aria-label": "Chosen types" });
    const list = h("div.list", { role: "group", "aria-label": "Known types", tabindex: "0" });
    const search = h("input", { type: "search", id: "type-search", placeholder: "invoice, subscription, refund…", autocomplete: "off", oninput: () => sift() });
    const own = h("input", { type: "text", id: "type-own", placeholder: "shop.order.*", autocomplete: "off", spellcheck: "false" });
    const rows = build(await known(signal), list, (type, wanted) => {
        wanted ? chosen.add(type) : chosen.delete(type);
        draw();
    });

    function draw() {
        chips.replaceChildren(...(chosen.size ? [...chosen].map((type) => h("button", { type: "button", title: `Remove ${type}`, "aria-label": `Remove ${type}`, onclick: () => { chosen.delete(type); draw(); own.focus(); } }, `${type} ×`)) : [h("p.hint", {}, "Nothing is chosen yet.")]));
        for (const { box, type } of rows) box.checked = chosen.has(type);
    }
    function sift() {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        for (const row of rows) row.label.hidden = !words.every((word) => row.words.includes(word));
        for (const family of list.querySelectorAll(".family")) {
            let next = family.nextElementSibling;
            while (next && next.matches("label[hidden]")) next = next.nextElementSibling;
            family.hidden = !next || next.matches(".family");
        }
    }
    function add() {
        const type = own.value.trim();
        if (!type) return;
        chosen.add(type);
        own.value = "";
        draw();
    }
    own.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        add();
    });
    draw();
    const element = h("fieldset.stack", {}, h("legend", {}, "Events"),
        chips,
        h("div.picker", {}, h("div.search", {}, h("label.hint", { for: "type-search" }, "Find types"), search), list),
        h("div.filters", {},
            h("div.field.most", {}, h("label", { for: "type-own" }, "Another type or pattern"), own),
            h("button", { type: "button", onclick: add }, "Add")),
        h("p.hint", {}, "In a pattern * is one word and # any number of them; a lone * is every event."));
    return { element, types: () => [...chosen] };
}

function build(types, list, choose) {
    const rows = [];
    const row = (type, text, words) => {
        const box = h("input", { type: "checkbox", onchange: () => choose(type, box.checked) });
        const label = h("label", { title: text }, box, h("span.mono", {}, type), h("span.soft.small", {}, text));
        rows.push({ box, label, type, words: words.toLowerCase() });
        list.append(label);
    };
    row("*", "every event", "* every event all");
    let [source, family] = [];
    for (const entry of types) {
        const of = entry.type.split(".").slice(0, -1).join(".");
        if (entry.source !== source || of !== family) {
            list.append(h("div.family", {}, h("span", {}, of), h("span", {}, entry.source)));
            if (types.filter((other) => other.source === entry.source && other.type.startsWith(`${of}.`)).length > 1) row(`${of}.*`, "all of these", `${of} ${entry.source}`);
        }
        [source, family] = [entry.source, of];
        row(entry.type, entry.description, `${entry.type} ${entry.source} ${entry.description}`);
    }
    return rows;
}
