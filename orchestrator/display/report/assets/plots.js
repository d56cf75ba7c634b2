"use strict";
/* Draws a plot when it comes into sight, in the page's colours: names such as "--completed" stand for them. */
(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Set();

  const coloured = (value) => {
    if (typeof value === "string") return value.startsWith("--") ? style(value) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value !== null && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one)]));
    return value;
  };

  function draw(element) {
    const figure = coloured(JSON.parse(element.querySelector("script").textContent));
    const axis = { gridcolor: style("--line"), linecolor: style("--line"), zerolinecolor: style("--line"), automargin: true };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 50, r: 12, t: 12, b: 44 },
      hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--ink") } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, ...figure.layout,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: style("--ink"), ...(figure.layout.font ?? {}) },
    };
    for (const name of ["xaxis", "yaxis"]) layout[name] = { ...axis, ...layout[name] };
    Plotly.react(element.querySelector(".canvas"), figure.data, layout, { displayModeBar: false, responsive: true });
    if (!drawn.has(element)) {
      drawn.add(element);
      element.querySelector(".canvas").on("plotly_click", (event) => {
        const key = event.points[0].customdata;
        if (typeof key === "string") window.openTrial(key);
      });
    }
  }

  const sight = new IntersectionObserver((seen) => {
    for (const one of seen)
      if (one.isIntersecting) {
        sight.unobserve(one.target);
        draw(one.target);
      }
  }, { rootMargin: "300px" });
  for (const element of document.querySelectorAll(".plot")) sight.observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
})();
