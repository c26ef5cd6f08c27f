/** Tables that are wider than the page: their first columns stay, and it is said how many others are out of sight. */

const LABELS = 0.65; // of the width, which the fixed columns may take

/** The cells of a line that name it: in a table of scores all before the first score, elsewhere the first. */
function leading(line) {
  const cells = [...line.cells];
  const end = cells.findIndex((cell) => cell.matches(".score"));
  return line.closest(".scores") ? cells.slice(0, end < 0 ? cells.length : end) : cells.slice(0, 1);
}

/** Fix the columns that name a row, or as many as leave room for the others. */
function fix(region) {
  const whole = region.querySelector("table");
  const lines = [...whole.rows];
  for (const cell of whole.querySelectorAll(".fixed")) cell.classList.remove("fixed");
  const room = region.scrollWidth > region.clientWidth ? LABELS * region.clientWidth : 0;
  const start = whole.getBoundingClientRect().left;
  const found = lines.flatMap(leading).map((cell) => [cell, cell.getBoundingClientRect()]);
  const kept = found.filter(([, box]) => box.right - start <= room);
  for (const [cell, box] of kept) {
    cell.classList.add("fixed");
    cell.style.left = `${box.left - start}px`;
  }
  region.style.scrollPaddingLeft = `${Math.max(0, ...kept.map(([, box]) => box.right - start))}px`;
}

/** Say how many columns are beyond the right edge. */
function tell(region, cue) {
  const edge = region.getBoundingClientRect().right + 1;
  const cells = [...region.querySelector("tbody tr").cells];
  const hidden = cells.filter((cell) => cell.getBoundingClientRect().right > edge).length;
  region.classList.toggle("more", hidden > 0);
  cue.hidden = region.scrollWidth <= region.clientWidth;
  cue.textContent = hidden ? `${hidden} more column${hidden > 1 ? "s" : ""} →` : "← scrolled to the end";
}

function watch(region) {
  const cue = make("p", { class: "cue", "aria-hidden": "true" });
  region.before(cue);
  const update = () => {
    fix(region);
    tell(region, cue);
    if (cue.hidden || region.querySelector("button")) region.removeAttribute("tabindex");
    else region.tabIndex = 0;
  };
  region.addEventListener("scroll", () => tell(region, cue));
  new ResizeObserver(update).observe(region);
}

for (const region of document.querySelectorAll(".scroll")) watch(region);
