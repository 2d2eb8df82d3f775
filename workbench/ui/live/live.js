/* The live view and STOP of one desk, in one file that needs no build and loads nothing else.
 *
 * It runs in three places: as the script of a widget in a notebook cell (`render`), as a panel of JupyterLab
 * (`mountPanel`) and inside the Panel dashboard (`render` again; Panel's adapter has no `model.send`, so only
 * traits are used). It talks to the engine itself, or through the relay of the Jupyter server: never through
 * a kernel. What the engine says is shown by `textContent` only; nothing it sends is ever parsed as HTML.
 *
 *   Link   one WebSocket per desk and page: hello, topics, sequence numbers, reconnect, STOP
 *   View   the picture of a Link in one element (shadow root, so that no page's CSS reaches it)
 *   Pill   STOP in the browser's top layer, shown whenever the view's own STOP is out of reach
 */

const PAGE = Symbol.for("workbench.live/1");
const page = (globalThis[PAGE] ??= { links: new Map(), relay: null, pills: new Map() });

const TOPICS = ["session", "account", "positions", "orders", "fills", "refusals", "strategies", "latency", "health",
  "alerts", "equity", "accounts", "differences"];
const APPENDED = new Set(["fills", "refusals", "alerts", "equity"]);
const KEEP = { fills: 500, refusals: 300, alerts: 200, equity: 4000, orders: 600 };
const GONE = new Set(["down", "unauthorised", "closed"]); // of an account: nothing goes there
const ACTIVE = new Set(["new", "sent", "working", "partial", "cancelling", "unknown"]);
const LATE_MS = 3000; // a beat comes every second: three missed ones are a fault to show
const DEAD_MS = 9000; // then the socket is given up and opened anew
const CONFIRM_MS = 2000; // how long STOP waits for the engine's word
const NO_CONNECTION = "no connection to the engine";
const RESEND_MS = 60000; // a STOP that found no connection is sent when it comes back within this time
const ARM_MS = 5000; // how long the first press stays good

// ------------------------------------------------------------------------------------------ words and numbers
const formats = new Map();
function fixed(value, digits) {
  if (!Number.isFinite(value)) return "–";
  if (!formats.has(digits)) {
    const rule = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(digits, new Intl.NumberFormat("en-US", rule));
  }
  const text = formats.get(digits).format(Math.abs(value));
  return value < 0 && Number(text.replaceAll(",", "")) !== 0 ? "−" + text : text;
}
const signed = (value, digits = 2) => (value > 0 && fixed(value, digits) !== fixed(0, digits) ? "+" : "") + fixed(value, digits);
const tone = (value) => (value > 0.004999 ? "up" : value < -0.004999 ? "down" : "");
const price = (value) => (value === 0 ? "–" : fixed(value, Math.abs(value) < 10 ? 4 : 2));
// down to the smallest lot there is, 1e-8: fewer digits would show a small holding as none
export const units = (value) => (Number.isInteger(value) ? fixed(value, 0) : fixed(value, 8).replace(/\.?0+$/, ""));
export const signedUnits = (value) => (value > 0 && units(value) !== "0" ? "+" : "") + units(value);
const compact = (value) => (Math.abs(value) >= 1e6 ? fixed(value / 1e6, 2) + " M" : fixed(value, 0));
function micros(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1e6) return fixed(value / 1e6, value >= 1e7 ? 0 : 1) + " s";
  if (value >= 1000) return fixed(value / 1000, value >= 1e5 ? 0 : value >= 1e4 ? 1 : 2) + " ms";
  return fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : 2) + " µs";
}
const at = (ns) => new Date(Number(ns) / 1e6);
const iso = (ns) => (Number(ns) > 0 ? at(ns).toISOString() : "");
const clock = (ns) => iso(ns).slice(11, 19) || "–";
const stamp = (ns) => (iso(ns) ? iso(ns).slice(0, 10) + " " + iso(ns).slice(11, 19) : "–");
function span(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 60) return fixed(seconds, 0) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.floor((seconds % 3600) / 60) + " min";
}
const killCommand = (desk) => (!desk || desk === "default" ? "workbench kill" : `workbench kill --name ${desk}`);

// --------------------------------------------------------------------------------------------------- elements
const SVG = "http://www.w3.org/2000/svg";
function h(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const mark = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };

// ------------------------------------------------------------------------------------------------------- Link
class Link {
  /* `ways` are tried in order, relay first: {kind, url, hello(): Promise<object>} */
  constructor(key, desk) {
    Object.assign(this, { key, desk, ways: [], hosts: new Set(), listeners: new Set(), users: 0 });
    Object.assign(this, { socket: null, status: "connecting", trouble: "", resume: "", scope: "", epoch: 0 });
    Object.assign(this, { attempt: 0, heard: 0, everLive: false, gaps: 0, roundTripMs: NaN, waiting: new Map(), nextId: 1 });
    this.stop = { phase: "idle" };
    this.forget();
    this.ticker = setInterval(() => this.tick(), 250);
  }

  forget() {
    this.data = Object.fromEntries(TOPICS.map((topic) => [topic, topic === "orders" ? new Map() : APPENDED.has(topic) ? [] : null]));
    this.seq = {};
  }

  addWay(way) {
    this.ways = [...this.ways.filter((other) => other.kind !== way.kind), way].sort((a) => (a.kind === "relay" ? -1 : 1));
    if (!this.socket && this.status !== "connecting") this.attempt = 0;
    if (!this.socket && !this.timer) this.open();
  }

  use(listener) { this.users += 1; this.listeners.add(listener); }
  leave(listener) {
    this.listeners.delete(listener);
    this.users -= 1;
    if (this.users > 0) return;
    clearInterval(this.ticker);
    clearTimeout(this.timer);
    clearTimeout(this.stopTimer);
    this.users = -1;
    this.socket?.close(1000);
    page.links.delete(this.key);
  }

  tell(topic) { for (const listener of this.listeners) listener(topic); }
  ageMs() { return this.heard ? performance.now() - this.heard : Infinity; }
  live() { return this.status === "live" && this.ageMs() < LATE_MS; }

  tick() {
    if (this.socket && this.heard && this.ageMs() > DEAD_MS) this.drop(this.socket, "the engine has been silent");
    else if (this.socket?.readyState === WebSocket.OPEN && this.status === "live" && performance.now() - (this.pinged ?? 0) > 5000) {
      this.pinged = performance.now();
      this.send({ op: "ping", t: this.pinged });
    }
    this.tell("age");
  }

  async open() {
    if (this.users < 0 || !this.ways.length) return;
    this.timer = null;
    const way = this.ways[this.attempt % this.ways.length];
    const socket = new WebSocket(way.url());
    this.socket = socket;
    this.heard = performance.now();
    socket.onopen = async () => {
      try {
        const hello = await way.hello(this);
        this.helloWay = way;
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ op: "hello", ...hello }));
      } catch (error) {
        this.drop(socket, String(error.message ?? error));
      }
    };
    socket.onmessage = (event) => { if (socket === this.socket) this.take(JSON.parse(event.data)); };
    socket.onclose = (event) => this.drop(socket, event.reason || "no connection to the engine", event.code);
  }

  drop(socket, why) {
    if (socket !== this.socket || this.users < 0) return;
    this.socket = null;
    socket.onclose = null;
    socket.close();
    if (this.status !== "live") this.resume = ""; // a refused resume token is of no use: ask for a ticket
    this.status = "lost";
    this.trouble = why;
    this.seq = {};
    for (const [id, wait] of this.waiting) { this.waiting.delete(id); wait.no("the connection was lost before the answer"); }
    const pause = Math.min(5000, 250 * 2 ** Math.min(this.attempt, 5)) * (0.75 + Math.random() / 2);
    this.attempt += 1;
    this.retryAt = performance.now() + pause;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), pause);
    this.tell("status");
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  ask(message) {
    const id = `${Date.now().toString(36)}-${this.nextId++}`;
    return new Promise((ok, no) => {
      this.waiting.set(id, { ok, no });
      if (this.status !== "live" || !this.send({ ...message, id })) { this.waiting.delete(id); no(NO_CONNECTION); }
    });
  }

  take(message) {
    this.heard = performance.now();
    const waiting = message.id === undefined ? undefined : this.waiting.get(message.id);
    if (message.op === "data") this.takeData(message);
    else if (message.op === "pong") this.roundTripMs = performance.now() - message.t;
    else if (message.op === "gap") { this.gaps += 1; delete this.seq[message.topic]; }
    else if (message.op === "welcome") {
      Object.assign(this, { status: "live", trouble: "", attempt: 0, everLive: true, scope: message.scope, desk: message.desk });
      if (this.epoch && this.epoch !== message.epoch) this.forget();
      this.epoch = message.epoch;
      this.resume = this.helloWay.kind === "direct" ? message.resume ?? "" : "";
      this.send({ op: "subscribe", topics: TOPICS });
      this.tell("status");
      const open = this.stop.phase === "unsent" || (this.stop.phase === "unconfirmed" && this.stop.lost);
      if (open && Date.now() - this.stop.at < RESEND_MS) this.fire();
    } else if (message.op === "ack" && waiting) {
      this.waiting.delete(message.id);
      if (message.ok) waiting.ok(message.result ?? {});
      else waiting.no(message.text ?? message.result?.text ?? "the engine said no");
    } else if (message.op === "error") {
      if (waiting) { this.waiting.delete(message.id); waiting.no(message.text); }
      else if (this.status !== "live") this.drop(this.socket, message.text);
    }
  }

  takeData({ topic, kind, seq, rows }) {
    const last = this.seq[topic];
    if (kind === "snapshot") {
      this.data[topic] = topic === "orders" ? new Map() : APPENDED.has(topic) ? [] : null;
    } else if (last === undefined) return; // a snapshot is on its way
    else if (seq !== last + 1) {
      this.gaps += 1;
      delete this.seq[topic];
      this.send({ op: "unsubscribe", topics: [topic] });
      this.send({ op: "subscribe", topics: [topic] });
      return;
    }
    this.seq[topic] = seq;
    if (topic === "orders") {
      for (const row of rows) this.data.orders.set(row.order_id, row);
      if (this.data.orders.size > KEEP.orders) {
        for (const [id, row] of this.data.orders) {
          if (this.data.orders.size <= KEEP.orders) break;
          if (!ACTIVE.has(row.state)) this.data.orders.delete(id);
        }
      }
    } else if (APPENDED.has(topic)) {
      const held = this.data[topic];
      if (topic === "equity" && held.length && rows.length && held[held.length - 1][0] === rows[0][0]) held.pop();
      held.push(...rows);
      if (held.length > KEEP[topic]) {
        if (topic === "equity") this.data.equity = held.filter((_, i) => i % 2 === 0 || i > held.length - 200);
        else held.splice(0, held.length - KEEP[topic]);
      }
    } else this.data[topic] = rows;
    this.tell(topic);
  }

  // STOP: idle -> armed -> sent -> acked | unconfirmed; `unsent` when there is no connection at all
  press() {
    const now = performance.now();
    if (this.stop.phase !== "armed") {
      clearTimeout(this.stopTimer);
      this.stop = { phase: "armed", since: now, before: this.stop.phase === "armed" ? undefined : this.stop };
      this.stopTimer = setTimeout(() => this.disarm(), ARM_MS);
      this.tell("stop");
    } else if (now - this.stop.since > 300) { // the second half of a double click is not a confirmation
      clearTimeout(this.stopTimer);
      this.fire();
    }
  }

  disarm() {
    if (this.stop.phase !== "armed") return;
    clearTimeout(this.stopTimer);
    this.stop = this.stop.before ?? { phase: "idle" };
    this.tell("stop");
  }

  fire() {
    const sent = { phase: "sent", at: Date.now(), since: performance.now() };
    this.stop = sent;
    const settle = (next) => { if (this.stop === sent || this.stop.of === sent) { clearTimeout(this.stopTimer); this.stop = { ...next, of: sent, at: sent.at }; this.tell("stop"); } };
    const reason = "STOP pressed in the live view";
    this.ask({ op: "kill", reason }).then(
      (report) => settle({ phase: "acked", report, tookMs: performance.now() - sent.since }),
      (why) => settle(why === NO_CONNECTION ? { phase: "unsent", why: this.trouble } : { phase: "unconfirmed", why: String(why), lost: this.status !== "live" }),
    );
    this.stopTimer = setTimeout(() => settle({ phase: "unconfirmed", why: "no answer within 2 s" }), CONFIRM_MS);
    this.tell("stop");
  }

  // pause is in every scope that can stop; resume needs more, so a host (kernel, dashboard) may do it for us
  canResume() { return this.scope === "full" || [...this.hosts].some((host) => host.wish); }
  strategy(op, strategyId) {
    if (op === "pause" || this.scope === "full") return this.ask({ op, strategy_id: strategyId });
    const host = [...this.hosts].find((each) => each.wish);
    return host ? host.wish({ op, strategy_id: strategyId }) : Promise.reject("resume it in the notebook or the dashboard");
  }
}

