// How a report looks: one sheet, light and dark by what the reader's system says, and on paper.

export const STYLE = `
:root { color-scheme: light dark; --ink:#16202c; --soft:#51606f; --line:#d5dce3; --paper:#ffffff; --wash:#f4f6f8;
  --good:#0b6b45; --good-wash:#e3f4ec; --bad:#a3241c; --bad-wash:#fbe9e7; --open:#3f5163; --open-wash:#eaeff4; --warn:#7a4b00; --warn-wash:#fdf0d8;
  --a0:#44586b; --a1:#1a5fb4; --a2:#a0430a; --a3:#14734a; --a4:#7a2f96; --a5:#8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink:#e8edf2; --soft:#a8b5c2; --line:#38434f; --paper:#12181f; --wash:#1a222b;
  --good:#63d4a0; --good-wash:#12352a; --bad:#ff9a8f; --bad-wash:#43201d; --open:#b7c6d4; --open-wash:#222d38; --warn:#f2c063; --warn-wash:#3a2c10;
  --a0:#9fb2c4; --a1:#7ab3f5; --a2:#f2a06b; --a3:#66cf9c; --a4:#d49ae8; --a5:#e0bd5c; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; }
main { max-width:70rem; margin:0 auto; padding:2.5rem 1.25rem 4rem; }
header p { margin:.2rem 0; color:var(--soft); }
h1 { font-size:2rem; line-height:1.2; margin:0 0 .25rem; letter-spacing:-.01em; overflow-wrap:anywhere; }
h2 { font-size:1.3rem; margin:2.75rem 0 .5rem; padding-top:1rem; border-top:1px solid var(--line); }
h3 { font-size:1.08rem; margin:2rem 0 .25rem; overflow-wrap:anywhere; }
p { margin:.4rem 0; max-width:46rem; }
.decision { margin:1.5rem 0 1rem; padding:1.1rem 1.35rem; border-left:6px solid var(--open); background:var(--open-wash); border-radius:0 8px 8px 0; }
.decision h2 { all:unset; display:block; font-size:.8rem; font-weight:700; letter-spacing:.06em; text-transform:uppercase; color:var(--open); }
.decision p { font-size:1.16rem; margin:.35rem 0 0; }
.decision.better { border-color:var(--good); background:var(--good-wash); } .decision.better h2 { color:var(--good); }
.decision.worse { border-color:var(--bad); background:var(--bad-wash); } .decision.worse h2 { color:var(--bad); }
.decision.warn { border-color:var(--warn); background:var(--warn-wash); } .decision.warn h2 { color:var(--warn); }
.facts { display:grid; grid-template-columns:repeat(auto-fit,minmax(9rem,1fr)); gap:.75rem; margin:1.25rem 0; padding:0; }
.facts div { background:var(--wash); border-radius:8px; padding:.7rem .9rem; }
.facts dt { color:var(--soft); font-size:.85rem; } .facts dd { margin:0; font-size:1.3rem; font-weight:650; font-variant-numeric:tabular-nums; overflow-wrap:anywhere; }
.badge { display:inline-block; padding:.05rem .55rem; border-radius:99px; font-size:.85rem; font-weight:650; white-space:nowrap; background:var(--open-wash); color:var(--open); }
.badge.better { background:var(--good-wash); color:var(--good); } .badge.worse { background:var(--bad-wash); color:var(--bad); }
.scroll { overflow-x:auto; margin:.6rem 0 1rem; }
table { border-collapse:collapse; width:100%; font-size:.89rem; font-variant-numeric:tabular-nums; }
caption { text-align:left; color:var(--soft); font-size:.88rem; padding:.25rem 0; }
th,td { text-align:right; padding:.42rem .4rem; border-bottom:1px solid var(--line); white-space:nowrap; }
th:first-child { text-align:left; } td:last-child { padding-right:0; } thead th { color:var(--soft); font-weight:600; font-size:.85rem; vertical-align:bottom; }
tbody th { font-weight:600; }
svg { display:block; width:100%; height:auto; margin:.5rem 0; font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif; }
svg text { fill:var(--ink); } svg .tick, svg .side { fill:var(--soft); font-size:12px; } svg .label { font-weight:650; } svg .value { fill:var(--soft); }
.grid { stroke:var(--line); } .zero { stroke:var(--ink); stroke-width:1.5; } .expected { stroke:var(--ink); stroke-width:2; stroke-dasharray:3 2; }
.always { stroke:var(--open); stroke-width:2; } .fixed { fill:var(--open); opacity:.35; } .point { fill:var(--open); }
.always.better { stroke:var(--good); } .fixed.better,.point.better { fill:var(--good); } .always.worse { stroke:var(--bad); } .fixed.worse,.point.worse { fill:var(--bad); }
.line { fill:none; stroke-width:2.5; }
${[0, 1, 2, 3, 4, 5].map((i) => `.arm-${i}.line { stroke:var(--a${i}); } svg text.arm-${i} { fill:var(--a${i}); } .arm-${i}.bar { fill:var(--a${i}); opacity:.75; }`).join('\n')}
.key { color:var(--soft); font-size:.88rem; } .notes { padding-left:1.2rem; } .notes li { margin:.3rem 0; max-width:46rem; }
footer { margin-top:3rem; padding-top:1rem; border-top:1px solid var(--line); color:var(--soft); font-size:.85rem; overflow-wrap:anywhere; }
@media print { body { font-size:12px; } main { padding:0; max-width:none; } h3,svg,tr { break-inside:avoid; } }
`;
