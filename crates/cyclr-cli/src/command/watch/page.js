"use strict";
// Asks for the figures every two seconds and draws them.
const EVERY = 2000;
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#b5a800"];
const element = id => document.getElementById(id);
const charts = {};
window.cyclr = charts;

// One line for each run; a chart is made anew when the runs or its scale are others.
function draw(id, runs, points) {
  const shown = runs.filter(run => run.curve && points(run.curve).length > 0);
  if (shown.length === 0) return;
  const tables = shown.map(run => {
    const rows = points(run.curve);
    return [rows.map(row => row[0]), rows.map(row => row[1])];
  });
  const joined = uPlot.join(tables);
  const place = element(id);
  const isLog = id === "loss" && tables.every(([, values]) => values.every(value => value === null || value > 0));
  const kind = [isLog, ...shown.map(run => run.name)].join("\n");
  if (charts[id] && charts[id].kind === kind) return charts[id].plot.setData(joined);
  if (charts[id]) charts[id].plot.destroy();
  const line = (run, n) => ({ label: run.name, stroke: COLOURS[n % COLOURS.length], width: 1.5, spanGaps: true, points: { show: id === "figure" } });
  const soft = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  const axis = { stroke: soft, grid: { stroke: "#8884", width: 1 } };
  // Those of a logarithmic scale that are not labelled are null.
  const written = value => (value === null ? "" : String(Number(value.toPrecision(6))));
  const values = (_, places) => places.map(written);
  const plot = new uPlot({
    width: place.clientWidth, height: 280, scales: { x: { time: false }, y: { distr: isLog ? 3 : 1 } }, axes: [{ ...axis, label: "Updates" }, { ...axis, values }],
    series: [{ label: "Updates" }, ...shown.map(line)], legend: { show: shown.length <= 8 },
  }, joined, place);
  charts[id] = { kind, plot };
}

function cell(row, text, kind) {
  const cell = row.insertCell();
  cell.textContent = text;
  if (kind) cell.className = kind;
}

// A run, and its averaged model as a line of its own.
function withAverage(run) {
  if (!run.curve || run.curve.averages.length === 0) return [run];
  return [run, { name: `${run.name}, averaged`, curve: { figures: run.curve.averages } }];
}

function show(figures) {
  element("title").textContent = figures.title;
  element("counts").textContent = figures.counts;
  element("verdict").hidden = !figures.comparison;
  draw("loss", figures.runs, curve => curve.updates);
  draw("rate", figures.runs, curve => curve.updates.map(([done, , rate]) => [done, rate]));
  draw("figure", figures.runs.flatMap(withAverage), curve => curve.figures);
  const rows = element("runs");
  rows.replaceChildren();
  for (const run of figures.runs) {
    const row = rows.insertRow();
    cell(row, run.updates, "number");
    cell(row, run.end, "number");
    cell(row, run.said);
    cell(row, run.name);
  }
}

async function look() {
  try {
    const answer = await fetch("figures.json");
    if (!answer.ok) throw new Error(await answer.text());
    const figures = await answer.json();
    show(figures);
    element("note").textContent = "";
    // The report is written after the last result.
    if (figures.over && figures.report) return location.reload();
  } catch (error) {
    element("note").textContent = `No figures: ${error.message}`;
  }
  setTimeout(look, EVERY);
}
look();
