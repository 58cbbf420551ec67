"use strict";
// Draws every chart of the page from the data in #data with uPlot, and shows the values at the pointer.
const data = JSON.parse(document.getElementById("data").textContent);
const drawn = new Map();
window.cyclr = drawn;

const isDark = () => document.documentElement.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches;
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = n => (isDark() ? data.dark : data.light)[n % data.light.length];
const dashes = n => data.dashes[n % data.dashes.length];

// At most `digits` digits that mean something, with an exponent only where there would be many zeros.
function figure(x, digits = 4) {
  if (x === null || x === undefined) return "";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size < 1e-4 || size >= 1e7) return Number(x.toPrecision(digits)).toExponential().replace("+", "");
  if (size >= 10 ** digits) return Math.round(x).toLocaleString("en");
  return String(Number(x.toPrecision(digits)));
}

// Round numbers, about `wanted` of them: 1, 2 and 5 times powers of ten on a log axis, multiples of such a step elsewhere.
function ticks(low, high, log, wanted) {
  if (log) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const inside = (every, factors) => {
      const found = [];
      for (let e = first; e <= last; e += every)
        for (const f of factors) { const x = Number(`${f}e${e}`); if (x >= low && x <= high) found.push(x); }
      return found;
    };
    const fine = inside(1, [1, 2, 5]), most = Math.max(4, wanted);
    if (fine.length >= 2) return fine.length <= most ? fine : inside(Math.max(1, Math.ceil((last - first) / most)), [1]);
    wanted = Math.min(wanted, 4);
  }
  for (let found = []; ; wanted *= 2) {
    const rough = (high - low) / Math.max(1, wanted), power = Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(f => Number(`${f}e${power}`)).find(step => step >= rough) || rough;
    for (let k = Math.ceil(low / step); k <= Math.floor(high / step) && found.length < 100; k++) found.push(Number((k * step).toPrecision(12)));
    if (found.length >= 2 || wanted > 64) return found;
    [found, wanted] = [[], Math.max(1, wanted)];
  }
}

// The ends of a log axis: a little room, within what can be drawn.
function roomyLog(u, low, high) {
  const [a, b] = [low, high].map(x => Math.min(Math.max(x, 1e-150), 1e150));
  const room = a < b ? (b / a) ** 0.02 : 2;
  return [a / room, b * room];
}

// One row of x for all series, and a column for each; uPlot wants them so.
function columns(chart, factor) {
  const xs = [...new Set(chart.series.flatMap(s => s.points.map(p => p.x)))].sort((a, b) => a - b);
  const row = new Map(xs.map((x, n) => [x, n]));
  const column = (series, key) => {
    const values = Array(xs.length).fill(null);
    for (const p of series.points) values[row.get(p.x)] = p[key];
    return values;
  };
  const all = chart.series.flatMap(s => ["y", "low", "high"].map(key => column(s, key)));
  return [xs.map(x => x * factor), ...all];
}

function draw(chart) {
  const place = document.getElementById(chart.id);
  const unit = chart.x.units[place.dataset.unit - 1];
  const factor = unit ? unit.factor : 1;
  const before = drawn.get(chart.id);
  const shown = before ? chart.series.map((_, n) => before.series[1 + 3 * n].show) : chart.series.map(() => true);
  if (before) before.destroy();
  place.replaceChildren();
  const dotted = chart.series.some(s => s.form !== "line");
  const columnsOfChart = columns(chart, factor);

  const axis = (label, values) => ({
    label, labelSize: 26, labelFont: "13px system-ui, sans-serif", font: "12px system-ui, sans-serif", labelGap: 4,
    stroke: style("--soft"), grid: { stroke: style("--grid"), width: 1 }, ticks: { stroke: style("--line"), width: 1, size: 5 },
    ...values,
  });
  const numbers = (log, space) => ({
    splits: (u, axis, low, high) => ticks(low, high, log, Math.floor((axis === 0 ? u.bbox.width : u.bbox.height) / devicePixelRatio / space)),
    values: (u, splits) => splits.map(v => v === null ? "" : figure(v)),
    filter: (u, splits) => splits,
  });
  const series = chart.series.flatMap((s, n) => {
    const stroke = colour(s.colour);
    const line = {
      label: s.label, stroke, width: 2, dash: dashes(s.colour), spanGaps: true, show: shown[n],
      points: { show: s.form !== "line", size: 7, fill: stroke, stroke },
      ...(s.form === "points" ? { paths: () => null } : {}),
    };
    const edge = { label: "", width: 0, spanGaps: true, points: { show: false }, paths: s.form === "line" ? undefined : () => null, show: shown[n] };
    return [line, { ...edge }, { ...edge }];
  });
  const bands = chart.series.flatMap((s, n) => s.form === "line" ? [{ series: [3 * n + 3, 3 * n + 2], fill: colour(s.colour) + "26" }] : []);
  const x = { time: false, distr: chart.x.log ? 3 : 1, ...(chart.x.log ? { range: roomyLog } : dotted ? { range: roomy } : {}) };

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const options = {
    width: place.clientWidth, height: Math.max(260, Math.min(390, Math.round(place.clientWidth * 0.45))),
    scales: { x, y: { distr: chart.y.log ? 3 : 1, range: (u, low, high) => spread(chart, low, high) } },
    axes: [
      axis(unit ? unit.label : chart.x.label, { ...numbers(chart.x.log, 85), size: 32 }),
      axis(chart.y.label, { ...numbers(chart.y.log, 45), size: 58 }),
    ],
    series: [{}, ...series], bands,
    legend: { show: false },
    cursor: {
      drag: { x: true, y: true, uni: 40 },
      points: { size: 8 },
      dataIdx: (u, _, at, x) => nearest(u, x, at),
    },
    hooks: {
      drawAxes: [u => shades(u, chart, factor)],
      draw: [u => { whiskers(u, chart); levels(u, chart); }],
      setCursor: [u => tell(u, chart, tip, factor)],
    },
  };
  const plot = new uPlot(options, columnsOfChart, place);
  plot.over.appendChild(tip);
  plot.over.addEventListener("mouseleave", () => { tip.hidden = true; });
  drawn.set(chart.id, plot);
}

