/// The page's style sheet: light and dark by the reader's wish, one column on a phone, ink on paper.
enum ReportStyle {
  static let css: Markup = """
    :root { color-scheme: light dark; --paper: #ffffff; --ink: #1a1d21; --soft: #5b6470;
      --line: #d9dee5; --card: #f5f7fa; --many: #eef4fb; --medium: #f7f3ea; --few: #faeeee;
      --good: #0f7b4a;
      --c0: #0b62c4; --c1: #c2410c; --c2: #0f7b5a; --c3: #7c3aed; --c4: #a16207; --c5: #be185d;
      --c6: #0e7490; --c7: #525a66; }
    @media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e6e9ee;
      --soft: #9aa4b2; --line: #323943; --card: #1d2228; --many: #1a2430; --medium: #292519;
      --few: #2e1e1f; --good: #58c791;
      --c0: #6cb0ff; --c1: #ff9a62; --c2: #4fd1a0; --c3: #c4a5ff; --c4: #e7c14f; --c5: #ff8ac4;
      --c6: #5fd4ea; --c7: #b6bec9; } }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 74rem; background: var(--paper);
      color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
      sans-serif; overflow-wrap: break-word; }
    h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
    h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-top: .8rem;
      border-top: 1px solid var(--line); }
    h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
    p { margin: .4rem 0; max-width: 46rem; }
    .sub, .note, figcaption { color: var(--soft); }
    .note { font-size: .875rem; }
    .figures { display: grid; gap: .75rem; margin: 1.2rem 0 0;
      grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
    .figures div { background: var(--card); border-radius: .5rem; padding: .6rem .8rem; }
    .figures b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
    .figures span { color: var(--soft); font-size: .85rem; }
    .grid { display: grid; gap: 1.2rem;
      grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }
    .pairs { grid-template-columns: repeat(auto-fill, minmax(min(25rem, 100%), 1fr)); }
    .squares { display: grid; gap: 1.2rem;
      grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }
    figure { margin: 0; min-width: 0; }
    figcaption { font-size: .9rem; margin-bottom: .2rem; }
    .chart svg { width: 100%; height: auto; display: block; }
    .square svg { max-width: 20rem; }
    .scroll { overflow-x: auto; }
    .wide .scroll svg { min-width: 40rem; }
    svg text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
    .wide svg text, .pairs svg text { font-size: 9.5px; }
    @media (max-width: 56rem) { .wide svg text, .pairs svg text { font-size: 12px; } }
    svg path.grid { stroke: var(--line); fill: none; stroke-width: 1; }
    svg path.diagonal { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 3; fill: none; }
    svg path.line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
    svg path.thick { stroke-width: 6; }
    svg path.dashed { stroke-dasharray: 5 3; }
    svg .bar, svg .dot { fill: currentColor; }
    svg .band.many { fill: var(--many); } svg .band.medium { fill: var(--medium); }
    svg .band.few { fill: var(--few); }
    .c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
    .c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
    .c6 { color: var(--c6); } .c7 { color: var(--c7); }
    .legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; }
    .key { display: inline-flex; align-items: center; gap: .4rem; }
    .chart .key svg { width: 22px; height: 10px; flex: none; }
    table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
    th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--line);
      white-space: nowrap; }
    th { color: var(--soft); font-weight: 500; }
    th:first-child, td:first-child, .text { text-align: left; }
    td:first-child, th:first-child { padding-left: 0; }
    td.best { font-weight: 700; }
    td.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
    dl { display: grid; grid-template-columns: minmax(6rem, max-content) minmax(0, 1fr);
      gap: .25rem 1.2rem; margin: .5rem 0; font-size: .95rem; }
    dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
    .strip { display: flex; flex-wrap: wrap; gap: 1rem; }
    .seen { width: 9rem; font-size: .8rem; line-height: 1.35; break-inside: avoid; }
    .seen img { width: 9rem; height: 9rem; display: block; image-rendering: pixelated;
      border-radius: .3rem; }
    .seen figcaption { font-size: .8rem; margin: .3rem 0 .1rem; }
    .seen ol { list-style: none; margin: 0; padding: 0; }
    .seen li { display: flex; justify-content: space-between; gap: .5rem; }
    .seen li span:last-child { white-space: nowrap; }
    .seen .label { color: var(--good); font-weight: 700; }
    pre { background: var(--card); border-radius: .5rem; padding: .8rem; overflow-x: auto;
      font: .82rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; margin: .5rem 0; }
    .columns { columns: 18rem auto; column-gap: 2rem; }
    summary { cursor: pointer; color: var(--soft); }
    details { margin: .8rem 0; }
    footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
    @media print {
      @page { margin: 14mm; }
      :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --soft: #444444;
        --line: #bbbbbb; --card: #f3f3f3; --many: #eef4fb; --medium: #f7f3ea; --few: #faeeee;
        --good: #0f7b4a;
        --c0: #0b62c4; --c1: #c2410c; --c2: #0f7b5a; --c3: #7c3aed; --c4: #a16207; --c5: #be185d;
        --c6: #0e7490; --c7: #525a66; }
      body { padding: 0; font-size: 10.5pt; max-width: none; print-color-adjust: exact;
        -webkit-print-color-adjust: exact; }
      h2, h3, figcaption { break-after: avoid; }
      figure, .figures div, tr { break-inside: avoid; }
      .grid { grid-template-columns: 1fr 1fr; }
      .squares { grid-template-columns: 1fr 1fr 1fr; }
      .wide .scroll svg { min-width: 0; }
      pre { white-space: pre-wrap; overflow-wrap: anywhere; }
      .scroll { overflow: visible; }
      table { font-size: 8.5pt; }
      th, td { padding: .2rem .4rem; }
    }
    """
}