function linkFor(key, desk) {
  if (!page.links.has(key)) page.links.set(key, new Link(key, desk));
  return page.links.get(key);
}
function relayWay(base, desk) {
  const url = new URL(`workbench/relay/${encodeURIComponent(desk)}`, base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return { kind: "relay", url: () => url.href, hello: async () => ({}) };
}
function directWay(address, ticket) {
  const hello = async (link) => (link.resume ? { resume: link.resume } : { ticket: await ticket() });
  return { kind: "direct", url: address, hello };
}

// ------------------------------------------------------------------------------------------------------ pieces
const classOf = (column) => ["num", "wide", "roomy", "several", "folds"].filter((word) => column[word]).concat(column.button ? ["act"] : []).join(" ");

/* A table that reuses its rows. columns: {head, get(row), num, wide (left out where it is narrow), roomy (left out sooner), tone(row),
 * chip(row), title(row), button, several (shown where orders go to several accounts),
 * folds (its words take the lines they need)} */
class Table {
  constructor(columns, { label, empty, keep = 60, tall = false }) {
    this.columns = columns;
    this.keep = keep;
    this.body = h("tbody");
    this.empty = h("p", { class: "empty" }, empty);
    const heads = columns.map((c) => h("th", { scope: "col", class: classOf(c), title: c.hint }, c.head));
    this.table = h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, ...heads)), this.body);
    this.node = h("div", { class: tall ? "scroll tall" : "scroll", tabindex: "0", role: "group", "aria-label": label }, this.table, this.empty);
  }

  update(rows) {
    const shown = rows.length > this.keep ? rows.slice(0, this.keep) : rows;
    this.empty.hidden = shown.length > 0;
    this.table.hidden = shown.length === 0;
    while (this.body.rows.length > shown.length) this.body.lastChild.remove();
    while (this.body.rows.length < shown.length) this.body.append(this.row());
    shown.forEach((row, i) => this.fill(this.body.rows[i], row));
  }

  row() {
    const cells = this.columns.map((column) => {
      const cell = h("td", { class: classOf(column) });
      if (column.button) cell.append(h("button", { class: "small", type: "button", onclick: (e) => column.button.press(e.currentTarget.row) }));
      else if (column.chip) cell.append(h("span", { class: "chip" }));
      return cell;
    });
    return h("tr", {}, ...cells);
  }

  fill(line, row) {
    this.columns.forEach((column, i) => {
      const cell = line.cells[i];
      if (column.button) {
        const button = cell.firstChild;
        const look = column.button.look(row);
        button.row = row;
        say(button, look.text);
        mark(button, "aria-label", look.label);
        mark(button, "title", look.title ?? "");
        mark(button, "data-action", look.action ?? "");
        button.disabled = Boolean(look.disabled);
        return;
      }
      const target = column.chip ? cell.firstChild : cell;
      say(target, column.get(row));
      if (column.chip) mark(target, "data-state", column.chip(row));
      if (column.tone) { const value = column.tone(row); if (cell.dataset.tone !== value) cell.dataset.tone = value; }
      if (column.title) mark(cell, "title", column.title(row));
    });
  }
}

/* Where new days begin under a curve `wide` pixels wide, and the labels: the first of each day names the date, whatever
   its hour, because the one at the day's beginning may have had no room beside its neighbour. */
export function timesUnder(times, wide, xOf) {
  const days = [], labels = [];
  const seconds = Number(times[times.length - 1]) - Number(times[0]) < 6e11; // a short curve would have the same minute under it again and again
  const everyLabel = Math.max(1, Math.floor(times.length / Math.max(2, Math.floor(wide / 130))));
  let day = "", told = "", taken = -1e9; // labels may not reach into the one before
  times.forEach((ns, i) => {
    const date = iso(ns).slice(0, 10);
    const x = xOf(i);
    const begins = date !== day;
    if (day && begins) days.push(x);
    day = date;
    const half = (date !== told ? 36 : 16) + (seconds ? 9 : 0);
    if ((begins || i % everyLabel === 0) && (i ? x - half : x) > taken + 12 && x < wide - 34) {
      const time = clock(ns).slice(0, seconds ? 8 : 5);
      labels.push({ x, first: !i, text: date !== told ? date.slice(5) + " " + time : time });
      told = date;
      taken = i ? x + half : x + 2 * half;
    }
  });
  return { days, labels };
}

/* The equity curve. Points are evenly spaced, so nights and weekends take no room; a rule marks a new day. */
class Curve {
  constructor() {
    this.line = h("svg:path", { class: "line" });
    this.area = h("svg:path", { class: "area" });
    this.base = h("svg:line", { class: "base" });
    this.grid = h("svg:g", { class: "grid" });
    this.dot = h("svg:circle", { class: "dot", r: "3" });
    this.cursor = h("svg:line", { class: "cursor", visibility: "hidden" });
    this.svg = h("svg:svg", { role: "img", "aria-label": "equity curve" }, this.grid, this.area, this.base, this.line, this.dot, this.cursor);
    this.read = h("output", { class: "read" });
    this.empty = h("p", { class: "empty" }, "The curve starts with the first bar.");
    this.node = h("div", { class: "curve" }, this.svg, this.read, this.empty);
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(NaN));
    this.points = [];
  }

  point(x) {
    const i = Math.round(((x - this.left) / (this.wide - this.left - this.right)) * (this.points.length - 1));
    const one = this.points[i];
    mark(this.cursor, "visibility", one ? "visible" : "hidden");
    if (!one) { say(this.read, ""); return; }
    const x0 = String(this.xOf(i));
    for (const [name, value] of [["x1", x0], ["x2", x0], ["y1", "4"], ["y2", String(this.high - this.bottom)]]) mark(this.cursor, name, value);
    say(this.read, `${stamp(one[0])} UTC   ${fixed(one[1], 2)}   ${signed(one[1] - this.start)}`);
  }

  xOf(i) { return this.left + (i / Math.max(1, this.points.length - 1)) * (this.wide - this.left - this.right); }

  update(points, start) {
    Object.assign(this, { points, start, left: 74, right: 10, bottom: 20 });
    this.wide = this.node.clientWidth;
    this.high = this.node.clientHeight;
    this.empty.hidden = points.length > 1;
    this.svg.style.visibility = points.length > 1 ? "" : "hidden";
    if (points.length < 2 || this.wide < 120) return;
    mark(this.svg, "viewBox", `0 0 ${this.wide} ${this.high}`);
    let low = start, top = start;
    for (const [, value] of points) { if (value < low) low = value; if (value > top) top = value; }
    const step = niceStep((top - low || Math.max(1, start * 1e-5)) / 3);
    low = Math.floor(low / step) * step;
    top = Math.max(low + step, Math.ceil(top / step) * step);
    const yOf = (value) => 6 + (1 - (value - low) / (top - low)) * (this.high - this.bottom - 12);
    const digits = step < 1 ? 2 : 0;
    const parts = [];
    for (let value = low; value <= top + step / 2; value += step) {
      const y = yOf(value).toFixed(1);
      parts.push(h("svg:line", { x1: this.left, x2: this.wide - this.right, y1: y, y2: y }));
      parts.push(h("svg:text", { x: this.left - 8, y: Number(y) + 3.5, "text-anchor": "end" }, fixed(value, digits)));
    }
    const { days, labels } = timesUnder(points.map(([ns]) => ns), this.wide, (i) => this.xOf(i));
    for (const x of days) parts.push(h("svg:line", { class: "day", x1: x.toFixed(1), x2: x.toFixed(1), y1: 4, y2: this.high - this.bottom }));
    for (const label of labels) parts.push(h("svg:text", { x: label.x.toFixed(1), y: this.high - 5, "text-anchor": label.first ? "start" : "middle" }, label.text));
    this.grid.replaceChildren(...parts);
    const stride = Math.max(1, Math.floor(points.length / (this.wide * 1.5)));
    let path = "";
    points.forEach(([, value], i) => { if (i % stride === 0 || i === points.length - 1) path += `${path ? "L" : "M"}${this.xOf(i).toFixed(1)} ${yOf(value).toFixed(1)}`; });
    const base = yOf(start).toFixed(1);
    const end = this.xOf(points.length - 1).toFixed(1);
    mark(this.line, "d", path);
    mark(this.area, "d", `${path}L${end} ${base}L${this.left} ${base}Z`);
    for (const [name, value] of [["x1", this.left], ["x2", this.wide - this.right], ["y1", base], ["y2", base]]) mark(this.base, name, String(value));
    const last = points[points.length - 1][1];
    mark(this.dot, "cx", end);
    mark(this.dot, "cy", yOf(last).toFixed(1));
    mark(this.svg, "data-tone", last >= start ? "up" : "down");
    mark(this.svg, "aria-label", `equity curve, now ${fixed(last, 2)}, ${signed(last - start)} since the start`);
  }
}
function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  const ratio = raw / power;
  return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