// Room for the levels and their names, whether or not the lines come near them; where there is none, uPlot's own choice.
function spread(chart, low, high) {
  if (low === null) [low, high] = [0, 1];
  for (const level of chart.levels) { low = Math.min(low, level.at); high = Math.max(high, level.at); }
  if (chart.y.log) return roomyLog(u, low, high);
  const room = 0.1 * (high - low || Math.abs(high) || 1);
  return [low === 0 ? 0 : low - room, high + room];
}

// Room beside the outermost dots.
function roomy(u, low, high) {
  const room = 0.03 * (high - low || 1);
  return [low === 0 ? 0 : low - room, high + room];
}

// The place of the point that is nearest to the pointer along x, over all series.
function nearest(u, x, at) {
  const xs = u.data[0];
  const columnsShown = u.series.map((s, n) => n).filter(n => n % 3 === 1 && u.series[n].show);
  const filled = n => columnsShown.some(c => u.data[c][n] !== null);
  let best = at;
  for (let step = 0; step < xs.length; step++) {
    const near = [at - step, at + step].filter(n => n >= 0 && n < xs.length && filled(n));
    if (near.length) { best = near.reduce((a, b) => Math.abs(xs[a] - x) <= Math.abs(xs[b] - x) ? a : b); break; }
  }
  return best;
}

// The value of a column nearest to a place, where lines have points of their own.
function valueNear(column, at) {
  for (let step = 0; step < column.length; step++)
    for (const n of [at - step, at + step])
      if (n >= 0 && n < column.length && column[n] !== null) return n;
  return null;
}

function tell(u, chart, tip, factor) {
  const at = u.cursor.idx;
  if (at === null || at === undefined || u.cursor.left < 0) { tip.hidden = true; return; }
  const x = u.data[0][at];
  const label = `${figure(x, 5)} ${(chart.x.units[document.getElementById(chart.id).dataset.unit - 1] || { label: chart.x.label }).label}`;
  const rows = [document.createElement("div")];
  rows[0].textContent = label;
  chart.series.forEach((s, n) => {
    if (!u.series[1 + 3 * n].show) return;
    const own = u.data[1 + 3 * n];
    const first = own.findIndex(v => v !== null), last = own.findLastIndex(v => v !== null);
    if (first < 0 || at < first || at > last) return;
    const near = valueNear(own, at);
    if (near === null) return;
    const row = document.createElement("div");
    row.append(swatch(s), Object.assign(document.createElement("b"), { textContent: figure(own[near], 5) }), ` ${s.label} `);
    const [low, high] = [u.data[2 + 3 * n][near], u.data[3 + 3 * n][near]];
    if (low !== null && high !== null) row.append(Object.assign(document.createElement("span"), { className: "range", textContent: `${figure(low)} to ${figure(high)}` }));
    rows.push(row);
  });
  tip.replaceChildren(...rows);
  tip.hidden = false;
  const room = u.over.clientWidth - tip.offsetWidth - 14;
  tip.style.left = `${u.cursor.left + 14 > room ? Math.max(0, u.cursor.left - tip.offsetWidth - 14) : u.cursor.left + 14}px`;
  tip.style.top = `${Math.max(0, Math.min(u.cursor.top + 10, u.over.clientHeight - tip.offsetHeight))}px`;
}

