// Signing in with an API key, whose mode and rights the session has.

import { post } from "./api.js";
import { h } from "./dom.js";

export function show(main, done) {
    const key = h("input", { type: "password", id: "key", name: "key", autocomplete: "current-password", required: true, spellcheck: "false", placeholder: "whb_test_… or whb_live_…", "aria-describedby": "key-hint" });
    const problem = h("p.problem", { role: "alert" });
    const button = h("button.first", { type: "submit" }, "Sign in");
    const submit = async (event) => {
        event.preventDefault();
        button.disabled = true;
        problem.textContent = "";
        try {
            done(await post("/v1/session", { key: key.value }));
        } catch (error) {
            problem.textContent = error.status === 401 ? "This API key is not known." : error.message;
            button.disabled = false;
            key.select();
        }
    };
    main.replaceChildren(h("div.sign-in", {}, h("div.card", {}, h("form", { onsubmit: submit },
        h("h1", {}, "Sign in to webhook-bridge"),
        // For what remembers passwords.
        h("input", { type: "text", name: "username", autocomplete: "username", value: "webhook-bridge", hidden: true, readonly: "" }),
        h("div.field", {}, h("label", { for: "key" }, "API key"), key,
            h("p.hint", { id: "key-hint" }, "A test key shows test events, a live key live ones. The first start of the bridge printed one of each.")),
        problem, button))));
    key.focus();
}
