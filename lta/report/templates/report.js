"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const key = (row) => row.cells[column].textContent.trim().replace(/,(?=\d{3})/g, "");
      // Cells without a number, as those of rows that were not run, stay at the end either way.
      const rows = [...body.rows].map((row) => [row, key(row), Number.parseFloat(key(row))]);
      const numeric = rows.some(([, , number]) => !Number.isNaN(number)) && !head.matches(":first-child");
      rows.sort(([, a, x], [, b, y]) => {
        if (!numeric) return sign * a.localeCompare(b, undefined, { numeric: true });
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return sign * (x - y);
      });
      body.append(...rows.map(([row]) => row));
    });
  });
}
for (const film of document.querySelectorAll(".film")) {
  const slider = film.querySelector("input");
  if (!slider) continue;
  const frames = [...film.querySelectorAll("img")];
  const show = () => {
    frames.forEach((frame, place) => { frame.hidden = place !== Number(slider.value); });
    film.querySelector("output").textContent = frames[slider.value].alt.replace("attention ", "");
  };
  slider.addEventListener("input", show);
  show();
}
