// One delivery: every attempt with its request, its signature and its answer.

import { get, part, post } from "./api.js";
import { card, empty, h, head, say } from "./dom.js";
import { lasted, moment, pretty, state, when } from "./format.js";

// How often one that is not over is looked at.
const EVERY = 1500;
const OPEN = ["pending", "in_flight", "waiting"];

export async function show(main, { match: [id], signal }) {
    const path = `/v1/deliveries/${part(id)}`;
    const about = h("div");
    const attempts = h("div.stack", {});
    const known = new Map();
    let shown;
    const again = () => setTimeout(() => signal.aborted || look().catch((error) => signal.aborted || error.status === 401 || again()), EVERY);
    async function look() {
        const delivery = await get(path, {}, signal);
        const fresh = JSON.stringify(delivery);
        if (fresh !== shown) {
            shown = fresh;
            const { list } = await get(`${path}/attempts`, { limit: 100 }, signal);
            const button = document.activeElement?.closest?.(".head") && document.activeElement.textContent;
            about.replaceChildren(summary(delivery, path, look));
            if (button) [...about.querySelectorAll("button")].find((one) => one.textContent === button)?.focus();
            draw(list);
        }
        if (OPEN.includes(delivery.state)) again();
    }
    // Those that are there stay as they are, open or not.
    function draw(list) {
        if (!list.length) attempts.replaceChildren(empty("It was not attempted yet."));
        else if (!known.size) attempts.replaceChildren();
        for (const attempt of [...list].reverse()) {
            if (known.has(attempt.number)) continue;
            known.set(attempt.number, view(attempt, path));
            attempts.prepend(known.get(attempt.number));
        }
        if (known.size) [...known.values()].at(-1).open = true;
    }
    await look();
    main.append(about, card("Attempts, the newest first", h("div.inside", {}, attempts)));
}

function summary(delivery, path, look) {
    const again = async (event, word, said) => {
        event.currentTarget.disabled = true;
        try {
            await post(`${path}/${word}`);
            say(said);
        } catch (error) {
            say(error.message, "bad");
        }
        await look();
    };
    const parked = delivery.state === "parked";
    const button = parked
        ? h("button.first", { type: "button", onclick: (event) => again(event, "release", "It is due now.") }, "Release")
        : h("button.first", { type: "button", disabled: delivery.state === "in_flight", onclick: (event) => again(event, "resend", "It is sent again.") }, "Resend");
    const row = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
    return h("div.stack", {},
        head(delivery.type, button, [h("a", { href: "#/deliveries" }, "Deliveries"), ` / ${delivery.id}`]),
        h("section.card", { "aria-label": "About" }, h("dl.inside", {},
            row("State", h("span", { role: "status" }, state(delivery.state))),
            row("Event", h("a.mono", { href: `#/events/${part(delivery.event)}?source=${part(delivery.source)}` }, delivery.event)),
            row("Endpoint", h("a.mono", { href: `#/endpoints/${part(delivery.endpoint)}` }, delivery.endpoint)),
            row("Key", h("span.mono", {}, delivery.key ?? "–")),
            row("Sequence", String(delivery.sequence)),
            row("Attempts", String(delivery.attempts)),
            delivery.due_at && OPEN.includes(delivery.state) && row("Next attempt", when(delivery.due_at)),
            row("Created", moment(delivery.created_at)),
            delivery.finished_at && row("Ended", moment(delivery.finished_at)))));
}

function view(attempt, path) {
    const word = attempt.response_status ? `${attempt.response_status}` : (attempt.error ?? "no answer").replaceAll("_", " ");
    const request = h("div.stack", {}, h("p.soft", {}, "Loading the request…"));
    const element = h("details.card", {},
        h("summary.inside", {}, `Attempt ${attempt.number}: `, h(`span.state.${attempt.status === "succeeded" ? "good" : "bad"}`, {}, word), " ", h("span.soft", {}, lasted(attempt.duration_ms), ", ", when(attempt.started_at))),
        h("div.inside.pair", {},
            h("div.stack", {}, h("h3.label", {}, "Request"), request),
            h("div.stack", {}, h("h3.label", {}, "Response"), response(attempt))));
    element.addEventListener("toggle", () => fill(request, `${path}/request`, attempt.number), { once: true });
    return element;
}

function response(attempt) {
    return [
        h("dl", {}, h("dt", {}, "Status"), h("dd", {}, attempt.response_status ? String(attempt.response_status) : "none"),
            attempt.error && [h("dt", {}, "Error"), h("dd", {}, attempt.error)],
            attempt.note && [h("dt", {}, "Note"), h("dd", {}, attempt.note)]),
        attempt.response_body ? h("pre", { tabindex: "0", "aria-label": "Response body" }, pretty(attempt.response_body)) : h("p.soft", {}, "No body."),
    ];
}

async function fill(element, path, attempt) {
    try {
        const request = await get(path, { attempt });
        const headers = request.headers.map(({ name, value }) => [h("dt.mono", {}, name), h("dd.mono", {}, value)]);
        element.replaceChildren(
            h("p.mono.wide", {}, `POST ${request.url}`),
            ...(request.changed ? [h("p.hint", {}, "The endpoint was changed since: the URL is the present one.")] : []),
            h("dl", {}, headers),
            h("pre", { tabindex: "0", "aria-label": "Request body" }, pretty(request.body)));
    } catch (error) {
        element.replaceChildren(h("p.soft", {}, error.message));
    }
}
