"use strict";
const ROWS = JSON.parse(document.getElementById("rows").textContent);
const ANSWERS = JSON.parse(document.getElementById("answers").textContent);
const COLUMNS = { accuracy: "OA", macro_precision: "AP", macro_recall: "AR", macro_f1: "AF1" };
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function shape(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** A table of text; the first cell of each line is its heading. */
function table(kind, caption, heads, lines) {
  const head = make("tr", {}, ...heads.map((text) => (text ? make("th", { scope: "col" }, text) : make("td"))));
  const body = lines.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first), ...rest));
  const element = make("table", { class: kind }, make("caption", { class: "unseen" }, caption));
  element.append(make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", role: "region", "aria-label": caption }, element);
}

const cells = (texts) => texts.map((text) => make("td", {}, String(text)));

function list(pairs, shown = (value) => make("code", {}, String(value))) {
  return make("dl", {}, ...Object.entries(pairs).flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, shown(value))]));
}

/** The interval of a number, its difference from the best, and the test; null if there is no number. */
function answer(pairs) {
  if (!Object.keys(pairs).length) return null;
  const { Verdict: verdict, ...rest } = pairs;
  return make("section", { class: "wide answer" }, verdict ? make("h3", {}, verdict) : null, list(rest, String));
}

function seeds(row) {
  const recalls = Object.keys(row.runs[0].scores).filter((name) => name.startsWith("recall/"));
  const names = [...Object.keys(COLUMNS), ...recalls];
  const { classes, letters } = row.runs[0];
  const letter = (name) => letters[classes.indexOf(name.slice("recall/".length))];
  const heads = ["Seed", ...names.map((name) => COLUMNS[name] ?? letter(name)), "Best epoch", "Time"];
  const lines = row.runs.map((run) =>
    [String(run.seed), ...cells([...names.map((name) => run.scores[name].toFixed(2)), run.best_epoch, time(run.seconds)])]);
  return make("section", { class: "wide" }, make("h3", {}, "Runs"), table("plain", "Scores of each seed, in percent", heads, lines), kept(row));
}

/** Links to what is kept of each run; null if nothing is. */
function kept(row) {
  const link = ({ text, address }) => (address ? make("a", { href: address }, text) : text);
  const items = row.runs.filter((run) => run.links.length).map((run) =>
    make("li", {}, `Seed ${run.seed}: `, ...run.links.flatMap((one, i) => (i ? [", ", link(one)] : [link(one)]))));
  return items.length ? make("ul", { class: "notes" }, ...items) : null;
}

const time = (s) => (s >= 3600 ? `${(s / 3600).toFixed(1)} h` : s >= 60 ? `${(s / 60).toFixed(1)} min` : `${s.toFixed(1)} s`);

/** The confusion matrix of the row's own test images, or of those of another dataset. */
function matrix(row, on = "") {
  const { classes, letters } = row.runs[0];
  const counted = row.runs.map((run) => (on ? run.elsewhere[on] : run.counts));
  const sum = classes.map((_, i) => classes.map((_, j) => counted.reduce((total, counts) => total + counts[i][j], 0)));
  const lines = sum.map((counts, i) => {
    const all = counts.reduce((a, b) => a + b, 0) || 1;
    return [classes[i], ...counts.map((n) => make("td", { style: `--share: ${(n / all).toFixed(3)}` }, String(n)))];
  });
  const heads = ["", ...letters];
  const note = row.runs.length > 1 ? ` (sum of ${row.runs.length} seeds)` : "";
  const of = on ? ` of ${on}` : "";
  return make("section", {}, make("h3", {}, `Test images${of}: true by predicted${note}`),
    table("matrix", `Confusion matrix${of}: rows are true cell types, columns predicted ones`, heads, lines));
}

