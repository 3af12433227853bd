// The bus: how far its groups are behind, and what they gave up.

import { get, part, post } from "./api.js";
import { confirm } from "./dialog.js";
import { card, cell, empty, h, head, loading, say, table } from "./dom.js";
import { count, pretty, state, when } from "./format.js";

const EVERY = 3000;
// Groups of others are not listed by a bus: whose names were given are remembered by this browser.
const REMEMBERED = "webhook-bridge groups";
const COLUMNS = [{ name: "Group" }, { name: "State" }, { name: "Lag", number: true }, { name: "Queued", number: true }, { name: "In flight", number: true }, { name: "Waiting", number: true }, { name: "Parked", number: true }, { name: "Dead", number: true }, { name: "Members", number: true }];
const LETTERS = [{ name: "Event" }, { name: "Reason" }, { name: "Attempts", number: true }, { name: "When" }, { name: "" }];

export async function show(main, { query, signal }) {
    const groups = h("div", {}, loading("groups"));
    const letters = h("div", {}, loading("dead letters"));
    const title = h("h2", {}, "Dead letters");
    const all = h("button", { type: "button", hidden: true }, "Redrive all…");
    main.append(head("Bus"), watch(), card("Groups", groups),
        h("section.card", {}, h("div.title", {}, title, all), letters));
    const own = (await get("/v1/groups", {}, signal)).list;
    const group = query.get("group") ?? own[0]?.id;
    title.textContent = group ? `Dead letters of ${group}` : "Dead letters";

    async function behind() {
        // Also after a failure: nothing that is old is shown as it is now.
        const again = () => setTimeout(() => signal.aborted || behind().catch((error) => {
            if (signal.aborted || error.status === 401) return;
            groups.replaceChildren(empty(error.message));
            again();
        }), EVERY);
        const others = remembered().filter((name) => !own.some((one) => one.id === name));
        const found = [...(await get("/v1/groups", {}, signal)).list, ...(await Promise.all(others.map((name) => other(name, signal))))];
        groups.replaceChildren(table(COLUMNS, found.map((one) => row(one, one.id === group))));
        if (!signal.aborted) again();
    }
    async function dead() {
        const { list } = group ? await get(`/v1/groups/${part(group)}/dead_letters`, { limit: 100 }, signal) : { list: [] };
        all.hidden = list.length < 2;
        letters.replaceChildren(list.length ? table(LETTERS, list.map((one) => letter(one, group, dead))) : empty("Nothing was given up."));
    }
    all.onclick = async () => {
        const path = `/v1/groups/${part(group)}/redrive`;
        const { dead_letters: number } = await post(path, { dry_run: true });
        if (!(await confirm("Redrive all dead letters?", `${count(number)} are handed out to ${group} again, the oldest first, as first attempts.`, `Redrive ${count(number)}`))) return;
        await redrive(path, {}, dead);
    };
    await Promise.all([behind(), dead().catch((error) => letters.replaceChildren(empty(error.message)))]);
}

const remembered = () => JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");

// One that is gone is said to be, and can be forgotten.
const other = (name, signal) => get(`/v1/groups/${part(name)}`, {}, signal).catch((error) => ({ id: name, gone: error.message }));

function watch() {
    const name = h("input", { type: "text", id: "group", placeholder: "entitlements", autocomplete: "off", spellcheck: "false" });
    const submit = (event) => {
        event.preventDefault();
        const asked = name.value.trim();
        if (!asked) return;
        localStorage.setItem(REMEMBERED, JSON.stringify([...new Set([...remembered(), asked])]));
        location.hash = `#/bus?group=${part(asked)}`;
    };
    return h("form.filters", { onsubmit: submit },
        h("div.field.most", {}, h("label", { for: "group" }, "Another group of this bus"), name),
        h("button", { type: "submit" }, "Show"));
}

function row(group, chosen) {
    const name = h("a", { href: `#/bus?group=${part(group.id)}`, "aria-current": chosen && "true" }, group.id);
    if (group.gone) return h("tr", {}, cell(name, "whole"), h("td", { colspan: "8" }, h("span.soft", {}, group.gone)));
    const number = (value, name) => cell(count(value), "number", name);
    return h("tr", {}, cell(name, "whole"), cell(group.state ? state(group.state) : h("span.soft", {}, "of others")),
        number(group.lag, "Lag"), number(group.queued, "Queued"), number(group.in_flight, "In flight"), number(group.waiting, "Waiting"),
        number(group.parked, "Parked"), number(group.dead_letters, "Dead"), number(group.members, "Members"));
}

function letter(one, group, again) {
    const button = h("button", { type: "button", "aria-label": `Redrive ${one.event ?? one.id}`, onclick: () => {
        button.disabled = true;
        return redrive(`/v1/groups/${part(group)}/redrive`, { dead_letter: one.id }, again);
    } }, "Redrive");
    return h("tr", {},
        cell([h("span.tag", {}, one.type ?? "no event"), " ", h("span.mono", {}, one.event ?? ""),
            h("details", {}, h("summary.small", {}, one.failure ?? "What it says"), h("pre", { tabindex: "0" }, pretty(one.body)))], "whole"),
        cell(one.reason.replaceAll("_", " "), undefined, "Reason"),
        cell(String(one.attempts), "number", "Attempts"), cell(when(one.dead_at), "time"), cell(button));
}

async function redrive(path, asked, again) {
    try {
        const { dead_letters: number, more } = await post(path, asked);
        say(`${count(number)} handed out again${more ? "; there are more" : ""}.`);
    } catch (error) {
        say(error.message, "bad");
    }
    await again();
}
