/**
 * An object as one line of JSON. Line breaks of Unicode, control characters and marks that turn the
 * direction of text stand in it as escapes, so that every program sees one line, and a terminal the
 * text as it is.
 */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