/* Latency by stage: p50 to p99 as a bar on a log axis from 1 µs to 1 s, the budget as a notch. */
class Stages {
  constructor() {
    this.rows = h("div", { class: "stages", role: "table", "aria-label": "latency by stage against budgets" });
    this.empty = h("p", { class: "empty" }, "No order has been through the stages yet.");
    this.node = h("div", { class: "stagebox" }, this.rows, this.empty);
    this.lines = new Map();
  }

  line(stage) {
    const parts = { bar: h("i", { class: "bar" }), median: h("i", { class: "median" }), budget: h("i", { class: "budget" }) };
    parts.p50 = h("span", { class: "num", role: "cell" });
    parts.p99 = h("span", { class: "num", role: "cell" });
    parts.limit = h("span", { class: "num muted", role: "cell" });
    parts.flag = h("span", { class: "flag", role: "cell" }, h("span"), h("b"));
    parts.track = h("span", { class: "track", "aria-hidden": "true" }, parts.bar, parts.median, parts.budget);
    parts.node = h("div", { class: "stage", role: "row", "data-stage": stage }, h("span", { role: "rowheader" }, stage), parts.track, parts.p50, parts.p99, parts.limit, parts.flag);
    return parts;
  }

  update(rows) {
    const seen = rows.filter((row) => row.n > 0);
    this.empty.hidden = seen.length > 0;
    this.rows.hidden = seen.length === 0;
    if (!this.head) {
      this.head = h("div", { class: "stage head", role: "row" }, ...["stage", "1 µs to 1 s, log", "p50", "p99", "budget", ""].map((text) => h("span", { role: "columnheader" }, text)));
      this.rows.append(this.head);
    }
    const place = (us) => Math.max(0, Math.min(100, (Math.log10(Math.max(us, 1)) / 6) * 100));
    for (const row of rows) {
      if (!this.lines.has(row.stage)) { this.lines.set(row.stage, this.line(row.stage)); this.rows.append(this.lines.get(row.stage).node); }
      const parts = this.lines.get(row.stage);
      parts.node.hidden = row.n === 0;
      const over = row.budget_us > 0 && row.p99_us > row.budget_us;
      mark(parts.node, "data-over", over ? "yes" : "no");
      mark(parts.node, "title", `${row.stage}: ${fixed(row.n, 0)} measured, p50 ${micros(row.p50_us)}, p90 ${micros(row.p90_us)}, p99 ${micros(row.p99_us)}, largest ${micros(row.max_us)}, ${fixed(row.share_over * 100, 2)} % over budget`);
      parts.bar.style.left = place(row.p50_us) + "%";
      parts.bar.style.width = Math.max(0.8, place(row.p99_us) - place(row.p50_us)) + "%";
      parts.median.style.left = place(row.p50_us) + "%";
      parts.budget.style.left = place(row.budget_us) + "%";
      parts.budget.hidden = !(row.budget_us > 0);
      say(parts.p50, micros(row.p50_us));
      say(parts.p99, micros(row.p99_us));
      say(parts.limit, row.budget_us > 0 ? micros(row.budget_us) : "–");
      say(parts.flag.firstChild, over ? "▲" : "✓");
      say(parts.flag.lastChild, over ? " over" : "");
      mark(parts.flag, "aria-label", over ? "over budget" : "within budget");
    }
  }
}

/* STOP: one behaviour, drawn in the header of every view and in the pill. */
class StopButton {
  constructor(link) {
    this.link = link;
    this.text = h("span");
    this.node = h("button", { class: "stop", type: "button", "data-wb": "stop", onclick: () => link.press() }, h("i", { class: "square", "aria-hidden": "true" }), this.text);
    this.node.addEventListener("keydown", (event) => { if (event.key === "Escape") link.disarm(); });
  }

  update() {
    const { phase } = this.link.stop;
    const killed = this.link.data.session?.state === "killed";
    const words = { armed: "Press again to STOP", sent: "SENT …", unsent: "NOT SENT" };
    say(this.text, words[phase] ?? (phase === "unconfirmed" ? "STOP again" : killed ? "STOPPED" : "STOP"));
    mark(this.node, "data-phase", phase === "idle" && killed ? "stopped" : phase);
    mark(this.node, "aria-label", phase === "armed" ? `Confirm: stop desk ${this.link.desk} now` : `Stop desk ${this.link.desk}: block new orders and cancel the working ones`);
    mark(this.node, "title", "Blocks every new order and cancels the working ones. Press twice. Escape takes the first press back.");
  }
}

function stopOutcome(link) {
  const { phase, why, report, at: sentAt, tookMs } = link.stop;
  const when = sentAt ? new Date(sentAt).toLocaleTimeString("en-GB") : "";
  if (phase === "armed") {
    const open = [...link.data.orders.values()].filter((row) => ACTIVE.has(row.state)).length;
    return { tone: "warn", head: "Press STOP again to confirm", text: `It blocks every new order of desk ${link.desk} and cancels ${open} working ${open === 1 ? "order" : "orders"}. Escape takes it back.` };
  }
  if (phase === "sent") return { tone: "warn", head: "SENT", text: `at ${when}; waiting for the engine's word. Sent is not stopped.` };
  if (phase === "unsent") return { tone: "bad", head: "NOT SENT, NOT CONFIRMED", text: `No connection to the engine (${why}). It goes out if the connection comes back within a minute. Do not wait, type in a terminal:`, command: killCommand(link.desk) };
  if (phase === "unconfirmed") return { tone: "bad", head: "NOT CONFIRMED", text: `The engine has not acknowledged (${why}). Type in a terminal:`, command: killCommand(link.desk) };
  if (phase === "acked") {
    const open = report.unconfirmed ?? [];
    const cancels = report.cancels ?? 0;
    const text = `The engine blocked new orders after ${micros(report.blocked_after_us)} and sent ${cancels} ${cancels === 1 ? "cancel" : "cancels"} (acknowledged in ${fixed(tookMs, tookMs < 10 ? 1 : 0)} ms). ` +
      (open.length ? `${open.length} not confirmed by the broker yet:` : "Nothing is left unconfirmed.");
    return { tone: open.length ? "warn" : "good", head: "STOPPED, acknowledged by the engine", text, orders: open };
  }
  if (link.data.session?.state === "killed") {
    return { tone: "warn", head: "Stopped", text: `${link.data.session.kill_reason || "no reason given"}. New orders are refused until somebody arms the desk: desk.arm() or`, command: link.desk === "default" ? "workbench arm" : `workbench arm --name ${link.desk}` };
  }
  return null;
}

class Banner {
  constructor(link) {
    this.link = link;
    this.head = h("b");
    this.text = h("span");
    this.command = h("code");
    this.copy = h("button", { class: "small", type: "button", onclick: () => navigator.clipboard?.writeText(this.command.textContent).then(() => say(this.copy, "Copied")) }, "Copy");
    this.list = h("ul");
    this.node = h("div", { class: "banner", role: "alert", "data-wb": "outcome" }, this.head, this.text, this.command, this.copy, this.list);
  }

  update() {
    const outcome = stopOutcome(this.link);
    this.node.hidden = !outcome;
    if (!outcome) return;
    mark(this.node, "data-tone", outcome.tone);
    say(this.head, outcome.head);
    say(this.text, outcome.text);
    this.command.hidden = this.copy.hidden = !outcome.command;
    if (outcome.command && this.command.textContent !== outcome.command) { say(this.command, outcome.command); say(this.copy, "Copy"); }
    const lines = (outcome.orders ?? []).slice(0, 12).map((row) => `order ${row.order_id}: ${row.side} ${units(row.quantity)} ${row.symbol}, ${row.state}`);
    if (outcome.orders?.length > 12) lines.push(`and ${outcome.orders.length - 12} more`);
    this.list.hidden = lines.length === 0;
    if (this.list.childElementCount !== lines.length) this.list.replaceChildren(...lines.map(() => h("li")));
    lines.forEach((line, i) => say(this.list.children[i], line));
  }
}

/* Accounts at venues: a light each, the allowance of which the least is left, how old its data is. No account, no strip. */
class Venues {
  constructor() {
    this.node = h("section", { class: "venues", role: "list", "aria-label": "accounts at venues", "data-wb": "venues", hidden: true });
    this.cards = new Map();
  }

