/** Milliseconds after which the download has certainly begun, and its object URL is released. */
const releaseAfter = 60_000

/** Saves a blob as the browser saves a download. */
export function saveFile(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob)
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), releaseAfter)
}
