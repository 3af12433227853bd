// Who is signed in, and which view is shown.

import { get, onSignedOut, remove } from "./api.js";
import { failed, say } from "./dom.js";
import * as bus from "./bus.js";
import * as deliveries from "./deliveries.js";
import * as delivery from "./delivery.js";
import * as endpointForm from "./endpoint-form.js";
import * as endpoint from "./endpoint.js";
import * as endpoints from "./endpoints.js";
import * as event from "./event.js";
import * as events from "./events.js";
import * as signIn from "./sign-in.js";

// The views: what the address has after `#`, and who shows that.
const VIEWS = [
    [/^\/events$/, events],
    [/^\/events\/([^/]+)$/, event],
    [/^\/endpoints$/, endpoints],
    [/^\/endpoints\/new$/, endpointForm],
    [/^\/endpoints\/([^/]+)$/, endpoint],
    [/^\/endpoints\/([^/]+)\/edit$/, endpointForm],
    [/^\/deliveries$/, deliveries],
    [/^\/deliveries\/([^/]+)$/, delivery],
    [/^\/bus$/, bus],
];
const FIRST = "#/endpoints";

const top = document.getElementById("top");
const main = document.getElementById("main");
let leaving = new AbortController();

function route() {
    leaving.abort();
    leaving = new AbortController();
    const [path, query] = location.hash.slice(1).split("?");
    const found = VIEWS.map(([pattern, view]) => [path.match(pattern), view]).find(([match]) => match);
    if (!found) {
        location.replace(FIRST);
        return;
    }
    for (const link of top.querySelectorAll("nav a")) {
        const here = path === link.hash.slice(1) || path.startsWith(`${link.hash.slice(1)}/`);
        here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    const [match, view] = found;
    enter(view, { match: match.slice(1).map(decodeURIComponent), query: new URLSearchParams(query ?? ""), signal: leaving.signal });
}

async function enter(view, asked) {
    main.replaceChildren();
    try {
        await view.show(main, asked);
    } catch (error) {
        if (asked.signal.aborted) return;
        main.replaceChildren(failed(error, route));
    }
    if (asked.signal.aborted) return;
    const heading = main.querySelector("h1");
    document.title = heading ? `${heading.textContent} · webhook-bridge` : "webhook-bridge";
    // Where one came by a link, reading goes on at the heading.
    if (document.activeElement === document.body) heading?.focus();
}

function signedIn(session) {
    document.body.className = session.livemode ? "live" : "test";
    document.getElementById("mode").textContent = session.livemode
        ? "Live mode: these are real payments"
        : "Test mode: nothing here is real money";
    top.hidden = false;
    route();
    window.addEventListener("hashchange", route);
}

function signedOut() {
    leaving.abort();
    window.removeEventListener("hashchange", route);
    top.hidden = true;
    document.body.className = "";
    document.title = "Sign in · webhook-bridge";
    signIn.show(main, signedIn);
}

onSignedOut(() => {
    signedOut();
    say("Your session has ended.");
});

document.getElementById("sign-out").addEventListener("click", async () => {
    try {
        await remove("/v1/session");
    } catch (error) {
        // A session that has ended is signed out of.
        if (error.status !== 401) return say(`You are still signed in. ${error.message}`, "bad");
    }
    signedOut();
});

document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
});

get("/v1/session").then(signedIn, signedOut);