  update(rows, session) {
    this.node.hidden = rows.length === 0;
    for (const [name, card] of this.cards) if (!rows.some((row) => row.account === name)) { card.node.remove(); this.cards.delete(name); }
    for (const row of rows) {
      if (!this.cards.has(row.account)) { this.cards.set(row.account, this.card()); this.node.append(this.cards.get(row.account).node); }
      this.fill(this.cards.get(row.account), row, session);
    }
  }

  card() {
    const card = { lamp: h("i", { class: "lamp", "aria-hidden": "true" }), name: h("b"), mode: h("span", { class: "chip" }), guard: h("span", { class: "chip", "data-wb": "guard" }), state: h("span", { class: "state" }),
      open: h("span", { class: "fact" }), bar: h("i"), left: h("span", { class: "fact" }), data: h("span", { class: "fact" }), pace: h("span", { class: "fact" }), why: h("p", { class: "why" }) };
    card.meter = h("span", { class: "meter", role: "meter", "aria-label": "least allowance left", "aria-valuemin": "0", "aria-valuemax": "100" }, card.bar);
    card.node = h("div", { class: "venue", role: "listitem" }, h("div", { class: "line" }, card.lamp, card.name, card.mode, card.guard, card.state, card.open),
      h("div", { class: "line" }, card.meter, card.left, card.data, card.pace), card.why);
    return card;
  }

  fill(card, row, session) {
    const frozen = row.symbols.filter((symbol) => symbol in (session?.frozen ?? {}));
    const killed = session?.state === "killed";
    const light = row.state === "healthy" ? "good" : GONE.has(row.state) ? "bad" : "warn";
    const [allowance, left] = Object.entries(row.headroom).sort((a, b) => a[1] - b[1])[0] ?? ["", 1];
    const away = row.streams.filter((stream) => stream.state !== "live");
    const ages = row.streams.filter((stream) => stream.carries === "data" && stream.state === "live").map((stream) => stream.age_s);
    const percent = Math.max(0, Math.min(100, left * 100));
    mark(card.node, "data-account", row.account);
    mark(card.node, "data-light", light);
    mark(card.node, "title", this.words(row));
    mark(card.lamp, "data-state", light);
    say(card.name, row.account);
    say(card.mode, row.mode === "data" ? "data only" : row.venue === row.account ? row.mode : `${row.venue} · ${row.mode}`);
    mark(card.mode, "data-state", row.mode);
    // whether orders may go there: a killed desk sends none until it is armed again, a frozen symbol only reducing ones
    say(card.guard, killed ? "stopped" : frozen.length > 2 ? `${frozen.length} frozen` : frozen.length ? `${frozen.join(", ")} frozen` : "armed");
    mark(card.guard, "data-state", killed ? "killed" : frozen.length ? "frozen" : "armed");
    card.guard.hidden = row.mode === "data";
    say(card.state, row.state);
    say(card.open, row.mode === "data" ? "" : `${fixed(row.open_orders, 0)} open ${row.open_orders === 1 ? "order" : "orders"}`);
    card.bar.style.width = percent + "%";
    mark(card.meter, "data-level", left > 0.4 ? "good" : left > 0.15 ? "warn" : "bad");
    mark(card.meter, "aria-valuenow", String(Math.round(percent)));
    say(card.left, row.waiting ? `${fixed(percent, 0)} % · ${fixed(row.waiting, 0)} waiting` : `${fixed(percent, 0)} % left`);
    mark(card.left, "data-tone", row.waiting ? "down" : "");
    mark(card.left, "title", allowance ? `allowance '${allowance}'` : "no allowance is counted");
    say(card.data, away.length ? `${row.streams.length - away.length} of ${row.streams.length} streams` : ages.length ? `data ${fixed(Math.max(...ages), 1)} s` : "");
    mark(card.data, "data-tone", away.length || row.state === "stale" ? "down" : "");
    say(card.pace, row.wire_p50_us > 0 ? `trip ${micros(row.wire_p50_us)}` : "");
    mark(card.pace, "title", "median round trip of a request");
    card.why.hidden = light === "good";
    say(card.why, row.reason);
  }

  words(row) {
    const part = (label, text) => (text ? `${label}: ${text}` : "");
    const errors = Object.entries(row.errors).map(([kind, n]) => `${fixed(n, 0)} ${kind}`).join(", ");
    const shut = Object.entries(row.breakers).filter(([, state]) => state !== "closed").map(([name, state]) => `${name} ${state}`).join(", ");
    return [
      `${row.account} (${row.venue}, ${row.mode}) is ${row.state}: ${row.reason}`,
      row.books_ns ? `holds: cash ${fixed(row.cash, 2)}, equity ${fixed(row.equity, 2)}, ${fixed(row.positions, 0)} ${row.positions === 1 ? "position" : "positions"} (told ${clock(row.books_ns)} UTC)` : "",
      part("allowances left", Object.entries(row.headroom).map(([name, share]) => `${name} ${fixed(share * 100, 0)} %`).join(", ")),
      part("limiter", `${fixed(row.waiting, 0)} waiting, ${fixed(row.waited, 0)} have waited, longest ${row.longest_wait_us > 0 ? micros(row.longest_wait_us) : "–"}`),
      part("requests", `${fixed(row.requests, 0)} sent, ${fixed(row.limited, 0)} answered 429${errors ? `, failed: ${errors}` : ""}`),
      part("left alone", shut),
      part("streams", row.streams.map((s) => `${s.name} ${s.state}${s.state === "live" ? ` ${fixed(s.age_s, 1)} s` : s.reason ? ` (${s.reason})` : ""}${s.reconnects ? `, ${s.reconnects} reconnects` : ""}${s.gaps ? `, ${s.gaps} gaps` : ""}`).join("; ")),
      part("round trip", row.wire_p50_us > 0 ? `p50 ${micros(row.wire_p50_us)}, p99 ${micros(row.wire_p99_us)}; clock ${signed(row.clock_offset_ms, 1)} ms` : ""),
      row.moved ? `${fixed(row.moved, 0)} orders came here because another account was not well` : "",
      row.missed ?? "",
    ].filter(Boolean).join("\n");
  }
}

/* What must not be overlooked about the books: symbols that are frozen, figures on which desk and broker differ. */
class Bands {
  constructor() { this.node = h("div", { class: "bands", role: "status", "data-wb": "bands" }); }

  update(frozen, differences) {
    const bands = Object.entries(frozen).map(([symbol, why]) => ({ key: symbol, head: `${symbol} is frozen`, text: `Only orders that reduce the position pass. ${why}`, tone: "bad" }));
    for (const { symbol, ours, theirs } of differences) {
      if (!symbol) bands.push({ key: "cash", head: "Cash differs", text: `The desk says ${fixed(ours, 2)}, the broker ${fixed(theirs, 2)}. Compare fees and transfers; nothing is mended by itself.`, tone: "warn" });
      else if (!(symbol in frozen)) bands.push({ key: symbol, head: `${symbol} differs`, text: `The desk holds ${units(ours)}, the broker ${units(theirs)}; somebody thawed it.`, tone: "bad" });
    }
    const shown = bands.slice(0, 4);
    if (bands.length > 4) shown.push({ key: "", head: `and ${bands.length - 4} more`, text: bands.slice(4).map((band) => band.head).join(", "), tone: "bad" });
    this.node.hidden = shown.length === 0;
    while (this.node.childElementCount > shown.length) this.node.lastChild.remove();
    while (this.node.childElementCount < shown.length) this.node.append(h("div", { class: "banner" }, h("b"), h("span")));
    shown.forEach((band, i) => {
      const node = this.node.children[i];
      mark(node, "data-band", band.key);
      mark(node, "data-tone", band.tone);
      say(node.firstChild, band.head);
      say(node.lastChild, band.text);
    });
  }
}

