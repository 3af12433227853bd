// Dialogs: the browser's own, which keep the focus and end with Escape.

import { h, say } from "./dom.js";

// Shows a dialog; what is in the form, and what it ends with.
export function open(content) {
    const dialog = h("dialog", {}, content);
    document.body.append(dialog);
    const came = document.activeElement;
    const ended = new Promise((resolve) => dialog.addEventListener("close", () => {
        dialog.remove();
        if (came?.isConnected) came.focus();
        resolve(dialog.returnValue);
    }));
    const title = dialog.querySelector("h2");
    title.id = "dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.showModal();
    return { dialog, ended };
}

export async function confirm(title, text, action, kind = "first") {
    const { ended } = open(h("form", { method: "dialog" },
        h("h2", {}, title), h("p.wide", {}, text),
        h("div.actions", {}, h("button", { value: "" , autofocus: true }, "Cancel"), h(`button.${kind}`, { value: "yes" }, action))));
    return (await ended) === "yes";
}

// A secret, which is shown once.
export async function reveal(title, secret) {
    const copy = async () => {
        await navigator.clipboard.writeText(secret).then(() => say("Copied."), () => say("Copy it by hand: the browser does not let this page.", "bad"));
    };
    const { ended } = open(h("form", { method: "dialog" },
        h("h2", {}, title), h("p", {}, "Receivers verify with it. It is shown this once."),
        h("pre", { tabindex: "0", "aria-label": "Secret" }, secret),
        h("div.actions", {}, h("button", { type: "button", onclick: copy }, "Copy"), h("button.first", { autofocus: true }, "Done"))));
    await ended;
}
