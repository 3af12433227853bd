// Small charts, drawn as SVG.

import { h, svg } from "./dom.js";
import { count, lasted, percent } from "./format.js";

const total = (bucket) => bucket.succeeded + bucket.failed;

// Bars of attempts: what failed stands on what succeeded, and in words for who cannot see them.
function bars(buckets, [width, height]) {
    const most = Math.max(1, ...buckets.map(total));
    const each = width / buckets.length;
    return buckets.flatMap((bucket, index) => {
        const [good, bad] = [(bucket.succeeded / most) * height, (bucket.failed / most) * height];
        const bar = (kind, y, tall) => tall > 0 && svg(`rect.${kind}`, { x: String(index * each + each * 0.1), y: String(y), width: String(each * 0.8), height: String(Math.max(tall, 0.5)) });
        return [bar("good", height - good, good), bar("bad", height - good - bad, bad)].filter(Boolean);
    });
}

function frame(kind, [width, height], name, content) {
    return svg(`svg.${kind}`, { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": name }, content);
}

export function spark(statistics) {
    const size = [96, 22];
    const name = `${count(statistics.succeeded)} attempts succeeded, ${count(statistics.failed)} failed`;
    return frame("spark", size, name, [svg("line.axis", { x1: "0", x2: "96", y1: "22", y2: "22" }), bars(statistics.buckets, size)]);
}

export function rate(statistics) {
    const size = [600, 120];
    const whole = statistics.succeeded + statistics.failed;
    const name = `Attempts: ${count(statistics.succeeded)} succeeded, ${count(statistics.failed)} failed, ${percent(statistics.succeeded, whole)} success`;
    return h("div.stack", {},
        frame("chart", size, name, [svg("line.axis", { x1: "0", x2: "600", y1: "120", y2: "120" }), bars(statistics.buckets, size)]),
        scale(statistics, `most ${count(Math.max(0, ...statistics.buckets.map(total)))}`));
}

export function latency(statistics) {
    const size = [600, 120];
    const known = statistics.buckets.map((bucket, index) => ({ ...bucket, index })).filter((bucket) => bucket.median_ms !== null);
    const most = Math.max(1, ...known.map((bucket) => bucket.p95_ms));
    const each = size[0] / statistics.buckets.length;
    const at = (bucket, value) => `${(bucket.index + 0.5) * each},${size[1] - (value / most) * (size[1] - 6)}`;
    const line = (kind, field) => svg(`polyline.${kind}`, { points: known.map((bucket) => at(bucket, bucket[field])).join(" ") });
    const dots = known.map((bucket) => {
        const [x, y] = at(bucket, bucket.median_ms).split(",");
        return svg("rect.dot", { x: String(x - 2), y: String(y - 1.5), width: "4", height: "3" });
    });
    const last = known.at(-1);
    const name = last ? `Latency, last: median ${lasted(last.median_ms)}, 95 of 100 within ${lasted(last.p95_ms)}` : "Latency: no attempts";
    return h("div.stack", {},
        frame("chart", size, name, [svg("line.axis", { x1: "0", x2: "600", y1: "120", y2: "120" }), line("tail", "p95_ms"), line("median", "median_ms"), dots]),
        scale(statistics, known.length ? `most ${lasted(most)}` : "no attempts"));
}

function scale(statistics, most) {
    const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
    return h("div.scale", {}, h("span", {}, short.format(new Date(statistics.buckets[0].start))), h("span", {}, most), h("span", {}, "now"));
}