// -------------------------------------------------------------------------------------------------------- View
class View {
  constructor(el, link, { title = "" } = {}) {
    this.link = link;
    this.dirty = new Set(["all"]);
    this.busy = new Map();
    this.host = h("div", { class: "workbench-live", "data-desk": link.desk });
    this.root = this.host.attachShadow({ mode: "open" });
    this.root.append(h("style", {}, STYLE), this.build(title));
    el.append(this.host);
    this.listen = (topic) => { this.dirty.add(topic); this.schedule(); };
    link.use(this.listen);
    this.pill = pillFor(link);
    this.pill.views.add(this);
    this.size = new ResizeObserver(() => this.listen("equity"));
    this.size.observe(this.curve.node);
    this.themes = new MutationObserver(() => this.follow());
    for (const node of [document.documentElement, document.body]) this.themes.observe(node, { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light"] });
    requestAnimationFrame(() => this.follow());
    this.schedule();
  }

  close() {
    this.link.leave(this.listen);
    this.size.disconnect();
    this.themes.disconnect();
    this.pill.views.delete(this);
    this.pill.check();
    this.host.remove();
  }

  follow() { // whatever the page, its real background says whether it is dark
    mark(this.box, "data-theme", isDark(this.host) ? "dark" : "light");
  }

  schedule() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.draw(); });
  }

  build(title) {
    const { link } = this;
    this.stop = new StopButton(link);
    this.banner = new Banner(link);
    this.bands = new Bands();
    this.venues = new Venues();
    this.curve = new Curve();
    this.stages = new Stages();
    this.dotNode = h("i", { class: "lamp", "aria-hidden": "true" });
    this.name = h("b", { class: "desk" }, title || link.desk || "desk");
    this.chips = ["mode", "state", "market"].map((key) => h("span", { class: "chip", "data-wb": key }));
    this.marketTime = h("time", { "data-wb": "market-time", title: "market time, UTC" });
    this.age = h("span", { class: "age", role: "status", "data-wb": "age" });
    this.meter = h("i");
    this.progress = h("div", { class: "progress", role: "progressbar", "aria-label": "progress through the recording", "aria-valuemin": "0", "aria-valuemax": "100" }, this.meter);
    const figure = (key, label, hint) => { const value = h("span", { class: "value", "data-wb": key }); const note = h("span", { class: "note" }); return { value, note, node: h("div", { class: "figure", "data-figure": key, title: hint }, h("span", { class: "label" }, label), value, note) }; };
    this.figures = {
      equity: figure("equity", "Equity", "cash and open positions at the last price"),
      pnl: figure("pnl", "P&L", "equity less the starting cash"),
      realized: figure("realized", "Realized", "closed trades"),
      unrealized: figure("unrealized", "Unrealized", "open positions at the last price"),
      fees: figure("fees", "Fees", "paid so far"),
      exposure: figure("exposure", "Exposure", "gross: the sum of all positions' sizes"),
    };
    this.tables = this.makeTables();
    this.health = h("dl", { class: "health" });
    this.filter = h("input", { class: "filter", type: "search", placeholder: "filter by name or symbol", "aria-label": "filter strategies", oninput: () => this.listen("strategies") });
    this.notice = h("span", { class: "notice", role: "status", "data-wb": "notice" });
    const panel = (key, label, ...content) => { const count = h("span", { class: "count" }); this.counts[key] = count; return h("section", { class: "panel", "data-panel": key, "aria-label": label }, h("h3", {}, label, count), ...content); };
    this.counts = {};
    const lower = [
      panel("strategies", "Strategies", this.notice, this.filter, this.tables.strategies.node),
      panel("positions", "Positions", this.tables.positions.node),
      panel("orders", "Orders", this.tables.orders.node),
      panel("fills", "Fills", this.tables.fills.node),
      panel("alerts", "Alerts and refusals", this.tables.alerts.node),
      panel("health", "Engine", this.health),
    ];
    this.tabs = lower.map((node) => h("button", { type: "button", role: "tab", "data-tab": node.dataset.panel, onclick: () => this.choose(node.dataset.panel) }, node.querySelector("h3").firstChild.textContent));
    this.tabbar = h("div", { class: "tabs", role: "tablist", "aria-label": "details" }, ...this.tabs);
    this.tabbar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = this.tabs[(this.tabs.findIndex((tab) => tab.dataset.tab === this.box.dataset.tab) + step + this.tabs.length) % this.tabs.length];
      this.choose(next.dataset.tab);
      next.focus();
    });
    const header = h("header", {},
      h("div", { class: "who" }, this.dotNode, this.name, ...this.chips),
      h("div", { class: "when" }, this.marketTime, this.age),
      this.stop.node);
    this.box = h("div", { class: "wb", role: "region", "aria-label": `live view of desk ${link.desk}`, "data-theme": "light" },
      h("div", { class: "inner" }, header, this.progress, this.banner.node, this.bands.node, this.venues.node,
        h("div", { class: "figures" }, ...Object.values(this.figures).map((one) => one.node)),
        h("div", { class: "upper" }, panel("equity", "Equity", this.curve.node), panel("latency", "Latency by stage", this.stages.node)),
        this.tabbar, h("div", { class: "lower" }, ...lower)));
    this.choose("strategies");
    return this.box;
  }

  choose(key) {
    this.box.dataset.tab = key;
    for (const tab of this.tabs) { const on = tab.dataset.tab === key; mark(tab, "aria-selected", String(on)); tab.tabIndex = on ? 0 : -1; }
  }

  makeTables() {
    const side = (row) => (row.side === "buy" ? "up" : "down");
    const account = { head: "Account", several: true, get: (r) => r.account || "–" };
    const act = (row) => {
      const op = row.state === "paused" ? "resume" : "pause";
      this.busy.set(row.strategy_id, op);
      this.listen("strategies");
      this.link.strategy(op, row.strategy_id).then(
        () => say(this.notice, `${row.name} #${row.strategy_id} ${op === "pause" ? "paused" : "resumed"}`),
        (why) => say(this.notice, `${op} ${row.name} #${row.strategy_id}: ${why?.message ?? why}`),
      ).finally(() => { this.busy.delete(row.strategy_id); this.listen("strategies"); });
    };
    const look = (row) => {
      const op = row.state === "paused" ? "resume" : "pause";
      const cannot = op === "resume" && !this.link.canResume();
      return { text: this.busy.has(row.strategy_id) ? "…" : op === "pause" ? "Pause" : "Resume", action: op, label: `${op} strategy ${row.name} number ${row.strategy_id}`,
        disabled: cannot || this.busy.has(row.strategy_id) || !this.link.live() || row.state === "removed", title: cannot ? "Resume it in a notebook or in the dashboard" : "" };
    };
    return {
      positions: new Table([
        { head: "Symbol", get: (r) => r.symbol }, { head: "Quantity", num: true, get: (r) => signedUnits(r.quantity) },
        { wide: true, head: "Average", num: true, get: (r) => price(r.average_px) }, { head: "Last", num: true, get: (r) => price(r.last_px) },
        { head: "Unrealized", num: true, get: (r) => signed(r.unrealized), tone: (r) => tone(r.unrealized) },
        { wide: true, head: "Realized", num: true, get: (r) => signed(r.realized), tone: (r) => tone(r.realized) },
      ], { label: "positions", empty: "Flat: no open position." }),
      orders: new Table([
        { head: "Order", num: true, get: (r) => String(r.order_id), title: (r) => r.client_id }, { head: "Time", get: (r) => clock(r.ts_ns), title: (r) => stamp(r.ts_ns) + " UTC" },
        { wide: true, head: "Strategy", get: (r) => r.strategy || "manual", title: (r) => r.why }, { head: "Side", get: (r) => r.side, tone: side }, { head: "Symbol", get: (r) => r.symbol }, account,
        { head: "Filled", num: true, get: (r) => `${units(r.filled)} / ${units(r.quantity)}` },
        { wide: true, head: "Price", num: true, get: (r) => (r.average_px ? price(r.average_px) : r.limit_px ? "lim " + price(r.limit_px) : r.type), title: (r) => r.type },
        { head: "State", get: (r) => r.state.replace("_", " "), chip: (r) => r.state, title: (r) => r.reason },
      ], { label: "working and last orders", empty: "No order yet.", keep: 80 }),
      fills: new Table([
        { head: "Time", get: (r) => clock(r.ts_ns), title: (r) => stamp(r.ts_ns) + " UTC" }, { head: "Order", num: true, get: (r) => String(r.order_id), title: (r) => r.exec_id },
        { head: "Side", get: (r) => r.side, tone: side }, { head: "Symbol", get: (r) => r.symbol }, account, { head: "Quantity", num: true, get: (r) => units(r.quantity) },
        { head: "Price", num: true, get: (r) => price(r.px) }, { wide: true, head: "Fee", num: true, get: (r) => fixed(r.fee, 2) },
      ], { label: "last fills", empty: "No fill yet.", keep: 60 }),
      strategies: new Table([
        { head: "Strategy", get: (r) => `${r.name} #${r.strategy_id}`, title: (r) => Object.entries(r.parameters).map(([k, v]) => `${k} = ${v}`).join(", ") + (r.provenance ? `\n${r.provenance}` : "") },
        { wide: true, head: "Symbols", get: (r) => r.symbols.slice(0, 3).join(" ") + (r.symbols.length > 3 ? ` +${r.symbols.length - 3}` : ""), title: (r) => r.symbols.join(" ") },
        { head: "State", get: (r) => r.state, chip: (r) => r.state, title: (r) => r.reason },
        { wide: true, head: "Position", num: true, get: (r) => signedUnits(r.position) },
        { head: "P&L", num: true, hint: "realized and unrealized, less fees", get: (r) => signed(r.realized + r.unrealized - r.fees), tone: (r) => tone(r.realized + r.unrealized - r.fees) },
        { wide: true, head: "Orders", num: true, get: (r) => fixed(r.orders, 0) }, { wide: true, roomy: true, head: "Fills", num: true, get: (r) => fixed(r.fills, 0) }, { wide: true, head: "Refused", num: true, get: (r) => fixed(r.refusals, 0), tone: (r) => (r.refusals ? "down" : "") },
        { head: "", button: { press: act, look } },
      ], { label: "strategies", empty: "No strategy is placed: desk.run(MyStrategy(), symbols=[...]) starts one.", keep: 400, tall: true }),
      alerts: new Table([
        { head: "Time", get: (r) => clock(r.ts_ns), title: (r) => stamp(r.ts_ns) + " UTC" }, { wide: true, head: "Kind", get: (r) => r.severity ?? "refused", chip: (r) => r.severity ?? "refused" },
        { head: "Code", get: (r) => r.code }, { head: "What", folds: true, get: (r) => r.text, title: (r) => Object.entries(r.numbers ?? {}).map(([k, v]) => `${k} = ${v}`).join(", ") },
      ], { label: "alerts and refusals", empty: "Nothing to report." }),
    };
  }

  draw() {
    const { link } = this;
    const all = this.dirty.has("all") || this.dirty.has("status");
    const due = (...topics) => all || topics.some((topic) => this.dirty.has(topic));
    const { session, account, health } = link.data;
    if (due("age", "session")) this.drawHeader();
    if (due("stop", "session", "orders", "age")) { this.stop.update(); this.banner.update(); }
    if (due("account") && account) this.drawFigures(account);
    if (due("accounts", "session")) {
      const rows = link.data.accounts ?? [];
      this.venues.update(rows, session);
      mark(this.box, "data-accounts", rows.length > 1 ? "several" : rows.length ? "one" : "none");
    }
    if (due("session", "differences")) this.bands.update(session?.frozen ?? {}, link.data.differences ?? []);
    if (due("equity", "account")) this.curve.update(link.data.equity, account?.start_cash ?? link.data.equity[0]?.[1] ?? 0);
    if (due("latency")) this.stages.update(link.data.latency ?? []);
    if (due("positions")) {
      const rows = (link.data.positions ?? []).filter((row) => row.strategy_id === -1 && (row.quantity !== 0 || row.realized !== 0));
      this.tables.positions.update(rows);
      say(this.counts.positions, String(rows.filter((row) => row.quantity !== 0).length));
    }
    if (due("orders")) {
      const rows = [...link.data.orders.values()].sort((a, b) => ACTIVE.has(b.state) - ACTIVE.has(a.state) || b.order_id - a.order_id);
      const open = rows.filter((row) => ACTIVE.has(row.state)).length;
      this.tables.orders.update(rows);
      say(this.counts.orders, rows.length ? `${open} working` : "");
    }
    if (due("fills")) { this.tables.fills.update(link.data.fills.slice(-60).reverse()); say(this.counts.fills, ""); }
    if (due("strategies")) this.drawStrategies();
    if (due("alerts", "refusals")) {
      const rows = [...link.data.alerts, ...link.data.refusals].sort((a, b) => b.ts_ns - a.ts_ns);
      this.tables.alerts.update(rows);
      say(this.counts.alerts, rows.length ? String(rows.length) : "");
    }
    if (due("health") && health) this.drawHealth(health, session);
    this.dirty.clear();
  }

  drawHeader() {
    const { link } = this;
    const { session } = link.data;
    const live = link.live();
    mark(this.box, "data-link", live ? "live" : link.everLive ? "stale" : "waiting");
    mark(this.dotNode, "data-state", live ? (session?.state === "running" ? "good" : "warn") : "bad");
    say(this.name, link.desk || "desk");
    const seconds = link.ageMs() / 1000;
    const wait = Math.max(0, Math.ceil(((link.retryAt ?? 0) - performance.now()) / 1000));
    const lost = link.status === "lost";
    say(this.age, live ? `data ${fixed(seconds, 1)} s old`
      : lost ? `no connection: ${link.trouble}${link.everLive ? `; data ${fixed((performance.now() - (link.lastLive ?? performance.now())) / 1000, 0)} s old` : ""}; ${wait > 0 ? `next try in ${wait} s` : "trying"}`
        : link.status === "connecting" ? "connecting" : `silent; data ${fixed(seconds, 0)} s old`);
    if (live) link.lastLive = performance.now();
    const [mode, state, market] = this.chips;
    for (const chip of this.chips) chip.hidden = !session;
    if (!session) return;
    say(mode, session.mode);
    mark(mode, "data-state", session.mode);
    say(state, session.state);
    mark(state, "data-state", session.state);
    const speed = session.speed > 0 ? ` ×${units(session.speed)}` : " unpaced";
    say(market, { playing: "▶ playing" + speed, paused: "❚❚ market paused", finished: "■ recording finished", live: "● live market" }[session.market] ?? session.market);
    mark(market, "data-state", session.market);
    say(this.marketTime, Number(session.market_ts_ns) > 0 ? stamp(session.market_ts_ns) + " UTC" : "before the first bar");
    const percent = Math.round((session.progress ?? 0) * 1000) / 10;
    this.meter.style.width = percent + "%";
    mark(this.progress, "aria-valuenow", String(percent));
    mark(this.progress, "title", `${session.data}: ${fixed(percent, 1)} % played`);
    this.progress.hidden = session.market === "live";
  }

  drawFigures(account) {
    const pnl = account.equity - account.start_cash;
    const put = (key, text, kind = "", note = "") => { say(this.figures[key].value, text); mark(this.figures[key].value, "data-tone", kind); say(this.figures[key].note, note); };
    put("equity", fixed(account.equity, 2), "", account.currency);
    put("pnl", signed(pnl), tone(pnl), account.start_cash ? `${signed((pnl / account.start_cash) * 100, 3)} %` : "");
    put("realized", signed(account.realized), tone(account.realized));
    put("unrealized", signed(account.unrealized), tone(account.unrealized));
    put("fees", fixed(account.fees, 2));
    put("exposure", compact(account.gross_exposure), "", `net ${compact(account.net_exposure)}`);
  }

  drawStrategies() {
    const rows = (this.link.data.strategies ?? []).filter((row) => row.state !== "removed");
    this.filter.hidden = rows.length < 9;
    const word = this.filter.hidden ? "" : this.filter.value.trim().toLowerCase();
    this.tables.strategies.update(word ? rows.filter((row) => `${row.name} #${row.strategy_id} ${row.symbols.join(" ")} ${row.state}`.toLowerCase().includes(word)) : rows);
    const tally = {};
    for (const row of rows) tally[row.state] = (tally[row.state] ?? 0) + 1;
    say(this.counts.strategies, Object.entries(tally).map(([state, n]) => `${n} ${state}`).join(" · "));
  }

  drawHealth(health, session) {
    const lines = [
      ["Loop lag p99", micros(health.loop_lag_p99_ms * 1000)], ["Loop lag largest", micros(health.loop_lag_max_ms * 1000)],
      ["Journal sync p50", micros(health.journal_sync_p50_us)], ["Journal sync p99", micros(health.journal_sync_p99_us)],
      ["Journal", `${fixed(health.journal_seq, 0)} records · ${fixed(health.journal_mb, 1)} MB`], ["Not yet on disk", `${fixed(health.journal_seq - health.journal_synced_seq, 0)} records`],
      ["Inbox", fixed(health.inbox, 0)], ["Events", fixed(health.events, 0)], ["Broker", `${health.broker} · ${health.broker_state}`],
      ["Market data age", Number.isFinite(health.feed_age_s) ? fixed(health.feed_age_s, 1) + " s" : "–"], ["Memory", `${fixed(health.rss_mb, 0)} MB`], ["CPU", `${fixed(health.cpu_percent, 0)} %`],
      ["Clients", fixed(health.clients, 0)], ["Up", span(health.uptime_s)], ["Page to engine", Number.isFinite(this.link.roundTripMs) ? fixed(this.link.roundTripMs, 1) + " ms" : "–"],
      ["Process", session ? `pid ${session.pid} · epoch ${session.epoch}` : "–"], ["Missed updates", `${this.link.gaps} repainted`], ["Version", session?.version ?? "–"],
    ];
    if (this.health.childElementCount !== lines.length) this.health.replaceChildren(...lines.map(() => h("div", {}, h("dt"), h("dd"))));
    lines.forEach(([label, value], i) => { say(this.health.children[i].firstChild, label); say(this.health.children[i].lastChild, value); });
  }
}

