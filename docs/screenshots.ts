/**
 * Makes the screenshots of README and the site from real runs on emoji, in a Chromium without a
 * window: `npm run screenshots`, or `npm run screenshots -- page` for one of them. They are written
 * to docs/images, each light and dark.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { openEmoji } from '../src/data/emoji.ts'
import { openChromium } from '../test/support/chromium.ts'
import { serveFolder } from '../test/support/staticSite.ts'

const root = join(import.meta.dirname, '..')
const images = join(import.meta.dirname, 'images')
/** Classes that people confuse, too, so that the report has something to show. */
const classes = ['animal', 'building', 'clock', 'food', 'plant', 'vehicle']
/** Minutes that a training in a browser may take on a CPU. */
const patience = 5 * 60_000

/** What a screenshot shows: where its page is, and what a reader does there first. */
interface Shot {
  readonly url: string
  readonly height: number
  readonly act?: (page: Page) => Promise<unknown>
}

const folder = await mkdtemp(join(tmpdir(), 'graft-screenshots-'))
await mkdir(images, { recursive: true })
const browser = await openChromium()
try {
  const wanted = process.argv.slice(2)
  const makers = { report: ofRun('report'), inspector: ofRun('inspector'), page: trainingPage }
  for (const [name, make] of Object.entries(makers))
    if (wanted.length === 0 || wanted.includes(name)) await make(name)
} finally {
  await browser.close()
  await rm(folder, { recursive: true, force: true })
}

/** Writes one screen, light and dark, at two pixels for each of CSS. */
async function take(name: string, { url, height, act }: Shot): Promise<void> {
  for (const [colorScheme, ending] of [
    ['light', ''],
    ['dark', '-dark'],
  ] as const) {
    const page = await open(browser, colorScheme, height)
    await page.goto(url)
    await act?.(page)
    await page.waitForLoadState('networkidle')
    const file = join(images, `${name}${ending}.webp`)
    const { size } = await sharp(await page.screenshot())
      .webp({ quality: 65, effort: 6 })
      .toFile(file)
    console.log(`${file}: ${Math.round(size / 1024)} KiB`)
    await page.close()
  }
}

function open(browser: Browser, colorScheme: 'light' | 'dark', height: number): Promise<Page> {
  return browser.newPage({
    colorScheme,
    viewport: { width: 1280, height },
    deviceScaleFactor: 2,
    reducedMotion: 'reduce',
  })
}

function graft(...args: string[]): void {
  execFileSync(process.execPath, [join(root, 'src/cli/graft.js'), ...args], {
    cwd: folder,
    stdio: 'inherit',
  })
}

/** A run on emoji, and an image that it was not trained on; made when the first page needs them. */
async function emojiRun(): Promise<{ readonly run: string; readonly image: string }> {
  const { train, val } = await openEmoji()
  const image = val.find(({ name }) => dirname(name) === 'clock')?.source
  if (typeof image !== 'string') throw new Error('the emoji have no clock in a file')
  const path = 'runs/emoji'
  if (!existsSync(join(folder, path))) {
    for (const { source, name } of [...train, ...val]) {
      if (!classes.includes(dirname(name)) || typeof source !== 'string') continue
      await mkdir(join(folder, 'emoji', dirname(name)), { recursive: true })
      await copyFile(source, join(folder, 'emoji', name))
    }
    graft('train', 'emoji', '--out', path)
  }
  return { run: path, image }
}

/** Screenshots of what a command writes about a run. */
function ofRun(kind: 'report' | 'inspector'): (name: string) => Promise<void> {
  return async (name) => {
    const { run, image } = await emojiRun()
    const file = join(folder, `${kind}.html`)
    if (kind === 'report') graft('report', run, '--out', file)
    else graft('inspect', run, '--image', image, '--train', '--label', 'clock', '--out', file)
    await take(name, { url: pathToFileURL(file).href, height: 800 })
  }
}

/** The training page, after its samples were trained on and others of them tried. */
async function trainingPage(name: string): Promise<void> {
  const outDir = join(folder, 'page')
  await build({
    configFile: join(root, 'src/web/vite.config.ts'),
    logLevel: 'error',
    build: { outDir },
  })
  const site = await serveFolder(outDir)
  const act = async (page: Page) => {
    await page.getByRole('button', { name: 'Try it with sample images' }).click()
    await page.getByTestId('accuracy').waitFor({ timeout: patience })
    await page.getByRole('button', { name: 'Try the sample images' }).click()
    await page.getByTestId('summary').waitFor()
    await page.evaluate('scrollTo(0, 0)')
  }
  await take(name, { url: site.url, height: 900, act }).finally(site.close)
}