function curves(row) {
  const [w, h, left, bottom] = [420, 236, 34, 40];
  const epochs = Math.max(...row.runs.map((run) => run.curves.validation_accuracy.length));
  const x = (i) => left + (epochs > 1 ? i / (epochs - 1) : 0.5) * (w - left - 12);
  const y = (accuracy) => 8 + (1 - accuracy) * (h - bottom - 8);
  const svg = shape("svg", { viewBox: `0 0 ${w} ${h}`, class: "curves", role: "img",
    "aria-label": `Accuracy over ${epochs} epochs: training dashed, validation solid` });
  for (const level of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape("line", { x1: left, x2: w - 12, y1: y(level), y2: y(level) }),
      shape("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, 100 * level));
  }
  for (const run of row.runs) for (const part of ["train", "validation"]) {
    const points = run.curves[`${part}_accuracy`].map((accuracy, i) => `${x(i).toFixed(1)},${y(accuracy).toFixed(1)}`);
    svg.append(shape("polyline", { class: part, points: points.join(" ") }));
  }
  svg.append(shape("text", { x: left, y: h - 24 }, "1"),
    shape("text", { x: w - 12, y: h - 24, "text-anchor": "end" }, `epoch ${epochs}`));
  svg.append(shape("line", { class: "train", x1: left + 80, x2: left + 104, y1: h - 9, y2: h - 9 }),
    shape("text", { x: left + 108, y: h - 5 }, "training"),
    shape("line", { class: "validation", x1: left + 180, x2: left + 204, y1: h - 9, y2: h - 9 }),
    shape("text", { x: left + 208, y: h - 5 }, "validation"));
  return make("section", {}, make("h3", {}, "Accuracy (%) by epoch"), svg);
}

function gradcam(row) {
  if (!row.gradcam) return null;
  const alt = "Grad-CAM sheet, one row per true cell type: left, the two most confident correct predictions beside their heat maps; right, the two most confident errors";
  return make("section", { class: "wide" }, make("h3", {}, "Grad-CAM"), make("img", { class: "gradcam", src: row.gradcam, alt }));
}

function missing(row) {
  if (!row.missing.length) return null;
  const lines = row.missing.map(({ seed, id, why }) => make("li", {}, `Seed ${seed}, trial ${id}: ${why}`));
  return make("section", { class: "wide failed" }, make("h3", {}, "Not finished"), make("ul", { class: "notes" }, ...lines));
}

function provenance(row) {
  const knobs = make("details", {}, make("summary", {}, "All knobs"), list(row.knobs));
  const differs = Object.keys(row.differs).length ? list(row.differs) : make("p", {}, "Nothing: this is the proposed model.");
  const made = row.runs.map((run) =>
    make("details", {}, make("summary", {}, `Seed ${run.seed}: trial ${run.id}, commit ${run.made.commit}`), list(run.made)));
  return make("section", { class: "wide" }, make("h3", {}, "Differs from the proposed model in"), differs, knobs,
    make("h3", { style: "margin-top: 1.25rem" }, "Provenance"), ...made);
}

const dialog = document.querySelector("dialog");

/** Show what a button's number rests on, then the runs behind it. */
function open(button) {
  const { row: id, name, index } = button.closest("tr").dataset;
  const column = columnOf(button);
  const row = ROWS[id];
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const panes = make("div", { class: "panes" }, answer(ANSWERS[tableOf(button)][index][column]), missing(row));
  if (row.runs.length) {
    const drawn = row.runs.some((run) => run.curves.validation_accuracy.length);
    const elsewhere = Object.keys(row.runs[0].elsewhere).map((on) => matrix(row, on));
    for (const pane of [seeds(row), matrix(row), ...elsewhere, drawn ? curves(row) : null, gradcam(row)]) if (pane) panes.append(pane);
  }
  panes.append(provenance(row));
  dialog.replaceChildren(make("div", { class: "bar" }, make("h2", { id: "dialog-title" }, `${name}: ${headingOf(button)}`), close), panes);
  dialog.showModal();
  for (const region of dialog.querySelectorAll(".scroll")) watch(region);
  dialog.scrollTop = 0;
}

dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
