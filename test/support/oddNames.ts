/** Names that a class may have, and that code which takes objects for maps stumbles over. */
export const oddNames = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '0',
  '10',
  'a, b=c',
  "it's",
  '"quoted"',
  '=1+2',
  '<b>&amp;',
] as const
