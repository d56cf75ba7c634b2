"use strict";
/* Sorting and filtering of the leaderboards. */
for (const section of document.querySelectorAll("section.leaderboard")) {
  const body = section.querySelector("tbody");
  if (body === null) continue;
  const rows = [...body.rows];
  const filter = section.querySelector(".filter"), verdicts = section.querySelector(".of-verdict");

  const value = (row, column) => {
    const text = row.cells[column].dataset.value ?? (column === 1 ? row.cells[1].textContent : undefined);
    const number = Number(text);
    return text === undefined || text === "" ? null : Number.isNaN(number) ? text : number;
  };

  /* Numbers before words, what is missing last, whichever the direction. */
  const compare = (a, b, direction) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return direction * (typeof a === "number" ? a - b : a.localeCompare(b));
  };

  section.querySelector("thead").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    const heading = button.parentElement, column = Number(button.dataset.column);
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => compare(value(a, column), value(b, column), down ? -1 : 1));
    body.append(...rows);
  });

  const narrow = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const stays = words.every((word) => text.includes(word)) && ["", row.dataset.verdict].includes(verdicts.value);
      row.hidden = !stays;
      left += stays;
    }
    section.querySelector(".count").textContent = `${left} of ${rows.length}`;
  };
  filter.addEventListener("input", narrow);
  verdicts.addEventListener("change", narrow);
}
