/** Where packages come from: one stanza of a .sources file, or one line of a .list file. */
export interface AptSource {
  readonly uri: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** A keyring's path, or the text of a key, which begins on the line after the field's name. */
  readonly signedBy?: string
}

/**
 * The sources of binary packages in the text of a .sources or .list file, without those that are
 * commented out or disabled.
 */
export function parseAptSources(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  const oneLiners = lines.flatMap(parseLine)
  const stanzas = lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap(parseStanza)
  return [...oneLiners, ...stanzas]
}

/** `deb [signed-by=/usr/share/keyrings/x.gpg] http://deb.debian.org/debian bookworm main` */
function parseLine(line: string): AptSource[] {
  const options = /^deb\s+\[([^\]]*)\]/.exec(line)?.[1]
  const [type, uri, suite, ...components] = words(
    line.replace(/#.*/, '').replace(/\[[^\]]*\]/, ' '),
  )
  if (type !== 'deb' || !uri || !suite) return []
  const signedBy = options && /signed-by=(\S+)/i.exec(options)?.[1]
  return [{ uri, suites: [suite], components, signedBy }]
}

/**
 * `Types: deb`, `URIs: …`, `Suites: …`, `Components: …`, `Signed-By: …`, in any order; a value
 * continues on indented lines.
 */
function parseStanza(stanza: string): AptSource[] {
  const fields = new Map<string, string>()
  for (const [, name = '', value = ''] of stanza.matchAll(/^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)/gm))
    fields.set(name.toLowerCase(), value)
  const list = (name: string) => words(fields.get(name) ?? '') // a missing field is empty
  const [uri] = list('uris')
  const isOff = list('enabled').some((word) => /^(no|false|without|off|disable)$/i.test(word))
  if (!uri || isOff || !list('types').includes('deb')) return []
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
 * @returns null if no source has the release's main component
 */
export function backportsSource(sources: readonly AptSource[], codename: string): string | null {
  const candidates = sources.filter(
    ({ suites, components }) => suites.includes(codename) && components.includes('main'),
  )
  // Other publishers may use a release's name too; the address of the distribution's own mirror
  // ends in the distribution's name.
  const mirror = candidates.find(({ uri }) => /\/(debian|ubuntu)\/?$/.test(uri)) ?? candidates[0]
  if (!mirror) return null
  const lines = [
    'Types: deb',
    `URIs: ${mirror.uri}`,
    `Suites: ${codename}-backports`,
    'Components: main',
  ]
  if (mirror.signedBy)
    lines.push(`Signed-By:${mirror.signedBy.startsWith('\n') ? '' : ' '}${mirror.signedBy}`)
  return `${lines.join('\n')}\n`
}
