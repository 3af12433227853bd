// One event: what it says, and to whom it is owed.

import { get, part } from "./api.js";
import { card, empty, h, head, table } from "./dom.js";
import * as deliveries from "./deliveries.js";
import { moment, pretty } from "./format.js";

export async function show(main, { match: [id], query, signal }) {
    const source = query.get("source");
    const [event, owed] = await Promise.all([
        get(`/v1/events/${part(id)}`, { source }, signal),
        get(`/v1/events/${part(id)}/deliveries`, { source }, signal),
    ]);
    const body = event.body ? h("pre", { tabindex: "0", "aria-label": "Body" }, pretty(event.body)) : empty("The body is not kept any more.");
    main.append(
        head(event.type, [], h("a", { href: "#/events" }, "Events")),
        card("Event", h("dl.inside", {},
            h("dt", {}, "Id"), h("dd.mono", {}, event.id),
            h("dt", {}, "Source"), h("dd", {}, event.source),
            h("dt", {}, "Key"), h("dd.mono", {}, event.key ?? "–"),
            h("dt", {}, "Happened"), h("dd", {}, moment(event.created_at)),
            h("dt", {}, "Stored"), h("dd", {}, moment(event.received_at)),
            event.expires_at && [h("dt", {}, "Of no use after"), h("dd", {}, moment(event.expires_at))])),
        card("Deliveries", owed.list.length ? table(deliveries.COLUMNS, owed.list.map((one) => deliveries.row(one))) : empty("It is owed to no endpoint.")),
        card("Body", h("div.inside", {}, body)));
}
