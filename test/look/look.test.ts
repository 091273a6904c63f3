import { createElement } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { describe, expect, test } from 'vitest'
import { PageHeader } from '../../src/look/header.tsx'
import { favicon, markSvg } from '../../src/look/mark.ts'
import { keepQuantities } from '../../src/look/quantities.ts'
import { lookStyle } from '../../src/look/style.ts'
import { type Color, colors } from '../../src/look/tokens.ts'
import { filesIn } from '../support/sources.ts'

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((start) => Number.parseInt(hex.slice(start, start + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

const grounds: readonly Color[] = ['ground', 'raised', 'rule']
const onAreas: readonly (readonly [text: Color, area: Color])[] = [['on-accent', 'accent']]
const onGrounds = (Object.keys(colors) as Color[])
  .filter((name) => !grounds.includes(name) && !name.startsWith('on-'))
  .flatMap((name) => [[name, 'ground'] as const, [name, 'raised'] as const])

test.each([...onGrounds, ...onAreas])('%s is legible on %s, light and dark', (text, area) => {
  for (const scheme of [0, 1] as const)
    expect(contrast(colors[text][scheme], colors[area][scheme])).toBeGreaterThanOrEqual(4.5)
})

describe('the look', () => {
  test('pages use no variable that nobody defines', async () => {
    const files = await filesIn(
      ['src/look', 'src/report', 'src/web', 'src/inspect'],
      /\.(tsx?|css)$/,
    )
    const text = [lookStyle, ...files.map((file) => file.text)].join('\n')
    // In the look's own style the names come from its list; elsewhere they are written out.
    const defined = new Set([...text.matchAll(/--([\w-]+)['"]?:/g)].map(([, name]) => name))
    const used = [...text.matchAll(/var\(--([\w-]+)/g)].map(([, name]) => name)
    expect(used.filter((name) => name && !name.endsWith('-') && !defined.has(name))).toEqual([])
  })

  test('the mark has one color in each scheme, and the icon follows the browser', () => {
    const [light, dark] = colors.accent
    for (const [scheme, color] of [
      ['light', light],
      ['dark', dark],
    ] as const)
      expect(markSvg(scheme).match(/#[0-9a-f]{6}/g)).toEqual([color])
    const icon = decodeURIComponent(favicon)
    expect(icon).toContain(`path{fill:${light}}`)
    expect(icon).toContain(`prefers-color-scheme:dark){path{fill:${dark}}`)
    expect(favicon).not.toMatch(/["<>]/)
  })

  test('a number and its unit stay in one line, and the text is the same', () => {
    keepQuantities()
    const text = 'On 40 images 87.5 % in 12 s, 3 minutes at most; 1.5 MiB'
    const html = renderToString(createElement('p', null, text, createElement('b', null, '2 %')))
    expect(html.match(/(?<=<span class="unbroken">)[^<]+/g)).toEqual([
      ...['87.5 %', '12 s', '1.5 MiB', '2 %'],
    ])
    expect(html.replace(/<[^>]+>/g, '')).toBe(`${text}2 %`)
    const drawn = createElement('svg', null, createElement('text', null, '50 %'))
    expect(renderToString(drawn)).toBe('<svg><text>50 %</text></svg>')
  })

  test('a header names Graft, the kind of page, and has the one first heading', () => {
    const html = renderToString(PageHeader({ kind: 'inspector', title: 'a & b' }))
    expect(html).toContain('Graft <span class="quiet">inspector</span>')
    expect(html.match(/<h1>.*?<\/h1>/g)).toEqual(['<h1>a &amp; b</h1>'])
  })
})
