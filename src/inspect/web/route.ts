import { useEffect, useState } from 'preact/hooks'

/**
 * What the address says after '#': the view, then its arguments. Links and the back button work,
 * also from a file.
 */
export function useRoute(): readonly string[] {
  const [route, setRoute] = useState(readRoute())
  useEffect(() => {
    const update = () => setRoute(readRoute())
    addEventListener('hashchange', update)
    return () => removeEventListener('hashchange', update)
  }, [])
  return route
}

function readRoute(): readonly string[] {
  try {
    return location.hash.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return [] // a '%' that encodes nothing: an address cut short on its way here
  }
}

export function href(...route: readonly (string | number)[]): string {
  return `#${route.map((part) => encodeURIComponent(part)).join('/')}`
}

/** Goes there; without a new entry in the history where only an argument changes. */
export function go(...route: readonly (string | number)[]): void {
  if (readRoute()[0] === route[0]) {
    history.replaceState(null, '', href(...route))
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else location.hash = href(...route)
}
