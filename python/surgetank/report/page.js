// Draws the charts from plain data, in the page's colours; follows theme, width and print.
(() => {
  const root = document.documentElement;
  const page = JSON.parse(document.getElementById("data").textContent);
  const plot = (chart) => document.getElementById("c-" + chart.name);
  const narrow = () => window.innerWidth <= 640;

  // "@name" and "@name/40" become the style sheet's colour, at 40 % opacity.
  function colour(token, style) {
    const [name, percent] = token.slice(1).split("/");
    const hex = style.getPropertyValue("--" + name).trim();
    if (!percent) return hex;
    const part = (i) => parseInt(hex.slice(i, i + 2), 16);
    return `rgba(${part(1)},${part(3)},${part(5)},${Number(percent) / 100})`;
  }
  function coloured(value, style) {
    if (typeof value === "string") return value.startsWith("@") ? colour(value, style) : value;
    if (Array.isArray(value)) {
      // Long arrays are data, not colours.
      return value.length > 64 ? value : value.map((v) => coloured(v, style));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, style)]));
    }
    return value;
  }

  // -- layout --------------------------------------------------------------------------------
  const BAND_ROW = 15;

  // Bands that overlap get their labels in different rows.
  const rows = [];
  for (const band of page.bands) {
    let row = rows.findIndex((until) => until <= band.from);
    if (row < 0) row = rows.push(0) - 1;
    // A label needs room beyond a short band.
    rows[row] = Math.max(band.until, band.from + page.end_s * 0.22);
    band.row = row;
  }

  function bandShapes(edges) {
    return page.bands.flatMap((band) => {
      const box = { type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, x0: band.from, x1: band.until, layer: "below", line: { width: 0 }, fillcolor: "@band/11" };
      if (!edges) return [box];
      const side = (x) => ({ type: "line", xref: "x", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, line: { width: 1.2, color: "@ink/55", dash: "dot" } });
      return [side(band.from), side(band.until)];
    });
  }
  function bandLabels(small) {
    return page.bands.map((band) => ({
      xref: "x", yref: "paper", x: band.from, y: 1, xanchor: "left", yanchor: "bottom", yshift: 3 + band.row * BAND_ROW,
      text: small ? `<b>${band.letter}</b>` : `<b>${band.letter}</b> ${band.label}`,
      showarrow: false, font: { size: 11, color: "@soft" },
    }));
  }
  function limitShapes(limits) {
    return limits.map((l) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: l.y, y1: l.y, line: { width: 1.4, dash: "dash", color: "@bad" } }));
  }
  function limitLabels(limits, log) {
    return limits.map((l) => ({
      xref: "paper", x: 1, xanchor: "right", yref: "y", y: log ? Math.log10(l.y) : l.y, yanchor: "bottom",
      text: l.text, showarrow: false, font: { size: 11, color: "@bad" },
    }));
  }
  const vline = (x) => ({ type: "line", xref: "x", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, line: { width: 1, dash: "dot", color: "@muted" } });

  function axis(own) {
    return {
      gridcolor: "@grid", zerolinecolor: "@rule", linecolor: "@rule", tickcolor: "@rule",
      tickfont: { size: narrow() ? 10 : 11.5 }, zeroline: false, automargin: false, fixedrange: false, ...own,
    };
  }

  function layoutOf(chart) {
    const own = { ...chart.layout };
    const { limits = [], separators = [], bands } = own;
    const { left } = own;
    delete own.limits; delete own.left; delete own.separators; delete own.bands;
    const small = narrow();
    const shapes = limitShapes(limits);
    const annotations = limitLabels(limits, own.yaxis && own.yaxis.type === "log");
    let top = 10;
    if (chart.time) {
      shapes.push(...bandShapes(bands === "edges"));
      annotations.push(...bandLabels(small));
      if (page.flow_end_s < page.end_s) shapes.push(vline(page.flow_end_s));
      if (page.from_s > 0) shapes.push(vline(page.from_s));
      top = 10 + rows.length * BAND_ROW;
    }
    for (const y of separators) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: y, y1: y, line: { width: 2, color: "@surface" } });
    }
    const xaxis = chart.time
      ? { range: [0, page.end_s], ticksuffix: " s", nticks: small ? 5 : 10, hoverformat: ".1f", showgrid: false, ticks: "outside", ticklen: 4, ...own.xaxis }
      : { ...own.xaxis };
    return {
      ...own,
      xaxis: axis(xaxis),
      yaxis: axis({ nticks: 6, fixedrange: true, ...own.yaxis }),
      ...(own.yaxis2 && { yaxis2: axis({ fixedrange: true, ...own.yaxis2 }) }),
      ...(own.yaxis3 && { yaxis3: axis({ fixedrange: true, ...own.yaxis3 }) }),
      shapes, annotations,
      height: chart.height + (small ? 30 : 0), autosize: true,
      margin: { l: left ? left[small ? 1 : 0] : (small ? 58 : chart.half ? 62 : 92), r: small ? 8 : 16, t: top, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "@soft" },
      hovermode: own.hovermode || "x unified",
      hoverlabel: { bgcolor: "@surface", bordercolor: "@rule", font: { color: "@ink", size: 12 } },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom", font: { size: small ? 11 : 12 }, traceorder: "normal", itemwidth: 30 },
      dragmode: small ? false : "zoom",
    };
  }

  const config = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false, scrollZoom: false };

  async function draw(chart) {
    const style = getComputedStyle(root);
    const layout = coloured(layoutOf(chart), style);
    const element = plot(chart);
    const range = element.layout && element.layout.xaxis && element.zoomed && element.layout.xaxis.range;
    if (range) layout.xaxis.range = range.slice();
    const shown = chart.data.filter((t) => t.showlegend !== false && t.type !== "heatmap").length;
    layout.showlegend = shown > 1;
    if (shown > 1) {
      // Rows that the legend will take, by the width of its words.
      const width = element.clientWidth - 20;
      const words = chart.data.filter((t) => t.showlegend !== false).map((t) => t.name.length * 6.9 + 52);
      const widest = Math.max(...words);
      const columns = Math.max(1, Math.floor(width / widest));
      const lines = words.reduce((a, b) => a + b, 0) <= width ? 1 : Math.ceil(words.length / columns);
      layout.margin.b += 10 + 20 * lines;
      layout.height += 20 * Math.max(0, lines - 1);
    }
    element.style.height = layout.height + "px";
    await Plotly.react(element, coloured(chart.data, style), layout, config);
    await fitLegend(element, chart);
    if (!element.linked && chart.time) link(element, chart);
  }

  // The estimate above corrected by what the legend really took.
  async function fitLegend(element, chart) {
    const legend = element.querySelector(".legend");
    if (!legend) return;
    const room = Math.ceil(legend.getBoundingClientRect().height) + 6;
    const bottom = 34 + room, old = element.layout.margin.b;
    if (Math.abs(old - bottom) < 4) return;
    const height = element.layout.height + bottom - old;
    element.style.height = height + "px";
    await Plotly.relayout(element, { "margin.b": bottom, height });
  }

  // -- one range for all charts over time ----------------------------------------------------
  let moving = false;
  function link(element, chart) {
    element.linked = true;
    element.on("plotly_relayout", async (change) => {
      if (moving) return;
      const auto = change["xaxis.autorange"];
      const range = auto ? [0, page.end_s] : change["xaxis.range"] || ["xaxis.range[0]", "xaxis.range[1]"].map((k) => change[k]);
      if (range[0] === undefined) return;
      moving = true;
      const others = page.charts.filter((c) => c.time && (c !== chart || auto));
      const whole = range[0] <= 0 && range[1] >= page.end_s;
      await Promise.all(others.map((c) => Plotly.relayout(plot(c), { "xaxis.range": range })));
      for (const c of page.charts) plot(c).zoomed = c.time && !whole;
      moving = false;
    });
  }

  async function drawAll() {
    for (const chart of page.charts) {
      await draw(chart);
      await new Promise((done) => setTimeout(done)); // lets the page answer in between
    }
    root.dataset.drawn = String(page.charts.length);
  }
  let queue = drawAll();
  let printing = false;
  const redraw = () => { if (printing) return; root.dataset.drawn = ""; queue = queue.then(drawAll); };

  document.addEventListener("themed", redraw);

  let width = window.innerWidth, timer = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(redraw, 150);
  });

  // The page has turned its theme to paper's before this.
  window.addEventListener("beforeprint", () => {
    printing = true;
    const style = getComputedStyle(root);
    for (const chart of page.charts) {
      const now = plot(chart).layout;
      // As wide as a page of paper; a chart wider than that would be cut.
      const paper = { showlegend: now.showlegend, height: now.height, margin: now.margin, width: 640, autosize: false };
      Plotly.react(plot(chart), coloured(chart.data, style), { ...coloured(layoutOf(chart), style), ...paper });
    }
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    redraw();
  });
})();
