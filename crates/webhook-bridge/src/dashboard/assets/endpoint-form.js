// Making an endpoint, or changing one.

import { get, part, patch, post } from "./api.js";
import { reveal } from "./dialog.js";
import { h, head, say } from "./dom.js";
import { picker } from "./types.js";

const SIGNATURES = [["standard", "Standard Webhooks (HMAC)"], ["standard-v1a", "Standard Webhooks (Ed25519)"], ["payment-kit", "Payment Kit"], ["blocklet", "Blocklet Server"], ["gstable", "GStable"]];
const SOURCES = [["", "every source"], ["payment-kit", "payment-kit"], ["gstable", "gstable"]];
const SCHEDULES = [["", "as it is"], ["payments", "payments: 13 attempts over 3 days"], ["svix", "svix: as Svix does"], ["stripe-sandbox", "stripe-sandbox: three in some hours"], ["flat", "flat: evenly"]];

export async function show(main, { match: [id], signal }) {
    const path = id && `/v1/endpoints/${part(id)}`;
    const endpoint = id ? await get(path, {}, signal) : { url: "", description: "", enabled_events: [], ordering: "none", max_in_flight: 8, timeout_seconds: 15 };
    const types = await picker(endpoint.enabled_events, signal);
    const fields = inputs(endpoint);
    const problem = h("p.problem", { role: "alert" });
    const save = h("button.first", { type: "submit" }, id ? "Save" : "Create");
    const back = h("a.button", { href: id ? `#/endpoints/${part(id)}` : "#/endpoints" }, "Cancel");
    const submit = async (event) => {
        event.preventDefault();
        save.disabled = true;
        problem.textContent = "";
        try {
            const wish = { ...read(fields, !id), enabled_events: types.types() };
            if (!wish.enabled_events.length) throw new Error("Choose at least one type of event.");
            const made = id ? await patch(path, wish, endpoint.etag) : await post("/v1/endpoints", wish);
            for (const warning of made.warnings ?? []) say(warning);
            if (!id) await reveal("The signing secret of this endpoint", made.secret);
            else say("Saved.");
            location.hash = `#/endpoints/${part(made.id)}`;
        } catch (error) {
            problem.textContent = error.status === 412 ? "Somebody else changed this endpoint meanwhile. Load it again." : error.message;
            save.disabled = false;
            problem.scrollIntoView({ block: "nearest" });
        }
    };
    const crumb = id ? h("a", { href: `#/endpoints/${part(id)}` }, endpoint.url) : h("a", { href: "#/endpoints" }, "Endpoints");
    main.append(head(id ? "Edit endpoint" : "Create endpoint", [], crumb),
        h("form.card", { onsubmit: submit, novalidate: "" }, h("div.inside.stack", {},
            fields.url.field, fields.description.field, types.element, more(fields, !id),
            problem, h("div.actions", {}, save, back))));
}

function field(name, label, input, hint) {
    input.id = name;
    const said = hint && h("p.hint", { id: `${name}-hint` }, hint);
    if (said) input.setAttribute("aria-describedby", said.id);
    return { input, field: h("div.field", {}, h("label", { for: name }, label), input, said) };
}

function choice(options, chosen) {
    return h("select", {}, options.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

function inputs(endpoint) {
    const number = (value, max) => h("input", { type: "number", value: String(value), min: "1", max: String(max) });
    return {
        url: field("url", "URL", h("input", { type: "url", value: endpoint.url, required: true, placeholder: "https://shop.example/webhooks", autocomplete: "off", spellcheck: "false" }), "Live events go to https only, and none to addresses that are not public."),
        description: field("description", "Description", h("input", { type: "text", value: endpoint.description, maxlength: "512" })),
        signature: field("signature", "Signature", choice(SIGNATURES, "standard"), "Chosen now, for good."),
        source: field("source", "Source", choice(SOURCES, ""), "Both catalogues have types of the same name: of one source only, if it is chosen."),
        ordering: field("ordering", "Order", choice([["none", "none: each delivery for itself"], ["key", "by key: deliveries of one key wait for each other"]], endpoint.ordering)),
        schedule: field("schedule", "Attempts", choice(SCHEDULES, "")),
        max_in_flight: field("max_in_flight", "Requests at once", number(endpoint.max_in_flight, 64)),
        timeout_seconds: field("timeout_seconds", "Seconds for an answer", number(endpoint.timeout_seconds, 30)),
    };
}

function more(fields, fresh) {
    const { signature, source, ordering, schedule, max_in_flight: most, timeout_seconds: timeout } = fields;
    if (fresh) schedule.input.options[0].textContent = "as usual: 13 attempts over 3 days";
    const shown = [...(fresh ? [signature, source] : []), ordering, schedule, most, timeout];
    return h("details", {}, h("summary", {}, "More settings"), h("div.pair", {}, shown.map((one) => one.field)));
}

function read(fields, fresh) {
    const value = (name) => fields[name].input.value.trim();
    const wish = {
        url: value("url"), description: value("description"), ordering: value("ordering"),
        max_in_flight: Number(value("max_in_flight")), timeout_seconds: Number(value("timeout_seconds")),
        schedule: value("schedule") || undefined,
    };
    return fresh ? { ...wish, signature: value("signature"), source: value("source") || undefined } : wish;
}
