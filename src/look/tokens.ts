/** The colors of every page, each as [light, dark]. The contrast of text is 4.5 or more. */
export const colors = {
  ground: ['#fdfcf9', '#141715'],
  raised: ['#f3f1ea', '#1e2320'],
  ink: ['#1d211e', '#e7eae5'],
  quiet: ['#595f58', '#a5ada5'],
  rule: ['#d8d5ca', '#3b423d'],
  /** The one accent: links, buttons, focus, the mark. */
  accent: ['#0b6b4a', '#6fd3a4'],
  'on-accent': ['#ffffff', '#0c1611'],
  right: ['#2f6b14', '#9bd37a'],
  wrong: ['#b3261e', '#ff8a80'],
  /** What a scenario does with a part of a network. */
  frozen: ['#33598c', '#a6c3ea'],
  new: ['#0b6b4a', '#6fd3a4'],
  trained: ['#a3480a', '#f2a063'],
  cut: ['#666b64', '#9ba39b'],
  /** The lines and areas of charts. */
  'series-1': ['#0b6b4a', '#6fd3a4'],
  'series-2': ['#b4500b', '#ffa25c'],
  'series-3': ['#1f5fbf', '#7cb1ff'],
  'series-4': ['#8a3ba8', '#d79bf0'],
} as const satisfies Record<string, readonly [light: string, dark: string]>

export type Color = keyof typeof colors

/** Sizes of text, each about a fifth larger than the one before, and distances. */
export const sizes = {
  'size-small': '0.875rem',
  'size-normal': '1rem',
  'size-h3': '1.125rem',
  'size-h2': '1.375rem',
  'size-h1': 'clamp(1.5rem, 1.2rem + 1.2vw, 2rem)',
  'space-1': '0.25rem',
  'space-2': '0.5rem',
  'space-3': '1rem',
  'space-4': '1.5rem',
  'space-5': '2.5rem',
  radius: '8px',
} as const
