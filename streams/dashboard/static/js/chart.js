// Price and volume of a market around an alert, with who bought, who sold, and when it was told.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { fill, h, plain } from "./dom.js";
import { clock, compact, dollars, number } from "./format.js";

export const READOUT = matchMedia("(hover: none)").matches ? "Touch to read." : "Hover to read; drag to zoom, double-click to return.";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draw into `box`; gives how to end it. */
export function drawChart(box, data, alert, { height = 340, small = false } = {}) {
  let plot = null;
  const build = () => {
    plot?.destroy();
    plot = null;
    if (!data.bars.length) return;
    plot = new uPlot(options(box, data, alert, height, small), columns(data), box);
  };
  fill(box);
  build();
  const size = new ResizeObserver(() => {
    if (plot && Math.abs(plot.width - box.clientWidth) > 2 && box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height });
  });
  size.observe(box);
  addEventListener("theme", build);
  return { close() { size.disconnect(); removeEventListener("theme", build); plot?.destroy(); } };
}

// The last price of each bar, its range, and what was traded; bars without trades keep the last price.
function columns(data) {
  const times = [], last = [], low = [], high = [], volume = [];
  for (const [start, lowest, highest, close, usd] of data.bars) {
    times.push(start / 1000);
    last.push(close);
    low.push(lowest);
    high.push(highest);
    volume.push(usd);
  }
  return [times, last, low, high, volume];
}

