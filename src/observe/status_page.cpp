#include "observe/status_page.hpp"

namespace duet::observe {

const char* const status_page_policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'";

const std::string_view status_page = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Duet</title>
<style>
:root { color-scheme: light dark; --ink: #1d2733; --dim: #5d6b7a; --line: #d9dfe6; --paper: #fff; --ground: #f4f6f8; --good: #1a7f4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --dim: #93a1af; --line: #33404d; --paper: #1b232c; --ground: #12181f; --good: #5fc58f; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem; background: var(--ground); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; }
#state { margin: 0 0 1rem; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
#facts { color: var(--dim); margin: 0 0 1.2rem; }
#failure { border-left: 4px solid var(--bad); background: var(--paper); padding: .7rem 1rem; margin: 0 0 1.2rem; overflow-wrap: anywhere; }
.lanes { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.2rem; }
h2 { font-size: 1rem; margin: 0; } .lane_state { color: var(--dim); margin: .1rem 0 .6rem; overflow-wrap: anywhere; }
.figures { display: flex; gap: 2rem; margin: 0 0 .4rem; }
.figures b { display: block; font-size: 1.7rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures span { color: var(--dim); font-size: .85rem; }
svg { width: 100%; height: 3rem; display: block; } polyline { fill: none; stroke: currentColor; stroke-width: 1.5; opacity: .7; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
td { padding: .22rem 0; border-top: 1px solid var(--line); } td + td { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
footer { margin-top: 1.2rem; color: var(--dim); font-size: .85rem; } a { color: inherit; }
</style>
</head>
<body>
<main>
<h1 id="link">Duet</h1>
<p id="state" role="status">asking the hub ...</p>
<p id="facts"></p>
<div id="failure" hidden></div>
<div class="lanes" id="lanes"></div>
<footer><a href="status">status as JSON</a> · <a href="metrics">metrics for Prometheus</a> · <a href="healthz">health</a></footer>
</main>
<script>
'use strict';
const lanes = [['home_to_spoke', 'home → spoke'], ['spoke_to_home', 'spoke → home']];
const rows = [
  ['rows applied', l => count(l.rows.applied)], ['own echoes dropped', l => count(l.rows.echoes)],
  ['conflicts decided', l => count(l.rows.conflicts)], ["given up for home's row", l => count(l.rows.conflicts_lost)], ['held back', l => count(l.rows.held_back)],
  ['held', l => count(l.rows.held)], ['deletes ignored', l => count(l.rows.deletes_ignored)], ['written over drift', l => count(l.rows.drift)],
  ['transactions read', l => count(l.rows.source_transactions)], ['transactions written', l => count(l.rows.target_transactions)],
  ['read up to', l => l.read_position], ['applied up to', l => l.applied_position],
  ['in memory', l => bytes(l.ring_bytes)], ['in the spill file', l => bytes(l.spill_bytes)],
  ['unacknowledged writes', l => count(l.index_entries)],
  ['their memory', l => bytes(l.index_bytes)], ['their files', l => bytes(l.index_spill_bytes)]];
const by_id = id => document.getElementById(id);
const count = n => Number(n).toLocaleString('en');
const bytes = n => { let i = 0; for (; n >= 1024 && i < 4; ++i) n /= 1024; return n.toFixed(i ? 1 : 0) + [' bytes', ' kB', ' MB', ' GB', ' TB'][i]; };
const lag = ms => ms < 1000 ? ms + ' ms' : ms < 60000 ? (ms / 1000).toFixed(1) + ' s' : Math.floor(ms / 60000) + ' min ' + Math.floor(ms / 1000 % 60) + ' s';
const done = r => r.applied + r.unchanged + r.held_back + r.conflicts_lost + r.held + r.deletes_ignored;
const make = (tag, parent, name, text) => { const e = document.createElement(tag); if (name) e.className = name; if (text) e.textContent = text; parent.append(e); return e; };
const view = {};
for (const [key, title] of lanes) {
  const box = make('section', by_id('lanes')), v = view[key] = { history: [], cells: [] };
  make('h2', box, '', title);
  v.state = make('p', box, 'lane_state');
  const figures = make('div', box, 'figures');
  for (const [field, label] of [['rate', 'rows/s'], ['lag', 'lag']]) { const d = make('div', figures); v[field] = make('b', d, '', '–'); make('span', d, '', label); }
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 120 30'); svg.setAttribute('preserveAspectRatio', 'none'); svg.setAttribute('aria-hidden', 'true');
  v.line = svg.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'polyline')); box.append(svg);
  const table = make('table', box);
  for (const [label] of rows) { const tr = make('tr', table); make('td', tr, '', label); v.cells.push(make('td', tr)); }
}
let before = null, before_at = 0;
async function refresh() {
  let now = null;
  try {
    const answer = await fetch('status', { cache: 'no-store', signal: AbortSignal.timeout(4000) });
    now = await answer.json();
  } catch (e) { now = null; }
  const at = performance.now(), state = by_id('state');
  if (!now) {
    state.textContent = 'the hub does not answer'; state.className = 'bad'; before = null;
  } else {
    document.title = 'Duet ' + now.link; by_id('link').textContent = 'Duet: ' + now.link;
    state.textContent = now.state; state.className = now.healthy ? 'good' : 'bad';
    by_id('facts').textContent = 'up ' + lag(now.uptime_s * 1000) + ' · epoch ' + now.epoch + ' · restarts ' + now.restarts + ' · rows held ' + count(now.held_rows)
      + (now.paused_tables.length ? ' · paused: ' + now.paused_tables.map(t => t.table + (t.catches_up ? ' (catches up)' : ': ' + t.reason)).join(', ') : '')
      + (now.stopped_tables.length ? ' · stopped: ' + now.stopped_tables.join(', ') : '')
      + (now.clocks ? ' · clocks ' + (now.clocks.offset_us / 1000).toFixed(1) + ' ms apart' + (now.clocks.beyond_limit ? ', beyond the limit' : '') : '');
    for (const c of now.copies) if (!c.done) by_id('facts').textContent += ' · copying ' + c.table + ': ' + count(c.rows) + ' of about ' + count(c.estimated) + ' rows';
    const failure = by_id('failure');
    failure.hidden = !now.failure;
    if (now.failure) failure.textContent = now.failure.text + ' (' + now.failure.code + '). ' + now.failure.advice;
    for (const [key] of lanes) {
      const l = now.lanes[key], v = view[key];
      v.state.textContent = l.state; v.lag.textContent = lag(l.lag_ms);
      rows.forEach(([, read], i) => { v.cells[i].textContent = read(l); });
      if (before && at > before_at && done(l.rows) >= done(before.lanes[key].rows)) {
        const rate = Math.round((done(l.rows) - done(before.lanes[key].rows)) * 1000 / (at - before_at));
        v.rate.textContent = count(rate); v.history.push(rate); if (v.history.length > 121) v.history.shift();
        const top = Math.max(...v.history, 1);
        v.line.setAttribute('points', v.history.map((r, i) => i + ',' + (29 - 28 * r / top).toFixed(1)).join(' '));
      }
    }
    before = now; before_at = at;
  }
  setTimeout(refresh, 1000);
}
refresh();
</script>
</body>
</html>
)html";

}  // namespace duet::observe