function isDark(node) {
  for (let at = node; at; at = at.assignedSlot ?? at.parentElement ?? at.getRootNode().host) {
    const rgb = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number);
    if (rgb && (rgb[3] ?? 1) > 0.5) return rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114 < 110;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark");
}

// -------------------------------------------------------------------------------------------------------- Pill
/* Lives in the top layer (popover), so that no dialog of the page covers it. It shows itself when no view's own
 * STOP can be clicked: scrolled away, in a hidden tab, or under a modal such as "the kernel died". */
class Pill {
  constructor(link) {
    this.link = link;
    this.views = new Set();
    this.stop = new StopButton(link);
    this.outcome = new Banner(link);
    this.label = h("span", { class: "pillname" });
    this.node = h("div", { class: "workbench-pill", popover: "manual", role: "region", "aria-label": "emergency stop" });
    this.node.style.cssText = "position: fixed; inset: auto; right: 14px; bottom: 40px; margin: 0; padding: 0; border: 0; background: transparent; overflow: visible; z-index: 2147483647; max-width: min(420px, 92vw)";
    const root = this.node.attachShadow({ mode: "open" });
    this.box = h("div", { class: "wb pill", "data-theme": "light" }, this.outcome.node, h("div", { class: "pillrow" }, this.label, this.stop.node));
    root.append(h("style", {}, STYLE), this.box);
    document.body.append(this.node);
    this.listen = () => this.update();
    link.use(this.listen);
    this.timer = setInterval(() => this.check(), 350);
  }

  reachable(view) {
    const button = view.stop.node;
    const box = button.getBoundingClientRect();
    if (box.width < 4 || !view.host.isConnected) return false;
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    let hit = document.elementFromPoint(x, y);
    for (let inner = hit; inner?.shadowRoot; hit = inner) {
      inner = inner.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === hit) break;
    }
    return button.contains(hit);
  }

  check() {
    if (!this.views.size) { this.close(); return; }
    this.missed = [...this.views].some((view) => this.reachable(view)) ? 0 : (this.missed ?? 0) + 1;
    const want = this.missed > 1; // once may be a page that is still being laid out
    const modal = want && document.querySelector("dialog:modal");
    if (modal && modal !== this.modal) { this.modal = modal; if (this.node.matches(":popover-open")) this.node.hidePopover(); }
    if (!modal) this.modal = null;
    if (want && !this.node.matches(":popover-open")) { this.update(); this.node.showPopover(); }
    if (!want && this.node.matches(":popover-open")) this.node.hidePopover();
  }

  update() {
    mark(this.box, "data-theme", isDark(document.body) ? "dark" : "light");
    say(this.label, this.link.desk || "");
    this.stop.update();
    this.outcome.update();
    const { phase, at } = this.link.stop; // a word that was read is in nobody's way
    if (phase === "idle" || (phase === "acked" && Date.now() - at > 12000)) this.outcome.node.hidden = true;
  }

  close() {
    clearInterval(this.timer);
    page.pills.delete(this.link.key);
    this.node.remove();
    this.link.leave(this.listen);
  }
}
function pillFor(link) {
  if (!page.pills.has(link.key)) page.pills.set(link.key, new Pill(link));
  return page.pills.get(link.key);
}

// ------------------------------------------------------------------------------------------------- the mounts
/* anywidget and Panel. Traits: desk, desk_key, address, ticket (one use, wiped here), wants, wish, answer. */
function render({ model, el }) {
  const key = model.get("desk_key") || model.get("address");
  const link = linkFor(key, model.get("desk"));
  const save = (name, value) => { model.set(name, value); model.save_changes(); };
  const answers = new Map();
  let wished = 0;
  const host = {
    wish: (wish) => new Promise((ok, no) => {
      const n = Date.now() * 100 + (wished++ % 100);
      answers.set(n, { ok, no });
      save("wish", { ...wish, n });
      setTimeout(() => { if (answers.delete(n)) no("the kernel is busy: it will be done when it is free"); }, 5000);
    }),
  };
  const onAnswer = () => {
    const answer = model.get("answer") ?? {};
    const wait = answers.get(answer.n);
    answers.delete(answer.n);
    if (wait) answer.ok ? wait.ok(answer) : wait.no(answer.text);
  };
  const takeTicket = () => { const ticket = model.get("ticket"); if (ticket) save("ticket", ""); return ticket; };
  const ticket = () => new Promise((ok, no) => {
    const ready = takeTicket();
    if (ready) { ok(ready); return; }
    const give = () => { const fresh = takeTicket(); if (fresh) { done(); ok(fresh); } };
    const late = setTimeout(() => { done(); no("waiting for the kernel to hand out a ticket"); }, 4000);
    const done = () => { clearTimeout(late); model.off?.("change:ticket", give); };
    model.on("change:ticket", give);
    save("wants", (model.get("wants") ?? 0) + 1);
  });
  model.on("change:answer", onAnswer);
  link.hosts.add(host);
  const view = new View(el, link);
  if (page.relay && model.get("desk")) link.addWay(relayWay(page.relay, model.get("desk")));
  link.addWay(directWay(() => model.get("address"), ticket));
  return () => { link.hosts.delete(host); model.off?.("change:answer", onAnswer); view.close(); };
}

