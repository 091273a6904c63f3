/** What a spreadsheet would compute instead of showing it. */
const formula = /^[=+\-@\t\r]/

/**
 * A row of a CSV table (RFC 4180), without its end. Names are text of others: one that a
 * spreadsheet would take for a formula, such as =1+2, gets an apostrophe before it, as the
 * spreadsheets themselves write it.
 * @example csvRow(['a "b", c', 0.5]) // '"a ""b"", c",0.5'
 */
export function csvRow(cells: readonly (string | number)[]): string {
  const texts = cells.map((cell) => (typeof cell === 'number' ? String(cell) : quoted(cell)))
  return texts.join(',')
}

function quoted(text: string): string {
  const safe = formula.test(text) ? `'${text}` : text
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
