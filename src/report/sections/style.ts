/** The style of the sections that the report and the web page share. */
export const sectionStyle = `
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
tbody bdi { overflow-wrap: anywhere }
tbody td:has(bdi) { min-width: 6rem }
tbody th bdi { display: inline-block; width: max-content; max-width: min(17rem, 40vw) }
tr.highlighted { background: var(--raised); font-weight: 600 }
.scroll { overflow: auto; max-width: 100% }
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
.wrong { color: var(--wrong) }
`
