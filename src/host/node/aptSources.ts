/** Where packages come from: one stanza of a .sources file, or one line of a .list file. */
export interface AptSource {
  readonly uri: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** A keyring's path; or a key written out, from the line after the field's name on. */
  readonly signedBy?: string
}

/**
 * The sources of binary packages that the text of a .sources or .list file names; what is commented
 * out or disabled is none.
 */
export function parseAptSources(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  const oneLiners = lines.filter((line) => /^deb\s/.test(line)).flatMap(parseLine)
  const stanzas = lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap(parseStanza)
  return [...oneLiners, ...stanzas]
}

/** `deb [signed-by=/usr/share/keyrings/x.gpg] http://deb.debian.org/debian bookworm main` */
function parseLine(line: string): AptSource[] {
  const [, options = '', rest = ''] = /^deb\s+(?:\[([^\]]*)\]\s*)?([^#]*)/.exec(line) ?? []
  const [uri, suite, ...components] = words(rest)
  if (!uri || !suite) return []
  return [{ uri, suites: [suite], components, signedBy: /signed-by=(\S+)/i.exec(options)?.[1] }]
}

/**
 * `Types: deb`, `URIs: …`, `Suites: …`, `Components: …`, `Signed-By: …`, in any order; a value goes
 * on over indented lines.
 */
function parseStanza(stanza: string): AptSource[] {
  const fields = new Map<string, string>()
  for (const [, name = '', value = ''] of stanza.matchAll(/^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)/gm))
    fields.set(name.toLowerCase(), value)
  const uri = words(fields.get('uris') ?? '')[0]
  const isOff = /^\s*(no|false|without|off|disable)\s*$/i.test(fields.get('enabled') ?? '')
  if (!uri || isOff || !words(fields.get('types') ?? '').includes('deb')) return []
  const list = (name: string) => words(fields.get(name) ?? '')
  return [
    {
      uri,
      suites: list('suites'),
      components: list('components'),
      signedBy: fields.get('signed-by')?.replace(/^ +/, '').trimEnd(),
    },
  ]
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean)
}

/**
 * The text of a .sources file for a release's backports, at the mirror that the machine already
 * uses for the release itself.
 * @returns null where no source has the release's main component
 */
export function backportsSource(sources: readonly AptSource[], codename: string): string | null {
  const candidates = sources.filter(
    ({ suites, components }) => suites.includes(codename) && components.includes('main'),
  )
  // Others may publish packages under a release's name; the distribution's own mirror ends in its
  // name.
  const mirror = candidates.find(({ uri }) => /\/(debian|ubuntu)\/?$/.test(uri)) ?? candidates[0]
  if (!mirror) return null
  const lines = [
    'Types: deb',
    `URIs: ${mirror.uri}`,
    `Suites: ${codename}-backports`,
    'Components: main',
  ]
  return `${[...lines, ...(mirror.signedBy ? [`Signed-By:${mirror.signedBy.startsWith('\n') ? '' : ' '}${mirror.signedBy}`] : [])].join('\n')}\n`
}
