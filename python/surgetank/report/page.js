// What a reader can do with the figures over time: read values, hide series, zoom. The figures themselves are SVG.
(() => {
  const root = document.documentElement;
  const { step_s: step, charts } = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  // -- the key: a click on an entry hides its series -------------------------------------------
  document.querySelectorAll(".keys li[data-series]").forEach((entry) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...entry.childNodes);
    button.setAttribute("aria-pressed", "true");
    entry.append(button);
    button.addEventListener("click", () => {
      const hidden = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!hidden));
      const series = `.series[data-series="${entry.dataset.series}"]`;
      entry.closest("figure").querySelectorAll(series).forEach((g) => g.classList.toggle("off", hidden));
    });
  });

  // -- figures over time -----------------------------------------------------------------------
  const drawings = [...document.querySelectorAll("svg[data-end]")].map((svg) => {
    const boxes = [...svg.querySelectorAll("clipPath rect")].map((r) => ["x", "y", "width", "height"].map((k) => Number(r.getAttribute(k))));
    const [left, top, width] = boxes[0];
    const [, last, , tall] = boxes[boxes.length - 1];
    const ticks = svg.querySelector(".ticks");
    return { svg, left, width, top, bottom: last + tall, ticks, whole: [...ticks.children] };
  });
  if (!drawings.length) { root.dataset.ready = "true"; return; }
  const end = Number(drawings[0].svg.dataset.end);
  let from = 0, until = end;
  const place = (d, t) => d.left + ((t - from) / (until - from)) * d.width;

  function element(tag, kind, attributes) {
    const made = document.createElementNS(SVG, tag);
    made.setAttribute("class", kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  // Each row's texts, by interval; 0 repeats the one before it.
  for (const chart of Object.values(charts)) {
    for (const row of chart.rows || []) row.forEach((text, i) => { if (text === 0) row[i] = row[i - 1]; });
  }

  // -- reading ---------------------------------------------------------------------------------
  const readout = document.createElement("div");
  readout.className = "readout";
  readout.setAttribute("role", "status");

  function pointed(event) {
    const d = drawings.find((x) => x.svg === event.currentTarget);
    const box = d.svg.getBoundingClientRect();
    const scale = d.svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    return { d, x, y, t: from + ((x - d.left) / d.width) * (until - from) };
  }

  function lines(chart, t, row) {
    if (chart.levels) {
      const name = chart.names[row], cells = chart.levels[row];
      if (!cells) return [];
      const level = Number(cells[Math.min(cells.length - 1, Math.floor((t / end) * cells.length))]);
      return [[chart.colours[level], name, chart.texts[level]]];
    }
    const at = Math.floor(t / step);
    return chart.rows.map((texts, i) => [chart.colours[i], chart.names[i], texts[at]]).filter(([, , text]) => text);
  }

  function show(d, t, y) {
    if (t < from || t > until || t < 0 || t > end) { hide(); return; }
    const figure = d.svg.closest("figure");
    const chart = charts[figure.id.slice(2)];
    const row = chart.levels ? Math.floor(((y - d.top) / (d.bottom - d.top)) * chart.levels.length) : 0;
    const width = chart.levels ? end / chart.levels[0].length : step;
    const begin = Math.floor(t / width) * width;
    const digits = Math.max(0, Math.ceil(-Math.log10(width)));
    const head = document.createElement("b");
    head.textContent = `${begin.toFixed(digits)} – ${Math.min(begin + width, end).toFixed(digits)} s`;
    const list = document.createElement("dl");
    for (const [colour, name, text] of lines(chart, t, row)) {
      const term = document.createElement("dt"), value = document.createElement("dd"), mark = document.createElement("i");
      mark.style.setProperty("--c", `var(--${colour})`);
      term.append(mark, name);
      value.textContent = text;
      list.append(term, value);
    }
    readout.replaceChildren(head, list);
    const picture = figure.querySelector(".picture");
    picture.append(readout);
    const at = (place(d, t) / d.svg.viewBox.baseVal.width) * picture.clientWidth;
    const right = at < picture.clientWidth / 2;
    readout.style.left = right ? `${Math.min(at + 14, picture.clientWidth - readout.offsetWidth)}px` : `${Math.max(0, at - 14 - readout.offsetWidth)}px`;
    for (const other of drawings) {
      other.cursor ||= other.svg.appendChild(element("line", "cursor", { y1: other.top, y2: other.bottom }));
      const x = place(other, t);
      other.cursor.setAttribute("x1", x);
      other.cursor.setAttribute("x2", x);
    }
  }
  function hide() {
    readout.remove();
    for (const d of drawings) { if (d.cursor) d.cursor.remove(); d.cursor = null; }
  }

  // -- zoom: one range for all figures over time -----------------------------------------------
  const back = document.createElement("button");
  back.type = "button";
  back.className = "whole-run";
  back.textContent = "Show the whole run";
  back.addEventListener("click", () => zoom(0, end));

  function ticksOf(d) {
    const least = (until - from) / (d.width > 500 ? 9 : 4), power = 10 ** Math.floor(Math.log10(least));
    const gap = [1, 2, 5, 10].map((m) => m * power).find((v) => v >= least * 0.999);
    const made = [];
    for (let i = Math.ceil(from / gap - 1e-9); i * gap <= until + 1e-9; i += 1) {
      const x = place(d, i * gap);
      made.push(element("line", "frame", { x1: x, x2: x, y1: d.bottom, y2: d.bottom + 5 }));
      const label = element("text", "", { x, y: d.bottom + 19, "text-anchor": "middle" });
      label.textContent = String(Number((i * gap).toPrecision(6)));
      made.push(label);
    }
    return made;
  }

  function zoom(begin, finish) {
    [from, until] = [begin, finish];
    const whole = begin <= 0 && finish >= end;
    for (const d of drawings) {
      const factor = end / (until - from);
      const shift = d.left - (d.left + (from / end) * d.width) * factor;
      d.svg.querySelectorAll(".zoom").forEach((g) => {
        g.classList.toggle("zoomed", !whole);
        if (whole) g.removeAttribute("transform"); else g.setAttribute("transform", `matrix(${factor} 0 0 1 ${shift} 0)`);
      });
      d.svg.querySelectorAll(".band-name").forEach((name) => {
        name.dataset.x ||= name.getAttribute("x");
        const at = Number(name.dataset.at);
        name.setAttribute("x", whole ? name.dataset.x : Math.max(d.left, place(d, at)));
        name.style.display = at > until || Number(name.dataset.until) < from ? "none" : "";
      });
      d.ticks.replaceChildren(...(whole ? d.whole : ticksOf(d)));
    }
    hide();
    if (whole) back.remove(); else document.body.append(back);
  }

  let drag = null;
  function finish() {
    if (drag) drag.box.remove();
    drag = null;
  }
  for (const { svg } of drawings) {
    const picture = svg.parentElement;
    picture.dataset.overTime = "";
    svg.addEventListener("pointerdown", (event) => {
      const p = pointed(event);
      if (event.pointerType !== "mouse" || event.button || p.t < from || p.t > until) return;
      const box = p.d.svg.appendChild(element("rect", "chosen", { y: p.d.top, height: p.d.bottom - p.d.top, width: 0 }));
      drag = { box, x: p.x, t: p.t };
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      const p = pointed(event);
      if (drag) {
        drag.box.setAttribute("x", Math.min(p.x, drag.x));
        drag.box.setAttribute("width", Math.abs(p.x - drag.x));
      }
      show(p.d, p.t, p.y);
    });
    svg.addEventListener("pointerup", (event) => {
      if (!drag) return;
      const p = pointed(event), ends = [drag.t, p.t].sort((a, b) => a - b), far = Math.abs(p.x - drag.x) > 8;
      finish();
      if (far) zoom(Math.max(0, ends[0]), Math.min(end, ends[1]));
    });
    svg.addEventListener("pointercancel", finish);
    svg.addEventListener("pointerleave", () => { if (!drag) hide(); });
    svg.addEventListener("dblclick", () => zoom(0, end));
  }

  // The same by keys: arrows move the time that is read.
  let read = 0;
  document.querySelectorAll("[data-over-time]").forEach((picture) => {
    picture.tabIndex = 0;
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", "Values over time; the arrow keys move the time that is read");
    picture.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: read - step, ArrowRight: read + step, Home: from, End: until - step / 2 }[event.key];
      if (event.key === "Escape") { hide(); if (until - from < end) zoom(0, end); }
      if (to === undefined) return;
      event.preventDefault();
      read = Math.min(Math.max(to, from), until - step / 2);
      const d = drawings.find((x) => x.svg.parentElement === picture && x.svg.clientWidth > 0);
      show(d, read, d.top);
    });
    picture.addEventListener("blur", hide);
  });
  root.dataset.ready = "true";
})();
