/** Sorting of tables, and the arrow keys between their cells. */

const scores = (line) => [...line.querySelectorAll(".score")];
const columnOf = (button) => scores(button.closest("tr")).indexOf(button.closest(".score"));
const tableOf = (button) => button.closest("section").dataset.number;
const headingOf = (button) => scores(button.closest("table").tHead)[columnOf(button)].innerText.trim();

for (const button of document.querySelectorAll("button.open")) button.addEventListener("click", () => open(button));

/** Cycle a column through descending, ascending and the paper's order; rows without a number stay at the end. */
function sort(button) {
  const heading = button.closest("th");
  const whole = button.closest("table");
  const body = whole.tBodies[0];
  whole.order ??= [...body.rows];
  const next = { none: "descending", descending: "ascending", ascending: "none" }[heading.ariaSort];
  for (const other of whole.querySelectorAll("th[aria-sort]")) other.ariaSort = "none";
  heading.ariaSort = next;
  const column = [...whole.querySelectorAll("th[aria-sort]")].indexOf(heading);
  const sign = next === "ascending" ? 1 : -1;
  const value = (line) => {
    const text = line.querySelectorAll("td.score")[column].dataset.value;
    return text ? sign * Number(text) : Infinity;
  };
  whole.classList.toggle("sorted", next !== "none");
  body.append(...(next === "none" ? whole.order : whole.order.toSorted((a, b) => value(a) - value(b))));
}

for (const button of document.querySelectorAll("button.sort")) button.addEventListener("click", () => sort(button));

/** The next button of a table in a direction; cells without one are passed over. */
function neighbour(button, down, right) {
  const lines = [...button.closest("table").rows].map(scores).filter((line) => line.length);
  let [row, column] = [lines.findIndex((line) => line.includes(button.closest(".score"))), columnOf(button)];
  let found = null;
  while (!found) {
    row += down;
    column += right;
    const cell = lines[row]?.[column];
    if (!cell) return null;
    found = cell.querySelector("button");
  }
  return found;
}

const show = (cell) => cell.scrollIntoView({ block: "nearest", inline: "nearest" });

/** Scroll a cell into view, beside the fixed columns; where there is room, with the end of its line if it is the last. */
function reveal(cell) {
  const line = cell.closest("tr");
  if (cell === scores(line).at(-1)) show(line.lastElementChild);
  show(cell);
}

/** Go to the next button in a direction; beyond the last score, show the end of the line. */
function go(button, down, right) {
  const next = neighbour(button, down, right);
  if (next) next.focus();
  else if (right > 0) show(button.closest("tr").lastElementChild);
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

for (const whole of document.querySelectorAll("table.scores")) {
  const buttons = [...whole.querySelectorAll("button")];
  for (const button of buttons) button.tabIndex = -1;
  let stop = whole.tBodies[0].querySelector("button") ?? buttons[0];
  stop.tabIndex = 0;
  whole.addEventListener("focusin", ({ target }) => {
    stop.tabIndex = -1;
    stop = target;
    stop.tabIndex = 0;
    reveal(target.closest(".score"));
  });
  whole.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(event.target, ...ARROWS[event.key]);
  });
}
