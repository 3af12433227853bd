// One endpoint: how it does, what it is, and what can be done with it.

import { get, part, post, remove } from "./api.js";
import { latency, rate } from "./chart.js";
import * as deliveries from "./deliveries.js";
import { confirm, reveal } from "./dialog.js";
import { card, empty, h, head, say, table } from "./dom.js";
import { count, moment, percent, standing, state, when } from "./format.js";
import * as recover from "./recover.js";

const SPANS = [["Last hour", 3600], ["Last 24 hours", 86400], ["Last 7 days", 7 * 86400]];

export async function show(main, { match: [id], signal }) {
    const path = `/v1/endpoints/${part(id)}`;
    const endpoint = await get(path, {}, signal);
    const again = () => {
        main.replaceChildren();
        return show(main, { match: [id], signal });
    };
    main.append(
        head(endpoint.url, actions(endpoint, path, again), h("a", { href: "#/endpoints" }, "Endpoints")),
        health(endpoint),
        statistics(path, signal),
        h("div.pair", {}, facts(endpoint), recent(id, signal)));
}

function actions(endpoint, path, again) {
    const act = (name, kind, then) => h(`button${kind}`, { type: "button", onclick: (event) => attempt(event.currentTarget, then) }, name);
    const turn = (name, word, body) => act(name, "", async () => {
        await post(`${path}/${word}`, body);
        say(`${name}: done.`);
        await again();
    });
    const test = act("Send test event", "", async () => {
        const { delivery } = await post(`${path}/test`);
        say("The test event is on its way.");
        location.hash = `#/deliveries/${part(delivery)}`;
    });
    const next = { enabled: turn("Pause", "pause"), paused: turn("Resume", "resume"), disabled: turn("Enable", "enable") }[standing(endpoint)];
    return [
        h("a.button", { href: `#/endpoints/${part(endpoint.id)}/edit` }, "Edit"),
        standing(endpoint) !== "disabled" && test,
        next,
        standing(endpoint) !== "disabled" && act("Recover…", "", () => recover.open(path, again)),
        act("Rotate secret…", "", () => rotate(path)),
        act("Delete…", ".risky", () => drop(endpoint, path)),
    ];
}

async function attempt(button, then) {
    button.disabled = true;
    try {
        await then();
    } catch (error) {
        say(error.message, "bad");
    }
    button.disabled = false;
}

async function rotate(path) {
    const text = "A new secret signs from now on; the former one signs beside it for a day, so that receivers can change over.";
    if (!(await confirm("Rotate the signing secret?", text, "Rotate"))) return;
    const { secret } = await post(`${path}/rotate_secret`, { overlap_seconds: 86400 });
    await reveal("The new signing secret", secret);
}

async function drop(endpoint, path) {
    const text = `What ${endpoint.url} is owed is never sent. This cannot be undone.`;
    if (!(await confirm("Delete this endpoint?", text, "Delete", "risky"))) return;
    await remove(path);
    say("The endpoint is deleted.");
    location.hash = "#/endpoints";
}

function health(endpoint) {
    const { disabled_reason: reason, health: found } = endpoint;
    const status = standing(endpoint);
    if (status === "disabled") return h("p.notice.bad", {}, `Disabled${reason ? `: ${reason}` : ""}. It gets nothing; enable it when it is mended.`);
    if (status === "paused") return h("p.notice", {}, "Paused: what it is owed gathers until it is resumed.");
    if (found.failing_since) return h("p.notice.bad", {}, "Failing: every attempt failed since ", moment(found.failing_since), found.held_until ? [". It is left alone until ", moment(found.held_until), "."] : ".");
    if (found.held_until) return h("p.notice", {}, "It asked to be left alone until ", moment(found.held_until), ".");
    return h("p.notice.good", {}, "Healthy: enabled, and nothing keeps deliveries from it.");
}

function statistics(path, signal) {
    const inside = h("div.inside.stack", { "aria-live": "polite" });
    const span = h("select", { "aria-label": "Time", onchange: () => draw() }, SPANS.map(([name, seconds]) => h("option", { value: String(seconds), selected: seconds === 86400 }, name)));
    async function draw() {
        try {
            inside.replaceChildren(...charts(await get(`${path}/statistics`, { seconds: span.value }, signal)));
        } catch (error) {
            if (!signal.aborted) inside.replaceChildren(h("p.problem", {}, error.message));
        }
    }
    draw();
    return card("Attempts", inside, h("div", {}, span));
}

function charts(found) {
    const whole = found.succeeded + found.failed;
    if (!whole) return [empty("No attempts in this time.")];
    const number = (value, name) => h("div", {}, h("strong", {}, value), h("span", {}, name));
    const partial = new Date(found.complete_since) - new Date(found.buckets[0].start) > 1000;
    return [
        h("div.numbers", {}, number(percent(found.succeeded, whole), "success rate"), number(count(found.succeeded), "succeeded"), number(count(found.failed), "failed")),
        partial && h("p.small.soft", {}, "It has more attempts than are counted here: complete since ", moment(found.complete_since), "."),
        h("div.pair", {},
            h("div.stack", {}, h("div.legend", {}, h("span", {}, "Attempts: succeeded, failed on top")), rate(found)),
            h("div.stack", {}, h("div.legend", {}, h("span", {}, "Latency: median, and dashed 95 of 100")), latency(found))),
    ].filter(Boolean);
}

function facts(endpoint) {
    const row = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
    return card("About", h("dl.inside", {},
        row("Status", state(standing(endpoint))),
        row("Id", h("span.mono", {}, endpoint.id)),
        endpoint.description && row("Description", endpoint.description),
        row("Events", h("span.tags", {}, endpoint.enabled_events.map((type) => h("span.tag", {}, type)))),
        row("Source", endpoint.source ?? "every source"),
        row("Signature", endpoint.signature),
        row("Order", endpoint.ordering === "key" ? "deliveries of a key keep their order" : "none"),
        row("At once", `${endpoint.max_in_flight} requests, each ${endpoint.timeout_seconds} s at most`),
        row("Attempts", `${endpoint.schedule.length + 1} at most`),
        row("Created", when(endpoint.created_at)), row("Changed", when(endpoint.updated_at))));
}

function recent(id, signal) {
    const inside = h("div", {}, h("p.loading", {}, "Loading deliveries…"));
    get("/v1/deliveries", { endpoint: id, limit: 8 }, signal).then(({ list }) => {
        inside.replaceChildren(list.length ? table(deliveries.SHORT, list.map((one) => deliveries.short(one))) : empty("Nothing was owed to it yet."));
    }, (error) => signal.aborted || inside.replaceChildren(h("p.problem", {}, error.message)));
    return card("Newest deliveries", inside, h("a", { href: `#/deliveries?endpoint=${part(id)}` }, "All deliveries"));
}