function options(box, data, alert, height, small) {
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--dim"), font: `11px ${colour("--font")}`, grid, ticks: { show: false } };
  const prices = data.bars.flatMap((bar) => [bar[1], bar[2]]);
  const lowest = Math.min(...prices), highest = Math.max(...prices), most = Math.max(...data.bars.map((bar) => bar[4]));
  const steep = lowest > 0 && highest / lowest > 6; // what multiplies is shown in powers of ten
  const [bottom, top] = range(lowest, highest, steep);
  const within = (splits) => splits.map((at) => (at < lowest - (highest - lowest) * 0.08 ? null : at));
  const powers = steep ? { splits: () => marksOf(lowest, highest) } : {};
  return {
    width: box.clientWidth || 600,
    height,
    padding: [small ? 10 : 24, small ? 6 : 12, 0, small ? 0 : 4],
    legend: { show: false },
    cursor: small ? { show: false } : { x: true, y: false, points: { show: false }, drag: { x: true, y: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      x: { time: true, range: (_, from, to) => (from === to ? [from - 60, to + 60] : [from, to]) },
      y: { distr: steep ? 3 : 1, range: () => [bottom, top] },
      usd: { range: () => [0, most * 4] },
    },
    axes: [
      { ...axis, values: (_, splits) => splits.map((at) => clock(at * 1000).slice(0, splits.length > 1 && splits[1] - splits[0] < 60 ? 8 : 5)), space: 64, size: 26 },
      { ...axis, ...powers, size: small ? 54 : 66, grid: { ...grid, filter: (_, splits) => within(splits) }, filter: (_, splits) => within(splits), values: (_, splits) => splits.map((at) => (at === null ? "" : number(at))) },
    ],
    series: [
      {},
      { stroke: colour("--price"), width: 1.6, paths: uPlot.paths.stepped({ align: 1 }), spanGaps: true, points: { show: false } },
      { stroke: "transparent", paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
      { stroke: "transparent", paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
      { scale: "usd", stroke: "transparent", fill: colour("--volume"), paths: uPlot.paths.bars({ size: [0.8, 12, 2 * devicePixelRatio], align: 1 }), points: { show: false } },
    ],
    bands: [{ series: [3, 2], fill: `color-mix(in srgb, ${colour("--price")} 22%, transparent)` }],
    hooks: { draw: [(plot) => drawMarks(plot, data, alert, small)], setCursor: small ? [] : [(plot) => tellCursor(plot, data, box)] },
  };
}

// A third of the height is kept for the volume.
function range(lowest, highest, steep) {
  const share = 0.36, air = 0.07;
  if (steep) {
    const [low, high] = [Math.log(lowest), Math.log(highest)];
    return [Math.exp(low - (high - low) * (share + air)), Math.exp(high + (high - low) * air)];
  }
  const height = highest - lowest || highest * 0.01;
  return [lowest - height * (share + air), highest + height * air];
}

// 1, 2, 5, 10, 20, …; of long ranges the powers of ten alone.
function marksOf(lowest, highest) {
  const steps = highest / lowest > 300 ? [1] : [1, 2, 5];
  const marks = [];
  for (let power = Math.floor(Math.log10(lowest)); power <= Math.log10(highest) + 1; power += 1) {
    for (const step of steps) {
      const at = Number((step * 10 ** power).toPrecision(1));
      if (at >= lowest * 0.8 && at <= highest * 1.15) marks.push(at);
    }
  }
  return marks;
}

function drawMarks(plot, data, alert, small) {
  const { ctx } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
  ctx.clip();
  const x = Math.round(plot.valToPos(alert.event_ts / 1000, "x", true));
  ctx.strokeStyle = ctx.fillStyle = colour(`--${alert.severity}`);
  ctx.lineWidth = 1.5 * scale;
  ctx.setLineDash([5 * scale, 4 * scale]);
  ctx.beginPath();
  ctx.moveTo(x, plot.bbox.top);
  ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
  const most = Math.max(1, ...data.buys.map((fill) => fill[2]), ...data.taken.map((fill) => fill[2]));
  marks(plot, data.taken, most, colour("--sell"), 1, small);
  marks(plot, data.sells, most, colour("--low"), 1, small);
  marks(plot, data.buys, most, colour("--critical"), -1, small);
  ctx.restore();
  if (!small) nameAlert(plot, x, colour(`--${alert.severity}`));
}

// Above the plot, where no mark can cover it.
function nameAlert(plot, x, paint) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = paint;
  ctx.font = `600 ${11 * scale}px ${colour("--font")}`;
  ctx.textAlign = "left";
  const wide = ctx.measureText("alert").width;
  ctx.fillText("alert", Math.min(Math.max(x - wide / 2, bbox.left), bbox.left + bbox.width - wide), bbox.top - 7 * scale);
  ctx.restore();
}

// A triangle for each fill, the larger the more money: buys point up from below, sells down from above.
function marks(plot, fills, most, paint, side, small) {
  const { ctx } = plot;
  const scale = devicePixelRatio;
  ctx.fillStyle = paint;
  ctx.strokeStyle = colour("--surface");
  ctx.lineWidth = 0.8 * scale;
  for (const [ts, price, usd] of fills) {
    const x = plot.valToPos(ts / 1000, "x", true);
    const y = plot.valToPos(price, "y", true);
    const size = (small ? 3 : 4 + 5 * Math.sqrt(usd / most)) * scale;
    ctx.beginPath();
    ctx.moveTo(x, y - side * 2 * scale);
    ctx.lineTo(x - size * 0.75, y - side * (2 * scale + size * 1.4));
    ctx.lineTo(x + size * 0.75, y - side * (2 * scale + size * 1.4));
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
}

function tellCursor(plot, data, box) {
  const line = box.parentNode?.querySelector(".readout");
  if (!line) return;
  const at = plot.cursor.idx;
  if (at === null || at === undefined) return fill(line, READOUT);
  const [start, low, high, last, usd] = data.bars[at];
  const end = data.bars[at + 1]?.[0] ?? Infinity;
  const sum = (fills) => fills.reduce((all, [ts, , money]) => (ts >= start && ts < end ? all + money : all), 0);
  const parts = [["suspect keys bought", sum(data.buys)], ["suspect keys sold", sum(data.sells)], ["those who sell to them sold", sum(data.taken)]].filter(([, money]) => money);
  fill(line, [`${clock(start)} UTC · last ${number(last)} · ${number(low)} to ${number(high)} · traded ${dollars(usd)}`, ...parts.map(([what, money]) => `${what} ${dollars(money)}`)].join(" · "));
}

/** What the marks mean, with what they come to. */
export function legend(data, alert) {
  const sum = (fills) => fills.reduce((all, fill) => all + fill[2], 0);
  const item = (kind, text, value) => h("span.item", {}, h(`i.${kind}`), text, value ? h("b", {}, value) : null);
  const whose = alert.kind === "leaked_key" ? "Key" : "Keys";
  return h("div.legend", {},
    item("buy", `${whose} bought`, `${data.buys.length} · $${compact(sum(data.buys))}`),
    data.sells.length ? item("sold", `${whose} sold`, `${data.sells.length} · $${compact(sum(data.sells))}`) : null,
    data.taken.length ? item("taken", data.sellers.length === 1 ? `${plain(data.sellers[0], 24)} sold` : `${data.sellers.length} accounts sold to ${alert.kind === "leaked_key" ? "it" : "them"}`, `${data.taken.length} · $${compact(sum(data.taken))}`) : null,
    item("line", "Last price"), item("bars", "Volume"));
}
