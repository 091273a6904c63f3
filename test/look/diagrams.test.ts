import { expect, test } from 'vitest'
import { diagramFile, diagrams } from '../../src/look/diagramFile.tsx'
import { situations } from '../../src/look/diagrams.tsx'
import { colors } from '../../src/look/tokens.ts'
import { scenarios } from '../../src/transfer/scenario.ts'

const names = Object.keys(diagrams) as readonly (keyof typeof diagrams)[]

test.each(names)("the file of %s has its scheme's own colors and no variable", (name) => {
  for (const [i, scheme] of (['light', 'dark'] as const).entries()) {
    const svg = diagramFile(name, scheme)
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/)
    expect(svg).not.toMatch(/var\(|undefined|NaN/)
    const [own, other] = [colors.frozen[i], colors.frozen[1 - i]]
    expect(svg).toContain(`fill="${own}"`)
    expect(svg).not.toContain(other)
    expect(svg).toMatch(/role="img" aria-label="[^"]{60,}"/)
  }
})

test('the four situations are the scenarios, and each draws the eight layers of AlexNet', () => {
  expect(Object.keys(situations)).toEqual(scenarios)
  for (const { parts } of Object.values(situations))
    expect(parts.map(({ layers }) => Number(layers)).reduce((a, b) => a + b)).toBe(8)
})
