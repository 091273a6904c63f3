import { script, style } from 'virtual:inspector'
import type { WorkEvent } from './workerApi.ts'

/** Milliseconds between two looks at whether the other page is there. */
const patience = 50

/**
 * Opens the inspector in a tab of its own, and fills it once a step has been recorded. The tab is a
 * page of this site, with a policy of its own: what it runs lies beside this page.
 * @param record records the step, and tells how far it is
 * @throws Error where the browser opens no tab
 */
export async function openInspector(
  record: (tell: (event: WorkEvent) => void) => Promise<string>,
  say: (what: string) => void,
): Promise<void> {
  const tab = globalThis.open(new URL('inspector.html', globalThis.location.href))
  if (!tab)
    throw new Error('The browser opened no tab. Allow this page to open one, and try again.')
  try {
    const recorded = await record(
      (event) =>
        event.type === 'part' && say(`Recording a step: ${event.done} of ${event.total} parts`),
    )
    const page = await documentOf(tab)
    if (page) fill(page, recorded)
  } catch (error) {
    tab.close()
    throw error
  }
}

/** The tab's page once it is loaded; null if it was closed meanwhile. */
async function documentOf(tab: Window): Promise<Document | null> {
  while (!tab.closed) {
    if (tab.document.readyState === 'complete' && tab.document.getElementById('app'))
      return tab.document
    await new Promise((resolve) => setTimeout(resolve, patience))
  }
  return null
}

function fill(page: Document, recorded: string): void {
  const data = Object.assign(page.createElement('script'), {
    type: 'application/json',
    id: 'inspection',
    textContent: recorded,
  })
  const sheet = Object.assign(page.createElement('link'), {
    rel: 'stylesheet',
    href: new URL(style, globalThis.location.href).href,
  })
  const program = Object.assign(page.createElement('script'), {
    src: new URL(script, globalThis.location.href).href,
  })
  page.getElementById('app')?.replaceChildren()
  page.head.append(sheet)
  page.body.append(data, program)
}
