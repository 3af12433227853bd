// The bus: how far its groups are behind, and what they gave up.

import { get, part, post } from "./api.js";
import { confirm } from "./dialog.js";
import { card, cell, empty, h, head, loading, say, table } from "./dom.js";
import { count, pretty, state, when } from "./format.js";

const EVERY = 3000;
// Groups of others are not listed by a bus: whose names were given are remembered by this browser.
const REMEMBERED = "webhook-bridge groups";
const COLUMNS = [{ name: "Group" }, { name: "State" }, { name: "Lag", number: true }, { name: "Queued", number: true }, { name: "In flight", number: true }, { name: "Waiting", number: true }, { name: "Parked", number: true }, { name: "Dead", number: true }, { name: "Members", number: true }];
// How many dead letters are shown at once.
const PAGE = 50;
const LETTERS = [{ name: "Event" }, { name: "Reason" }, { name: "Attempts", number: true }, { name: "When" }, { name: "" }];

export async function show(main, { query, signal }) {
    const groups = h("div", {}, loading("groups"));
    const letters = h("div", {}, loading("dead letters"));
    const title = h("h2", {}, "Dead letters");
    const all = h("button", { type: "button" }, "Redrive all…");
    const none = h("button.risky", { type: "button" }, "Purge all…");
    const both = h("div.actions", { hidden: true }, all, none);
    main.append(head("Bus"), watch(), card("Groups", groups),
        h("section.card", {}, h("div.title", {}, title, both), letters));
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
        const rows = table(LETTERS, []);
        const more = h("button", { type: "button" }, "Show more");
        const foot = h("div.inside", {}, more);
        const turn = async (cursor) => {
            more.disabled = true;
            const page = group ? await get(`/v1/groups/${part(group)}/dead_letters`, { cursor, limit: PAGE }, signal) : { list: [] };
            rows.tBodies[0].append(...page.list.map((one) => letter(one, group, dead)));
            foot.hidden = !page.next;
            more.onclick = () => turn(page.next).catch((error) => { more.disabled = false; say(error.message, "bad"); });
            more.disabled = false;
        };
        await turn();
        const found = rows.tBodies[0].childElementCount;
        both.hidden = found < 2;
        letters.replaceChildren(...(found ? [rows, foot] : [empty("Nothing was given up.")]));
    }
    all.onclick = () => whole("redrive", group, dead);
    none.onclick = () => whole("purge", group, dead);
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
    const name = one.event ?? one.id;
    const button = h("button", { type: "button", "aria-label": `Redrive ${name}`, onclick: () => {
        button.disabled = true;
        return act("redrive", group, { dead_letter: one.id }, again);
    } }, "Redrive");
    const purge = h("button", { type: "button", "aria-label": `Purge ${name}…`, onclick: async () => {
        if (await confirm("Purge this dead letter?", `${name} is removed for good, and ${group} never gets it. This cannot be undone.`, "Purge", "risky")) {
            await act("purge", group, { dead_letter: one.id }, again);
        }
    } }, "Purge…");
    return h("tr", {},
        cell([h("span.tag", {}, one.type ?? "no event"), " ", h("span.mono", {}, one.event ?? ""),
            h("details", {}, h("summary.small", {}, one.failure ?? "What it says"), h("pre", { tabindex: "0" }, pretty(one.body)))], "whole"),
        cell(one.reason.replaceAll("_", " "), undefined, "Reason"),
        cell(String(one.attempts), "number", "Attempts"), cell(when(one.dead_at), "time"), cell(h("div.actions", {}, button, purge)));
}

// What is asked before all are taken, and which.
const WHOLE = {
    redrive: ["Redrive all dead letters?", (group) => `are handed out to ${group} again, the oldest first, as first attempts.`, "Redrive", "first", {}],
    purge: ["Purge all dead letters?", (group) => `are removed for good, the oldest first, and ${group} never gets them. This cannot be undone.`, "Purge", "risky", { all: true }],
};

async function whole(verb, group, again) {
    const [question, what, word, kind, asked] = WHOLE[verb];
    try {
        const { dead_letters: number } = await post(`/v1/groups/${part(group)}/${verb}`, { ...asked, dry_run: true });
        if (!(await confirm(question, `${count(number)} ${what(group)}`, `${word} ${count(number)}`, kind))) return;
    } catch (error) {
        return say(error.message, "bad");
    }
    await act(verb, group, asked, again);
}

const DONE = { redrive: "handed out again", purge: "removed" };

async function act(verb, group, asked, again) {
    try {
        const { dead_letters: number, more } = await post(`/v1/groups/${part(group)}/${verb}`, asked);
        say(`${count(number)} ${DONE[verb]}${more ? "; there are more" : ""}.`);
    } catch (error) {
        say(error.message, "bad");
    }
    await again();
}
