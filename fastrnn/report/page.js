"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const [text, place, chooser] = [byId("text"), byId("place"), byId("unit")];
const LEVELS = 4; // of a colour and its underline, beside none

const show = { unit: 0, colour: "unit", at: 0 }; // unit: its place among data.units
const spans = [];

// ---- what is known of a place ----

function activations(unit) {
  if (!unit.values) {
    const bytes = atob(unit.activation);
    unit.values = Int8Array.from(bytes, (character) => character.charCodeAt(0));
  }
  return unit.values;
}

const activationAt = (unit, at) => (activations(unit)[at] / 127) * unit.largest;
const bits = (nats) => nats / Math.LN2;
const percent = (p) => (p >= 0.1 ? p.toFixed(0) : p >= 0.001 ? p.toFixed(1) : "<0.1") + " %";
const signed = (x) => (x < 0 ? "\u2212" : "+") + Math.abs(x).toFixed(2);

// A class of the style sheet: n4 ... n1, none, p1 ... p4.
function activationClass(unit, at) {
  const value = activations(unit)[at] / 127;
  const level = Math.min(LEVELS, Math.floor(Math.abs(value) * (LEVELS + 1)));
  return level ? (value < 0 ? "n" : "p") + level : "";
}

function lossClass(at) {
  const loss = data.nats[at];
  if (loss === null) return "";
  const level = data.loss_levels.filter((least) => bits(loss) >= least).length;
  return level ? "p" + level : "";
}

// ---- the text ----

function layOut() {
  const fragment = document.createDocumentFragment();
  data.codes.forEach((code, at) => {
    const [shown, after, isMark] = data.vocabulary[code];
    const span = document.createElement("span");
    span.textContent = shown;
    span.mark = isMark ? "mark " : "";
    span.at = at;
    spans.push(span);
    fragment.append(span);
    if (after) fragment.append(after);
  });
  text.replaceChildren(fragment);
}

function colour() {
  const unit = data.units[show.unit];
  const classOf = show.colour === "loss" ? lossClass : (at) => activationClass(unit, at);
  spans.forEach((span, at) => {
    span.className = span.mark + classOf(at) + (at === show.at ? " here" : "");
  });
}

function legend() {
  const box = (name, label) => {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = label;
    return span;
  };
  const boxes = [];
  if (show.colour === "loss") {
    boxes.push(box("", `< ${data.loss_levels[0]} bit`));
    data.loss_levels.forEach((least, level) => boxes.push(box("p" + (level + 1), `\u2265 ${least} ${least === 1 ? "bit" : "bits"}`)));
  } else {
    const { largest } = data.units[show.unit];
    const from = (level) => (level / (LEVELS + 1)) * largest;
    for (let level = LEVELS; level >= 1; level--) boxes.push(box("n" + level, "\u2264 " + signed(-from(level))));
    boxes.push(box("", "about 0"));
    for (let level = 1; level <= LEVELS; level++) boxes.push(box("p" + level, "\u2265 " + signed(from(level))));
  }
  byId("legend").replaceChildren(...boxes);
}

function about() {
  const unit = data.units[show.unit];
  const told = unit.trait
    ? `correlates with \u201c${unit.trait}\u201d by ${signed(unit.correlation)}`
    : "correlates with no trait of the text";
  byId("about").textContent =
    show.colour === "loss"
      ? "Each character is coloured by its loss: how little the model expected it."
      : `Layer ${unit.layer}, unit ${unit.number}: ${told}; standard deviation ${unit.deviation.toFixed(2)}.`;
}

// ---- one place ----

function code(content) {
  const element = document.createElement("code");
  element.textContent = content;
  return element;
}

function describe() {
  const at = show.at;
  const unit = data.units[show.unit];
  const shown = (k) => data.vocabulary[k][0].replaceAll(" ", "\u2423");
  const context = data.codes.slice(Math.max(0, at - 11), at + 1).map(shown).join("");
  const next = data.codes[at + 1];
  const line = document.createElement("div");
  line.append("After ", code(context), ` (${(at + 1).toLocaleString("en")} of ${data.codes.length.toLocaleString("en")}), unit ${unit.name} is `);
  line.append(signed(activationAt(unit, at)), ". ");
  if (next !== undefined) {
    const loss = data.nats[at + 1];
    line.append("Next came ", code(shown(next)), `, loss ${bits(loss).toFixed(2)} bits. `);
  }
  line.append("Likeliest next:");
  const list = document.createElement("ol");
  const k = data.likeliest.length / data.codes.length;
  for (let i = at * k; i < (at + 1) * k; i++) {
    const item = document.createElement("li");
    item.append(code(shown(data.likeliest[i])), " ", percent(data.probabilities[i]));
    if (data.likeliest[i] === next) {
      item.className = "came";
      item.append(" \u2713");
    }
    list.append(item);
  }
  place.replaceChildren(line, list);
}

