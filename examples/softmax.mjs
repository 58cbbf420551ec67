// Softmax regression on made data, in Node.js without packages, as a child of cyclr (docs/protocol.md):
//
//   cyclr find --budget 200ep -- node examples/softmax.mjs
//   cyclr compare --budget 20ep -- node examples/softmax.mjs
//
// What a script needs beside its training is in the last third: `answer`, and the loop below it.
import { closeSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";

const [FEATURES, CLASSES, BATCH] = [20, 5, 50];

// Random numbers that a seed decides and that a state can hold: mulberry32.
class Random {
  constructor(state) { this.state = state >>> 0; }
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  normal() { return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform()); }
}

// Clouds of points around a centre for each class. The data seed decides them, so that they are the same for all runs.
function makeData(seed) {
  const random = new Random(seed + 1);
  const centres = Array.from({ length: CLASSES }, () => Array.from({ length: FEATURES }, () => 0.6 * random.normal()));
  const example = () => {
    const label = Math.floor(random.uniform() * CLASSES);
    return { label, x: centres[label].map((c) => c + random.normal()) };
  };
  const examples = (n) => Array.from({ length: n }, example);
  return { train: examples(2000), validation: examples(500), test: examples(500) };
}

let data, random, batch, weights, velocity, order, place;

function start(seed, dataSeed, asked) {
  data = makeData(dataSeed);
  batch = asked ?? BATCH;
  random = new Random(seed + 1000003);
  weights = Array.from({ length: CLASSES * (FEATURES + 1) }, () => 0.1 * random.normal());
  velocity = weights.map(() => 0);
  order = data.train.map((_, i) => i);
  place = order.length;
}

function nextBatch() {
  if (place + batch > order.length) {
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random.uniform() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    place = 0;
  }
  place += batch;
  return order.slice(place - batch, place).map((i) => data.train[i]);
}

// Loss, hits, and, where `gradient` is given, the gradient of the mean loss.
function measure(examples, gradient) {
  let loss = 0;
  const hits = examples.map(({ x, label }) => {
    const scores = [];
    for (let c = 0; c < CLASSES; c++) {
      let score = weights[c * (FEATURES + 1) + FEATURES];
      for (let f = 0; f < FEATURES; f++) score += weights[c * (FEATURES + 1) + f] * x[f];
      scores.push(score);
    }
    const most = Math.max(...scores);
    const sum = scores.reduce((s, score) => s + Math.exp(score - most), 0);
    loss += Math.log(sum) + most - scores[label];
    if (gradient) {
      for (let c = 0; c < CLASSES; c++) {
        const d = (Math.exp(scores[c] - most) / sum - (c === label)) / examples.length;
        for (let f = 0; f < FEATURES; f++) gradient[c * (FEATURES + 1) + f] += d * x[f];
        gradient[c * (FEATURES + 1) + FEATURES] += d;
      }
    }
    return scores.indexOf(most) === label;
  });
  return { loss: loss / examples.length, hits };
}

function update({ lr, momentum = 0.9, weight_decay = 0 }) {
  const gradient = weights.map(() => 0);
  const before = measure(nextBatch(), gradient);
  weights.forEach((w, i) => {
    velocity[i] = momentum * velocity[i] + gradient[i] + weight_decay * w;
    weights[i] = w - lr * velocity[i];
  });
  return metrics(before);
}

function metrics({ loss, hits }) {
  const [count, correct] = [hits.length, hits.filter(Boolean).length];
  return [
    { name: "loss", value: Number.isFinite(loss) ? loss : null, count, direction: "lower" },
    { name: "accuracy", value: correct / count, count, direction: "higher", correct },
  ];
}

// From here on: the child's side of the protocol.

function answer(method, params) {
  switch (method) {
    case "initialize":
      start(params.seed, params.data_seed, params.batch);
      return {
        protocol: 1, examples: data.train.length, batch, validation: data.validation.length, test: data.test.length,
        momentum: true, weight_decay: true, snapshots: true, given_weights: false,
      };
    case "updates": {
      const made = [];
      for (const hyper of params.updates) {
        made.push(update(hyper));
        if (made.at(-1).some(({ value }) => value === null)) break;
      }
      return { metrics: made };
    }
    case "evaluate": {
      const measured = measure(data[params.split]);
      return { metrics: metrics(measured), correct: measured.hits.map(Number).join("") };
    }
    case "state":
      writeFileSync(params.path, JSON.stringify({ random: random.state, weights, velocity, order, place }));
      return {};
    case "restore":
      ({ weights, velocity, order, place, random: random.state } = JSON.parse(readFileSync(params.path, "utf8")));
      return {};
    case "shutdown":
      return {};
  }
  throw Object.assign(new Error(`no method ${method}`), { code: -32601 });
}

const [read, write] = process.env.CYCLR_FD.split(",").map(Number);
const bytes = Buffer.alloc(65536);
let text = "";
serving: for (let n; (n = readSync(read, bytes)) > 0; ) {
  text += bytes.toString("utf8", 0, n);
  const lines = text.split("\n");
  text = lines.pop();
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    let message;
    try {
      message = { jsonrpc: "2.0", id, result: answer(method, params) };
    } catch (error) {
      console.error(error);
      message = { jsonrpc: "2.0", id, error: { code: error.code === -32601 ? -32601 : -32000, message: String(error) } };
    }
    writeSync(write, JSON.stringify(message) + "\n");
    if (method === "shutdown") break serving;
  }
}
closeSync(write);
