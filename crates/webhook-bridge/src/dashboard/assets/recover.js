// Sending again what an endpoint missed: counted first, then part by part, with how far it is.

import { post } from "./api.js";
import { open as openDialog } from "./dialog.js";
import { h, say } from "./dom.js";
import { count } from "./format.js";

const HOUR = 3600 * 1000;
const SPANS = [["The last hour", HOUR], ["The last 24 hours", 24 * HOUR], ["The last 7 days", 7 * 24 * HOUR], ["The last 30 days", 30 * 24 * HOUR]];
// How many are looked at by one call: so often it tells how far it is.
const PART = 500;

export async function open(path, done) {
    const what = h("select", { id: "what" }, h("option", { value: "recover" }, "what was given up"), h("option", { value: "replay" }, "what it was not owed when it came, and wants now"));
    const since = h("select", { id: "since" }, SPANS.map(([name, long]) => h("option", { value: String(long), selected: long === 24 * HOUR }, name)));
    const rate = h("input", { type: "number", id: "rate", min: "1", max: "1000", placeholder: "all at once" });
    const text = h("p", { role: "status" });
    const bar = h("progress", { hidden: true, "aria-label": "Progress" });
    const problem = h("p.problem", { role: "alert" });
    const next = h("button.first", { type: "submit" }, "Count");
    const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
    const form = h("form", {}, h("h2", {}, "Recover"),
        h("p.soft", {}, "Deliveries are made due now, each with its schedule from the beginning."),
        h("div.field", {}, h("label", { for: "what" }, "Send again"), what),
        h("div.field", {}, h("label", { for: "since" }, "Of"), since),
        h("div.field", {}, h("label", { for: "rate" }, "At most in a second"), rate),
        text, bar, problem, h("div.actions", {}, close, next));
    const { dialog, ended } = openDialog(form);
    let asked;
    let over = false;
    ended.then(() => { over = true; });

    const parts = async (dry, each) => {
        let [deliveries, cursor] = [0, undefined];
        do {
            const part = await post(`${path}/${what.value}`, { ...asked, cursor, limit: PART, dry_run: dry });
            deliveries += part.deliveries;
            cursor = part.next ?? undefined;
            each(deliveries);
        } while (cursor && !over);
        return deliveries;
    };
    const fresh = () => {
        asked = undefined;
        next.textContent = "Count";
        text.textContent = "";
    };
    for (const field of [what, since, rate]) field.addEventListener("change", fresh);

    async function step() {
        if (!asked) {
            const now = Date.now();
            asked = { since: new Date(now - since.value).toISOString(), until: new Date(now).toISOString(), rate: rate.value ? Number(rate.value) : undefined };
            const whole = await parts(true, (found) => { text.textContent = `${count(found)} so far…`; });
            text.textContent = whole ? `${count(whole)} deliveries would be sent again.` : "There is nothing to send again.";
            bar.max = Math.max(whole, 1);
            if (whole) next.textContent = `Send ${count(whole)} again`;
            else asked = undefined;
            return;
        }
        bar.hidden = false;
        bar.value = 0;
        const sent = await parts(false, (made) => {
            bar.value = made;
            text.textContent = `${count(made)} of ${count(bar.max)} are due`;
        });
        bar.value = bar.max;
        text.textContent = `${count(sent)} deliveries are due now.`;
        say(`${count(sent)} deliveries are due now.`);
        next.hidden = true;
        close.focus();
    }
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        next.disabled = true;
        problem.textContent = "";
        try {
            await step();
        } catch (error) {
            problem.textContent = error.message;
            asked = undefined;
            next.textContent = "Count";
        }
        next.disabled = false;
    });
    await ended;
    await done();
}
