import { type ComponentChildren, createElement, options } from 'preact'

/** A number and its unit: '75.7 %', '12 s'. */
export const quantity = /(\d[\d.,]* (?:%|[mnµ]?s|min|h|[KMG]i?B)(?![\p{L}\p{N}]))/u

/** Elements that hold text alone, or lay it out without breaking lines. */
const plain = new Set(['title', 'option', 'textarea', 'text', 'tspan', 'script', 'style', 'pre'])

/**
 * From here on nothing that Preact renders in this process breaks a line between a number and its
 * unit: the text stays the same, and the two stand in an element of the class `unbroken`. For
 * programs that render pages of Graft and nothing else.
 */
export function keepQuantities(): void {
  const { vnode: before } = options
  options.vnode = (vnode) => {
    before?.(vnode)
    const { type, props } = vnode as { readonly type: unknown; readonly props: Props }
    if (typeof type !== 'string' || plain.has(type) || props.class === 'unbroken') return
    if (props.children !== undefined) props.children = kept(props.children)
  }
}

interface Props {
  readonly class?: unknown
  children?: ComponentChildren
}

function kept(children: ComponentChildren): ComponentChildren {
  if (Array.isArray(children)) return children.map(kept)
  if (typeof children !== 'string') return children
  const parts = children.split(quantity)
  if (parts.length === 1) return children
  return parts.map((text, i) => (i % 2 ? createElement('span', { class: 'unbroken' }, text) : text))
}