function goTo(at) {
  spans[show.at].classList.remove("here");
  show.at = Math.max(0, Math.min(spans.length - 1, at));
  spans[show.at].classList.add("here");
  describe();
}

// The place a line up (-1) or down (1), as near to above or below as there is one.
function vertically(direction) {
  const here = spans[show.at].getBoundingClientRect();
  let best = show.at;
  let bestTop = null;
  let nearest = Infinity;
  for (let at = show.at + direction; at >= 0 && at < spans.length; at += direction) {
    const box = spans[at].getBoundingClientRect();
    if (Math.abs(box.top - here.top) < here.height / 2) continue;
    if (bestTop === null) bestTop = box.top;
    if (Math.abs(box.top - bestTop) > here.height / 2) break;
    if (Math.abs(box.left - here.left) < nearest) {
      nearest = Math.abs(box.left - here.left);
      best = at;
    }
  }
  return best;
}

// ---- the address: #unit=LAYER.NUMBER&colour=loss&at=PLACE ----

// Shows what the address asks for; whether it named a unit of this page.
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const name = wanted.get("unit");
  const found = data.units.findIndex((unit) => unit.name === name || (unit.layer === 0 && `${unit.number}` === name));
  if (found >= 0) show.unit = found;
  if (["unit", "loss"].includes(wanted.get("colour"))) show.colour = wanted.get("colour");
  else if (found >= 0) show.colour = "unit";
  if (/^\d+$/.test(wanted.get("at") ?? "")) goTo(Number(wanted.get("at")));
  render();
  if (name !== null && found < 0) byId("about").textContent = `Unit ${name} is not among the ${data.units.length} in this page.`;
  return found >= 0;
}

function writeAddress() {
  const colourPart = show.colour === "loss" ? "&colour=loss" : "";
  try {
    history.replaceState(null, "", `#unit=${data.units[show.unit].name}${colourPart}`);
  } catch {
    // where a page may not change its address, it works all the same
  }
}

// ---- all together ----

function render() {
  chooser.value = String(show.unit);
  document.querySelector(`input[name="colour"][value="${show.colour}"]`).checked = true;
  colour();
  legend();
  about();
  describe();
}

function choose(unit) {
  show.unit = (unit + data.units.length) % data.units.length;
  show.colour = "unit";
  render();
  writeAddress();
}

function listen() {
  chooser.addEventListener("change", () => choose(Number(chooser.value)));
  byId("previous").addEventListener("click", () => choose(show.unit - 1));
  byId("next").addEventListener("click", () => choose(show.unit + 1));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll('input[name="colour"]').forEach((input) =>
    input.addEventListener("change", () => {
      show.colour = input.value;
      render();
      writeAddress();
    }),
  );
  const pointed = (event) => {
    if (event.target.at !== undefined) goTo(event.target.at);
  };
  text.addEventListener("pointerover", pointed);
  text.addEventListener("click", pointed);
  text.addEventListener("focus", describe);
  text.addEventListener("keydown", (event) => {
    const moves = {
      ArrowLeft: () => show.at - 1,
      ArrowRight: () => show.at + 1,
      ArrowUp: () => vertically(-1),
      ArrowDown: () => vertically(1),
      Home: () => 0,
      End: () => spans.length - 1,
    };
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    goTo(moves[event.key]());
    spans[show.at].scrollIntoView({ block: "nearest" });
  });
  byId("loss-chart")?.addEventListener("click", (event) => {
    const [left, right] = [data.chart_left, data.chart_right];
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    goTo(Math.round(share * spans.length));
    spans[show.at].scrollIntoView({ block: "center" });
  });
  window.addEventListener("hashchange", () => {
    if (readAddress()) byId("text-heading").scrollIntoView();
  });
}

layOut();
listen();
readAddress();
document.documentElement.dataset.ready = "yes";
