// Elements of the page. Text becomes text nodes and nothing else: whatever a customer wrote stays text.

const SVG = "http://www.w3.org/2000/svg";

// h("a.button", { href: "#/" }, "text", element, …): a tag with classes, attributes and listeners (`onclick`), and children.
export function h(what, attributes, ...children) {
    return fill(document.createElement(what.split(".")[0]), what, attributes, children);
}

export function svg(what, attributes, ...children) {
    return fill(document.createElementNS(SVG, what.split(".")[0]), what, attributes, children);
}

function fill(element, what, attributes, children) {
    const classes = what.split(".").slice(1);
    if (classes.length) element.classList.add(...classes);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value === undefined || value === null || value === false) continue;
        if (typeof value === "function") element.addEventListener(name.slice(2), value);
        else if (name in element && typeof value !== "string") element[name] = value;
        else element.setAttribute(name, value);
    }
    element.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
    return element;
}

// Only what a browser would fetch over the web is a link: never `javascript:`.
export function outside(url) {
    return /^https?:\/\//.test(url) ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, url) : h("span", {}, url);
}

export function head(title, actions, crumb) {
    const heading = h("h1", { tabindex: "-1" }, title);
    return h("div.stack", {}, crumb && h("p.crumb", {}, crumb), h("div.head", {}, heading, h("div.actions", {}, actions ?? [])));
}

export function card(title, content, beside) {
    return h("section.card", {}, h("div.title", {}, h("h2", {}, title), beside), content);
}

// A table of rows; where it is narrow each row is a block, and a cell says its column's name.
export function table(columns, rows) {
    const heads = columns.map((column) => h(column.number ? "th.number" : "th", { scope: "col" }, column.name));
    return h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}

export function cell(content, kind, name) {
    return h(kind ? `td.${kind}` : "td", { "data-name": name }, content);
}

export function loading(what) {
    return h("p.loading", { "aria-busy": "true" }, `Loading ${what}…`);
}

export function empty(text, ...more) {
    return h("div.empty", {}, h("p", {}, text), more);
}

export function failed(problem, again) {
    const button = again && h("button", { type: "button", onclick: again }, "Try again");
    return h("div.failed", { role: "alert" }, h("p", {}, problem.message), button);
}

let timer;

// Says what became of something, where it is seen and read aloud.
export function say(text, kind) {
    clearTimeout(timer);
    const status = document.getElementById("status");
    status.replaceChildren(h(kind ? `p.${kind}` : "p", {}, text));
    timer = setTimeout(() => status.replaceChildren(), 6000);
}
