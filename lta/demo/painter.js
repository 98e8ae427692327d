// The brush: strokes are parts of an SVG mask over the picture. They stay in the page until a button sends them.
const SVG = "http://www.w3.org/2000/svg";
const tenth = (value) => Math.round(10 * value) / 10;
let drawn = null;

const place = (svg, event) => {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    return [
        tenth((event.clientX - box.left) / box.width * view.width),
        tenth((event.clientY - box.top) / box.height * view.height),
    ];
};

element.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest("svg");
    if (!svg || event.button) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    const view = svg.viewBox.baseVal, [x, y] = place(svg, event);
    const share = Number(element.querySelector("input[type=range]").value) / 100;
    drawn = document.createElementNS(SVG, "polyline");
    drawn.dataset.tool = element.querySelector("[data-choose][aria-pressed=true]").dataset.choose;
    drawn.setAttribute("stroke-width", tenth(share * Math.min(view.width, view.height)));
    drawn.setAttribute("points", `${x},${y} ${x},${y}`);  // twice: a dot is drawn too
    svg.querySelector("mask").append(drawn);
});

element.addEventListener("pointermove", (event) => {
    if (!drawn) return;
    const [x, y] = place(drawn.ownerSVGElement, event), points = drawn.getAttribute("points");
    const [lastX, lastY] = points.slice(points.lastIndexOf(" ") + 1).split(",").map(Number);
    if (Math.hypot(x - lastX, y - lastY) >= 2) drawn.setAttribute("points", `${points} ${x},${y}`);
});

for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { drawn = null; });

element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const painted = element.querySelectorAll("polyline");
    if (button.dataset.take === "last") painted[painted.length - 1]?.remove();
    else if (button.dataset.take === "all") painted.forEach((one) => one.remove());
    else for (const one of element.querySelectorAll("[data-choose]")) one.setAttribute("aria-pressed", one === button);
});