function swatch(series) {
  const mark = document.createElement("span");
  mark.className = "swatch";
  const dashed = dashes(series.colour);
  mark.style.borderTopStyle = dashed.length === 0 ? "solid" : dashed[0] < 5 ? "dotted" : "dashed";
  mark.style.borderTopColor = colour(series.colour);
  return mark;
}

function shades(u, chart, factor) {
  const c = u.ctx;
  c.save();
  for (const shade of chart.shades) {
    const [a, b] = [shade.from, shade.to].map(v => Math.min(Math.max(u.valToPos(v * factor, "x", true), u.bbox.left), u.bbox.left + u.bbox.width));
    c.fillStyle = isDark() ? "rgba(63,199,160,.16)" : "rgba(0,130,100,.12)";
    c.fillRect(a, u.bbox.top, b - a, u.bbox.height);
    c.fillStyle = style("--soft");
    c.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    c.textAlign = "left";
    c.textBaseline = "bottom";
    c.fillText(shade.label, a + 5 * devicePixelRatio, u.bbox.top + u.bbox.height - 5 * devicePixelRatio);
  }
  c.restore();
}

function levels(u, chart) {
  const c = u.ctx;
  c.save();
  c.beginPath();
  c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  c.clip();
  c.strokeStyle = c.fillStyle = style("--soft");
  c.lineWidth = devicePixelRatio;
  c.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  c.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  c.textAlign = "right";
  c.textBaseline = "bottom";
  for (const level of chart.levels) {
    const y = u.valToPos(level.at, "y", true), right = u.bbox.left + u.bbox.width;
    c.beginPath();
    c.moveTo(u.bbox.left, y);
    c.lineTo(right, y);
    c.stroke();
    c.fillText(level.label, right - 5 * devicePixelRatio, y - 2 * devicePixelRatio);
  }
  c.restore();
}

function whiskers(u, chart) {
  const c = u.ctx;
  c.save();
  c.beginPath();
  c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  c.clip();
  chart.series.forEach((s, n) => {
    if (s.form === "line" || !u.series[1 + 3 * n].show) return;
    c.strokeStyle = colour(s.colour);
    c.lineWidth = 2 * devicePixelRatio;
    u.data[0].forEach((x, at) => {
      const [low, high] = [u.data[2 + 3 * n][at], u.data[3 + 3 * n][at]];
      if (low === null || high === null) return;
      const px = u.valToPos(x, "x", true), cap = 5 * devicePixelRatio;
      const [bottom, top] = [low, high].map(v => u.valToPos(v, "y", true));
      c.beginPath();
      c.moveTo(px, bottom); c.lineTo(px, top);
      for (const end of [bottom, top]) { c.moveTo(px - cap, end); c.lineTo(px + cap, end); }
      c.stroke();
    });
  });
  c.restore();
}

// The names of the series, which switch them off and on, and the units of the x axis.
function controls(chart) {
  const place = document.getElementById(chart.id), figure_ = place.closest("figure");
  const keys = figure_.querySelector(".keys"), units = figure_.querySelector(".units");
  keys.replaceChildren();
  if (chart.series.length > 1) chart.series.forEach((s, n) => {
    const key = document.createElement("button");
    key.append(swatch(s), s.label);
    key.setAttribute("aria-pressed", drawn.get(chart.id).series[1 + 3 * n].show);
    key.onclick = () => {
      const plot = drawn.get(chart.id), show = !plot.series[1 + 3 * n].show;
      for (const k of [1, 2, 3]) plot.setSeries(3 * n + k, { show });
      key.setAttribute("aria-pressed", show);
    };
    keys.append(key);
  });
  units.replaceChildren();
  if (chart.x.units.length) [{ word: chart.x.label }, ...chart.x.units].forEach((unit, n) => {
    const choice = document.createElement("button");
    choice.textContent = unit.word;
    choice.setAttribute("aria-pressed", String(n) === place.dataset.unit);
    choice.onclick = () => {
      place.dataset.unit = n;
      for (const other of units.children) other.setAttribute("aria-pressed", other === choice);
      draw(chart);
    };
    units.append(choice);
  });
}

function drawAll() {
  for (const chart of data.charts) { draw(chart); controls(chart); }
}

drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawAll(); } });
addEventListener("beforeprint", () => { document.documentElement.dataset.theme = "light"; drawAll(); });
addEventListener("afterprint", () => { delete document.documentElement.dataset.theme; drawAll(); });