/* One desk through the relay of the Jupyter server. */
export function mount(el, { base, desk, deskKey }) {
  const link = linkFor(deskKey, desk);
  const view = new View(el, link);
  link.addWay(relayWay(base, desk));
  return () => view.close();
}

/* The side panel: every desk the Jupyter server knows, the running ones first. */
export function mountPanel(el, { base }) {
  page.relay = base;
  for (const link of page.links.values()) link.addWay(relayWay(base, link.desk));
  let shown = "", unmount = null, closed = false;
  const choice = h("select", { "aria-label": "desk" });
  const words = h("p", {});
  const hint = h("pre", {}, "import workbench as wb\ndesk = wb.start()");
  const root = h("div", { class: "wb-side" }).attachShadow({ mode: "open" });
  const empty = h("div", { class: "wb nodesk" }, h("b", {}, "No desk is running"), words, hint);
  const place = h("div");
  const bar = h("label", { class: "wb deskbar" }, "desk ", choice);
  root.append(h("style", {}, STYLE), bar, empty, place);
  el.append(root.host);
  const show = (name, key) => {
    if (shown === name) return;
    unmount?.();
    unmount = name ? mount(place, { base, desk: name, deskKey: key }) : null;
    shown = name;
  };
  let desks = [];
  choice.addEventListener("change", () => { const one = desks.find((desk) => desk.name === choice.value); show(one.name, one.key); });
  const look = async () => {
    try {
      const answer = await fetch(new URL("workbench/desks", base), { credentials: "same-origin", headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`the Jupyter server answered ${answer.status}`);
      desks = (await answer.json()).desks;
      say(words, "Start one in a notebook, or with `workbench up`; it appears here by itself.");
    } catch (error) {
      say(words, `Cannot list the desks: ${error.message}`);
    }
    if (closed) return;
    const theme = isDark(root.host) ? "dark" : "light";
    mark(empty, "data-theme", theme);
    mark(bar, "data-theme", theme);
    const running = desks.filter((desk) => desk.running);
    const names = running.map((desk) => desk.name);
    if (choice.dataset.names !== names.join()) {
      choice.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
      choice.dataset.names = names.join();
    }
    if (!shown && running.length) show(running[0].name, running[0].key);
    if (shown) choice.value = shown;
    bar.hidden = running.length < 2;
    empty.hidden = Boolean(shown);
  };
  look();
  const timer = setInterval(look, 2000);
  return () => { closed = true; clearInterval(timer); unmount?.(); root.host.remove(); };
}

// ------------------------------------------------------------------------------------------------------- style
const STYLE = `
:host { all: initial; display: block; }
:host([popover]:not(:popover-open)) { display: none; }
.wb {
  --bg: #ffffff; --raised: #ffffff; --sunk: #f5f7fa; --line: #e1e6ee; --text: #111827; --muted: #5b6678; --accent: #1f5fd6;
  --up: #00785a; --down: #b93a06; --warn: #8a5800; --warnbg: #fff6e0; --badbg: #ffece6; --goodbg: #e6f5ef; --chip: #eef1f6; --area: #1f5fd61c;
  --stop: #c4161c; --stop2: #9d0f14;
  color: var(--text); font: 13px/1.4 "Inter", system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; text-align: left; container-type: inline-size; color-scheme: light;
}
.wb[data-theme="dark"] {
  --bg: #10151d; --raised: #161d27; --sunk: #1b2430; --line: #2a3545; --text: #e8ecf2; --muted: #98a5b8; --accent: #7aaeff;
  --up: #3ccf9f; --down: #ff9466; --warn: #ffca6b; --warnbg: #33290f; --badbg: #3a1d12; --goodbg: #10312a; --chip: #232e3d; --area: #7aaeff22;
  --stop: #d42a2f; --stop2: #ab1a1f; color-scheme: dark;
}
.wb *, .wb *::before { box-sizing: border-box; }
.wb [hidden], .wb[hidden] { display: none !important; }
.inner { background: var(--bg); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px 14px; }
header { display: flex; align-items: center; gap: 6px 16px; min-height: 40px; }
.who { display: flex; align-items: center; gap: 6px; flex-wrap: wrap; }
.when { display: flex; align-items: baseline; gap: 4px 14px; flex-wrap: wrap; margin-left: auto; justify-content: flex-end; color: var(--muted); font-size: 12px; }
time { color: var(--text); font-weight: 500; }
.age { min-width: 104px; text-align: right; }
.lamp { width: 10px; height: 10px; border-radius: 50%; background: var(--muted); flex: none; }
.lamp[data-state="good"] { background: var(--up); }
.lamp[data-state="warn"] { background: #e0a100; border-radius: 2px; }
.lamp[data-state="bad"] { background: transparent; border: 2.5px solid var(--down); }
.desk { font-size: 15px; margin-right: 4px; }
.chip { display: inline-block; padding: 1px 7px; border-radius: 9px; background: var(--chip); color: var(--text); font-size: 11px; line-height: 1.5; white-space: nowrap; }
.chip[data-state="running"], .chip[data-state="filled"], .chip[data-state="playing"], .chip[data-wb="market"][data-state="live"] { background: var(--goodbg); color: var(--up); }
.chip[data-state="working"], .chip[data-state="partial"], .chip[data-state="sent"], .chip[data-state="new"] { background: var(--area); color: var(--accent); }
.chip[data-state="warming"], .chip[data-state="paused"], .chip[data-state="cancelling"], .chip[data-state="warning"], .chip[data-state="recovering"], .chip[data-state="starting"] { background: var(--warnbg); color: var(--warn); }
.chip[data-state="unknown"], .chip[data-state="rejected"], .chip[data-state="killed"], .chip[data-state="critical"], .chip[data-state="refused"], .chip[data-state="frozen"], .chip[data-state="live"]:not([data-wb="market"]) { background: var(--badbg); color: var(--down); font-weight: 600; }
.progress { height: 3px; border-radius: 2px; background: var(--sunk); margin: 9px 0 0; overflow: hidden; }
.progress i { display: block; height: 100%; background: var(--accent); border-radius: 2px; }
.stop { display: inline-flex; align-items: center; gap: 8px; min-height: 38px; padding: 0 18px; border: 0; border-radius: 8px; background: var(--stop); color: #fff; font: inherit; font-size: 14px; font-weight: 700; letter-spacing: .03em; cursor: pointer; white-space: nowrap; box-shadow: 0 1px 2px #0003; }
.stop:hover { background: var(--stop2); }
.stop .square { width: 11px; height: 11px; background: #fff; border-radius: 2px; flex: none; }
.stop[data-phase="armed"] { background: #fff; color: var(--stop); box-shadow: inset 0 0 0 3px var(--stop); animation: arm 0.8s infinite alternate; }
.stop[data-phase="armed"] .square { background: var(--stop); }
.stop[data-phase="sent"] { background: #7a5600; }
.stop[data-phase="acked"], .stop[data-phase="stopped"] { background: #4a5362; }
@keyframes arm { to { box-shadow: inset 0 0 0 3px var(--stop), 0 0 0 4px #c4161c44; } }
@media (prefers-reduced-motion: reduce) { .stop { animation: none !important; } }
button:focus-visible, input:focus-visible, .scroll:focus-visible, select:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.banner { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 10px; margin-top: 10px; padding: 9px 12px; border-radius: 8px; background: var(--warnbg); color: var(--text); border-left: 4px solid var(--warn); }
.banner[data-tone="bad"] { background: var(--badbg); border-color: var(--down); }
.banner[data-tone="good"] { background: var(--goodbg); border-color: var(--up); }
.banner code { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; background: var(--bg); border: 1px solid var(--line); border-radius: 5px; padding: 2px 8px; user-select: all; }
.banner ul { flex-basis: 100%; margin: 4px 0 0; padding-left: 18px; }
.figures { display: grid; grid-template-columns: 1.5fr 1.3fr repeat(4, 1fr); gap: 1px; margin: 12px 0; background: var(--line); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.figure { background: var(--raised); padding: 8px 12px 9px; min-width: 0; display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; align-content: flex-start; gap: 0 6px; }
.figure .label { flex-basis: 100%; color: var(--muted); font-size: 11.5px; }
.figure .value { font-size: 16px; font-weight: 600; white-space: nowrap; }
.figure[data-figure="equity"] .value, .figure[data-figure="pnl"] .value { font-size: 20px; letter-spacing: -.01em; }
.figure .note { color: var(--muted); font-size: 11px; white-space: nowrap; }
[data-tone="up"] { color: var(--up); }
[data-tone="down"] { color: var(--down); }
.banner[data-tone] { color: var(--text); }
.venues { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 8px; margin-top: 12px; }
.venue { min-width: 0; display: flex; flex-wrap: wrap; gap: 0 18px; align-content: flex-start; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 7px 12px 8px; }
.venue[data-light="warn"] { border-color: var(--warn); background: var(--warnbg); }
.venue[data-light="bad"] { border-color: var(--down); background: var(--badbg); }
.venue .line { flex: 1 1 340px; min-width: 0; display: flex; flex-wrap: wrap; align-items: center; gap: 0 9px; min-height: 21px; white-space: nowrap; }
.venue .line > b, .venue .state { overflow: hidden; text-overflow: ellipsis; }
.venue .state { color: var(--muted); }
.venue[data-light="warn"] .state { color: var(--warn); font-weight: 600; }
.venue[data-light="bad"] .state { color: var(--down); font-weight: 600; }
.venue .fact { color: var(--muted); font-size: 11.5px; }
.venue .fact[data-tone="down"] { color: var(--down); font-weight: 600; }
.venue .line > .fact:last-child { margin-left: auto; }
.venue .meter { flex: 1 1 50px; min-width: 40px; max-width: 130px; height: 7px; border-radius: 4px; background: var(--sunk); box-shadow: inset 0 0 0 1px var(--line); overflow: hidden; }
.venue .meter i { display: block; height: 100%; border-radius: 4px; background: var(--up); }
.venue .meter[data-level="warn"] i { background: #e0a100; }
.venue .meter[data-level="bad"] i { background: var(--down); }
.venue .why { flex-basis: 100%; margin: 3px 0 0; font-size: 12px; overflow-wrap: anywhere; }
.several { display: none; }
.wb[data-accounts="several"] .several { display: table-cell; }
.upper { display: grid; grid-template-columns: minmax(0, 1.55fr) minmax(330px, 1fr); gap: 12px; }
.panel { min-width: 0; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px 10px; position: relative; }
h3 { margin: 0 0 6px; font-size: 12.5px; font-weight: 600; line-height: 1.5; }
.count { margin-left: 8px; color: var(--muted); font-weight: 400; font-size: 11.5px; }
.empty { color: var(--muted); margin: 14px 4px; }
.curve { position: relative; height: 208px; }
.curve svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.curve .empty { position: absolute; inset: 0; display: grid; place-items: center; margin: 0; }
.curve .read { position: absolute; top: -24px; right: 2px; color: var(--muted); font-size: 11.5px; white-space: pre; }
.grid line { stroke: var(--line); stroke-width: 1; }
.grid line.day { stroke-dasharray: 2 3; }
.grid text { fill: var(--muted); font-size: 10.5px; }
.line { fill: none; stroke: var(--accent); stroke-width: 1.7; stroke-linejoin: round; }
.area { fill: var(--area); }
.base { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 3; }
.dot { fill: var(--accent); stroke: var(--bg); stroke-width: 1.5; }
.cursor { stroke: var(--muted); }
.stagebox { min-height: 208px; }
.stage { display: grid; grid-template-columns: 50px minmax(40px, 1fr) 58px 58px 56px 46px; gap: 7px; white-space: nowrap; align-items: center; height: 23px; font-size: 12px; }
.stage.head { color: var(--muted); font-size: 11px; height: 20px; }
.stage.head span:nth-child(n+3) { text-align: right; }
.stage.head span:last-child, .flag { text-align: left !important; }
.track { position: relative; height: 11px; border-radius: 3px; background: linear-gradient(to right, transparent calc(100%/6 - 1px), var(--line) calc(100%/6 - 1px) calc(100%/6), transparent 0) 0 0 / calc(100%/6 * 1) 100%, var(--sunk); }
.track i { position: absolute; top: 0; bottom: 0; }
.track .bar { top: 2px; bottom: 2px; border-radius: 3px; background: var(--accent); opacity: .55; }
.track .median { width: 3px; margin-left: -1px; background: var(--accent); border-radius: 1px; }
.track .budget { width: 2px; top: -3px; bottom: -3px; background: var(--text); }
.stage[data-over="yes"] .bar, .stage[data-over="yes"] .median { background: var(--down); }
.flag { color: var(--up); font-size: 11.5px; white-space: nowrap; }
.stage[data-over="yes"] .flag { color: var(--down); font-weight: 600; }
.num { text-align: right; }
.muted { color: var(--muted); }
.tabs { display: flex; gap: 2px; margin: 12px 0 0; border-bottom: 1px solid var(--line); overflow-x: auto; }
.tabs button { border: 0; background: none; color: var(--muted); font: inherit; padding: 6px 11px; cursor: pointer; border-bottom: 2px solid transparent; margin-bottom: -1px; white-space: nowrap; }
.tabs button[aria-selected="true"] { color: var(--text); border-color: var(--accent); font-weight: 600; }
.lower { margin-top: 0; }
.lower .panel { display: none; border-top: 0; border-radius: 0 0 8px 8px; }
.lower .panel h3 { display: none; }
.wb[data-tab="strategies"] [data-panel="strategies"], .wb[data-tab="positions"] [data-panel="positions"], .wb[data-tab="orders"] [data-panel="orders"],
.wb[data-tab="fills"] [data-panel="fills"], .wb[data-tab="alerts"] [data-panel="alerts"], .wb[data-tab="health"] [data-panel="health"] { display: block; }
.scroll { overflow: auto; max-height: 232px; min-height: 96px; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th { position: sticky; top: 0; background: var(--raised); color: var(--muted); font-weight: 500; text-align: left; padding: 3px 8px; white-space: nowrap; z-index: 1; box-shadow: inset 0 -1px var(--line); }
td { padding: 3px 8px; white-space: nowrap; border-bottom: 1px solid color-mix(in srgb, var(--line) 55%, transparent); height: 26px; }
tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: var(--sunk); }
th.num, td.num { text-align: right; }
td.folds { white-space: normal; min-width: 180px; }
td.act { position: sticky; right: 0; background: var(--raised); } /* where the table scrolls its button stays */
.small { border: 1px solid var(--line); background: var(--bg); color: var(--text); border-radius: 5px; font: inherit; font-size: 11.5px; padding: 1px 9px; cursor: pointer; min-width: 58px; }
.small:hover:not(:disabled) { border-color: var(--accent); color: var(--accent); }
.small:disabled { color: var(--muted); cursor: default; opacity: .7; }
.filter { position: absolute; right: 10px; top: 6px; width: 190px; border: 1px solid var(--line); border-radius: 6px; background: var(--bg); color: var(--text); font: inherit; font-size: 12px; padding: 2px 8px; }
.notice { position: absolute; right: 212px; top: 9px; color: var(--muted); font-size: 11.5px; max-width: 45%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.health { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 7px 16px; margin: 4px 2px; }
.health dt { color: var(--muted); font-size: 11px; }
.health dd { margin: 0; font-weight: 500; }
.wb[data-link="stale"] .venues, .wb[data-link="stale"] .bands, .wb[data-link="stale"] .figures, .wb[data-link="stale"] .upper, .wb[data-link="stale"] .lower, .wb[data-link="stale"] .when time { filter: grayscale(1); opacity: .45; }
.wb[data-link="stale"] .age { color: var(--down); font-weight: 600; }
.wb[data-link="stale"] .inner { border-color: var(--down); }
@container (max-width: 1019px) { .figures { grid-template-columns: repeat(3, 1fr); } }
@container (max-width: 1119px) {
  .lower .panel .filter { position: static; width: 100%; margin-bottom: 6px; }
  .notice { position: static; max-width: none; display: block; }
  .notice:empty { display: none; }
}
@container (max-width: 1019px) {
  .upper { grid-template-columns: minmax(0, 1.2fr) minmax(330px, 1fr); }
  .stage { grid-template-columns: 48px minmax(40px, 1fr) 56px 56px 56px 14px; }
  .flag b { display: none; }
}
@container (max-width: 759px) {
  header { flex-wrap: wrap; }
  .who { flex: 1; }
  .when { order: 3; flex-basis: 100%; justify-content: flex-start; margin: 0; }
  th, td { padding: 3px 5px; }
}
@container (max-width: 719px) { .upper { grid-template-columns: minmax(0, 1fr); } .stagebox { min-height: 0; } .curve { height: 168px; } }
@container (max-width: 639px) { .figures { grid-template-columns: repeat(2, 1fr); } .roomy { display: none; } }
@container (max-width: 479px) {
  .inner { padding: 10px; border-radius: 0; border-width: 0; }
  .who { flex-basis: 100%; }
  header .stop { width: 100%; justify-content: center; order: 4; }
  .when { margin-left: 0; justify-content: flex-start; }
  .age { text-align: left; }
  .figure .value, .figure[data-figure="equity"] .value, .figure[data-figure="pnl"] .value { font-size: 14px; }
  .stage { grid-template-columns: 48px minmax(40px, 1fr) 56px 58px 16px; gap: 6px; }
  .stage > :nth-child(5) { display: none; }
  .wide { display: none; }
  .scroll { max-height: 420px; }
  th, td { padding: 3px 5px; }
  .small { min-width: 0; padding: 1px 7px; }
  table { font-size: 11.5px; }
}
@container (min-width: 1120px) {
  .tabs { display: none; }
  .lower { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); gap: 12px; margin-top: 12px; }
  .lower .panel { display: block; border-top: 1px solid var(--line); border-radius: 8px; }
  .lower .panel h3 { display: block; }
  [data-panel="strategies"], [data-panel="orders"] { grid-column: span 7; }
  [data-panel="positions"], [data-panel="fills"] { grid-column: span 5; }
  [data-panel="alerts"], [data-panel="health"] { grid-column: span 6; }
  .lower .scroll { max-height: 214px; }
  .lower [data-panel="alerts"] { display: flex; flex-direction: column; }
  .lower [data-panel="alerts"] .scroll { flex: 1 1 0; min-height: 214px; max-height: none; } /* as high as its neighbour */
}
.pill { container-type: normal; display: flex; flex-direction: column; align-items: flex-end; gap: 8px; }
.pill .banner { margin: 0; box-shadow: 0 6px 24px #0004; max-width: 420px; }
.pillrow { display: flex; align-items: center; gap: 10px; padding: 6px 6px 6px 14px; background: var(--bg); border: 1px solid var(--line); border-radius: 12px; box-shadow: 0 4px 18px #0003; }
.pillname { font-weight: 600; }
.nodesk { padding: 22px 16px; }
.nodesk pre { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; background: var(--sunk); border: 1px solid var(--line); border-radius: 6px; padding: 8px 10px; }
.deskbar { display: block; padding: 8px 10px 0; }
`;

export default { render };
