import { afterEach, describe, expect, test, vi } from 'vitest'
import { backportsSource, parseAptSources } from '../../../src/host/node/aptSources.ts'
import { installLavapipe } from '../../../src/host/node/installLavapipe.ts'
import { UsageError } from '../../../src/index.ts'

afterEach(() => vi.restoreAllMocks())

test('without root, or without apt, installing is a mistake of usage', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000)
  await expect(installLavapipe(() => {})).rejects.toThrow(UsageError)
})

const debian = `Types: deb
# a comment within
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`
const vendor = `Types: deb
URIs: https://vendor.example/apt
Suites: bookworm
Components: main
Signed-By: /etc/apt/keyrings/vendor.gpg
`
const backports = `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`

describe('the source of backports', () => {
  test("is the distribution's own mirror, not another that names the same release", () => {
    expect(backportsSource([vendor, debian].flatMap(parseAptSources), 'bookworm')).toBe(backports)
  })

  test('is read from one-line files too', () => {
    const line =
      'deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian/ bookworm main contrib # ours'
    expect(
      backportsSource(
        parseAptSources(`# deb http://old.example/debian bookworm main\n${line}\n`),
        'bookworm',
      ),
    ).toBe(backports.replace('/debian\n', '/debian/\n'))
    expect(
      backportsSource(
        parseAptSources('deb http://mirror.example/debian bookworm main'),
        'bookworm',
      ),
    ).not.toContain('Signed-By')
  })

  test('keeps a key that is written out', () => {
    const key =
      ' -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----'
    const text = debian.replace(/Signed-By: .*/, `Signed-By:\n${key}`)
    expect(backportsSource(parseAptSources(text), 'bookworm')).toBe(
      backports.replace(/Signed-By: .*/, `Signed-By:\n${key}`),
    )
  })

  test('is none where the release is named only in comments, for source packages, or is disabled', () => {
    const off = [
      '# deb http://mirror.example/debian bookworm main',
      'deb-src http://mirror.example/debian bookworm main',
    ]
    const stanzas = [
      debian.replaceAll('Types: deb', 'Types: deb-src'),
      debian.replaceAll('Types: deb', 'Enabled: no\nTypes: deb'),
    ]
    for (const text of [...off, ...stanzas])
      expect(backportsSource(parseAptSources(text), 'bookworm')).toBeNull()
  })
})
