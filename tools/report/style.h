// The style sheet of every page.
#pragma once

#include <string_view>

namespace sagejit::report {

inline constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark;
  --back: #ffffff; --fore: #1b1f24; --soft: #57606a; --line: #d0d7de; --panel: #f6f8fa;
  --note: #fff4d6; --note-line: #d9a300; --heat: #0b5cad; --on-heat: #ffffff; --on-colour: #ffffff;
  --c0: #2f6fb5; --c1: #b35600; --c2: #22794a; --c3: #a82e80; --c4: #80660a; --c5: #6243b8;
  --c6: #b3261e; --c7: #57616b; }
@media (prefers-color-scheme: dark) { :root {
  --back: #14181d; --fore: #e6e9ed; --soft: #9aa5b1; --line: #3a424c; --panel: #1d232a;
  --note: #3a3013; --note-line: #d9a300; --heat: #7cc0ff; --on-heat: #0b1117; --on-colour: #0b1117;
  --c0: #79b4f2; --c1: #f2a05a; --c2: #66cc96; --c3: #e88bc9; --c4: #d9bc4d; --c5: #b39dfa;
  --c6: #f58b83; --c7: #a6b2be; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 24px 64px; max-width: 1040px; background: var(--back);
  color: var(--fore); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1, h2, dd, p { overflow-wrap: anywhere; } h1 { font-size: 24px; margin: 0; } h2 { font-size: 18px; margin: 36px 0 8px; }
.subtitle { color: var(--soft); margin: 2px 0 20px; }
p { margin: 8px 0; max-width: 78ch; }
.note { background: var(--note); border-left: 4px solid var(--note-line); padding: 8px 12px; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } td.number, th.number { text-align: right; }
tr.marked td { font-weight: 700; background: var(--panel); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 20px; margin: 8px 0; }
dt { color: var(--soft); } dd { margin: 0; }
figure { margin: 16px 0; overflow-x: auto; } figcaption { color: var(--soft); font-size: 13px;
  max-width: 100ch; }
svg { display: block; max-width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; margin: 6px 0; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 2px;
  margin-right: 6px; vertical-align: -1px; }
.label { font-size: 12px; fill: var(--soft); } .strong { fill: var(--fore); font-weight: 600; }
.halo { paint-order: stroke; stroke: var(--back); stroke-width: 3px; }
.on-heat { fill: var(--on-heat); font-weight: 600; } .on-colour { fill: var(--on-colour); }
.grid { stroke: var(--line); stroke-width: 0.6; } .axis { stroke: var(--soft); }
.limit { stroke: var(--fore); stroke-width: 1.4; stroke-dasharray: 6 4; }
.roof { stroke: var(--soft); stroke-width: 2; }
.front { fill: none; stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 2 3; }
.heat { fill: var(--heat); } .none { fill: none; stroke: var(--line); }
.best, .marked { stroke: var(--fore); stroke-width: 2.4; }
.empty { fill: var(--panel); stroke: var(--line); } .block { stroke: var(--back); }
.hollow { fill: var(--back); stroke-width: 3; }
.fill0 { fill: var(--c0); } .fill1 { fill: var(--c1); } .fill2 { fill: var(--c2); }
.fill3 { fill: var(--c3); } .fill4 { fill: var(--c4); } .fill5 { fill: var(--c5); }
.fill6 { fill: var(--c6); } .fill7 { fill: var(--c7); }
.stroke0 { stroke: var(--c0); } .stroke1 { stroke: var(--c1); } .stroke2 { stroke: var(--c2); }
.stroke3 { stroke: var(--c3); } .stroke4 { stroke: var(--c4); } .stroke5 { stroke: var(--c5); }
.stroke6 { stroke: var(--c6); } .stroke7 { stroke: var(--c7); }
.back0 { background: var(--c0); } .back1 { background: var(--c1); } .back2 { background: var(--c2); }
.back3 { background: var(--c3); } .back4 { background: var(--c4); } .back5 { background: var(--c5); }
.back6 { background: var(--c6); } .back7 { background: var(--c7); }
footer { color: var(--soft); font-size: 13px; margin-top: 48px; border-top: 1px solid var(--line);
  padding-top: 8px; }
)";

}  // namespace sagejit::report
