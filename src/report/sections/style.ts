/** The style of the sections that the report and the web page share. */
export const sectionStyle = `
.halves { display: grid; gap: 0 3.5rem }
.halves { grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)) }
.halves > * { min-width: 0 }
.halves > .whole { grid-column: 1 / -1 }
table {
  border-collapse: collapse;
  font-size: 0.9rem;
  font-variant-numeric: tabular-nums;
}
th, td {
  padding: 0.22rem 0.8rem 0.22rem 0;
  text-align: left;
  border-bottom: 1px solid var(--rule);
  vertical-align: top;
  overflow-wrap: normal;
}
.number { text-align: right; white-space: nowrap }
th.number { white-space: normal }
tbody td:not(.prose) bdi { white-space: nowrap }
tbody th bdi, .prose bdi { overflow-wrap: anywhere }
tbody td.prose { min-width: 10rem }
tbody th bdi { display: inline-block; width: max-content; max-width: min(17rem, 40vw) }
tr.highlighted { background: var(--raised); font-weight: 600 }
.title { font-weight: 600 }
.scroll {
  overflow: auto;
  max-width: 100%;
  --shade: color-mix(in srgb, var(--ink) 30%, transparent);
  background:
    linear-gradient(to right, var(--ground) 40%, transparent) left / 40px 100% no-repeat local,
    linear-gradient(to left, var(--ground) 40%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / 12px 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / 12px 100% no-repeat scroll;
}
@media print {
  .scroll { background: none; overflow: visible }
  tbody td.prose { min-width: 8rem }
  .matrix { break-inside: avoid }
  .title { break-after: avoid }
}
.matrix { border-collapse: separate; border-spacing: 2px }
.matrix th, .matrix td { border: 0; padding: 0 }
.matrix thead th { vertical-align: bottom; height: 1px }
.matrix thead bdi {
  display: block;
  writing-mode: vertical-rl;
  transform: rotate(180deg);
  max-block-size: 1.5em;
  max-inline-size: 11rem;
  margin: 0 auto var(--space-1);
}
.matrix bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.matrix tbody th { vertical-align: middle; padding-right: var(--space-2) }
.matrix tbody th bdi { display: block; max-width: min(15rem, 34vw); width: auto }
.matrix tbody td {
  width: 2.9rem;
  min-width: 2.2rem;
  height: 2.9rem;
  text-align: center;
  vertical-align: middle;
  background: var(--raised);
  border-radius: 3px;
}
.matrix.small tbody td { width: 1rem; min-width: 0.6rem; height: 1rem }
.matrix.small th { font-size: 0.7rem; font-weight: normal }
.matrix td { color: var(--ink) }
.matrix td.right { background: color-mix(in srgb, var(--right) var(--share, 0%), var(--raised)) }
.matrix td.wrong { background: color-mix(in srgb, var(--wrong) var(--share, 0%), var(--raised)) }
.matrix td a { display: grid; place-items: center; height: 100% }
.matrix td a { color: inherit; text-decoration: none }
.matrix td a:hover { outline: 2px solid var(--accent) }
.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.key { display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 0; list-style: none }
.key { font-size: 0.9rem; margin: 0 }
.key i { display: inline-block; width: 1.4em; border-top: 3px solid; margin-right: 6px }
.key i { vertical-align: middle }
.key i.dashed { border-top-style: dashed }
.losses { display: grid; gap: 16px 24px; margin: 0; padding: 0; list-style: none }
.losses { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)) }
.losses figure { margin: 0 }
figcaption { font-size: 0.9rem; min-width: 0; overflow-wrap: anywhere }
figcaption > bdi { font-weight: 600 }
.right { color: var(--right) }
.wrong { color: var(--wrong) }
`
